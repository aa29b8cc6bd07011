// Restarts machines in turn by SIGTERM while callers call through a proxy, and counts the results of all calls.

import { once } from 'node:events';
import { Client } from 'pg';
import { freePort, type RunningService, startService } from '../../../bench/service.ts';
import { type Sandbox, startSandbox } from '../../../sandbox/sandbox.ts';
import { type Asked, Asking } from './asking.ts';
import { type Loaded, load } from './load.ts';
import { startProxy } from './proxy.ts';

export interface RollOptions {
  /** The address of an empty database. */
  readonly databaseUrl: string;
  readonly machines: number;
  /** At least this many; calls continue until every machine was restarted. */
  readonly calls: number;
  readonly ratePerSecond: number;
  /** NDS_DRAIN of the machines. */
  readonly drainMs: number;
  readonly checkEveryMs: number;
  readonly askEveryMs: number;
  /** Called with each step, for a person who waits. */
  readonly onStep?: (step: string) => void;
}

export interface Rolled extends Loaded {
  readonly asked: Asked;
  /** Calls, including those for invoices, that are not delivered according to the log. */
  readonly unlogged: number;
  /** Exit codes of the machines that were told to stop, in order. */
  readonly exits: readonly (number | NodeJS.Signals | null)[];
  /** The failures that the proxy saw at machines to which it sent calls. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Longer than the drain: some phones reply when the machine that asked already takes no calls. */
const WAIT_BEYOND_DRAIN_MS = 1_500;

/** Every machine is restarted at least once; restarts continue in turn until all calls are answered. */
export async function roll(options: RollOptions): Promise<Rolled> {
  const { calls, ratePerSecond, checkEveryMs, drainMs, onStep = () => {} } = options;
  await using opened = new AsyncDisposableStack();
  const sandbox = await startSandbox();
  opened.defer(() => sandbox.close());
  const ports: number[] = [];
  while (ports.length < options.machines) ports.push(await freePort());
  let url = '';
  const longestWaitMs = drainMs + WAIT_BEYOND_DRAIN_MS;
  const everyMs = options.askEveryMs;
  const asking = new Asking({ sandbox, everyMs, longestWaitMs, url: () => url });
  const onSent = (path: string, port: number) => asking.sent(path, port);
  const proxy = opened.use(await startProxy({ ports, checkEveryMs, onSent }));
  url = `http://127.0.0.1:${proxy.port}`;
  const start = async (port: number) =>
    opened.use(await startMachine(options, { sandbox, port, url }));
  const machines: { readonly port: number; service: RunningService }[] = [];
  for (const port of ports) machines.push({ port, service: await start(port) });
  await Promise.all(ports.map((port) => proxy.ready(port)));

  onStep(`${ports.length} machines are ready; calls begin`);
  asking.start();
  let restarts = 0;
  let isOver = false;
  const goesOn = () => restarts < machines.length;
  const loading = load({ sandbox, port: proxy.port, ratePerSecond, calls, goesOn });
  const over = loading.finally(() => {
    isOver = true;
  });
  const exits: (number | NodeJS.Signals | null)[] = [];
  while (!isOver) {
    for (const [index, machine] of machines.entries()) {
      const beganAtMs = performance.now();
      exits.push(await stopMachine(machine.service));
      machine.service = await start(machine.port);
      await proxy.ready(machine.port);
      restarts += 1;
      const tookMs = Math.round(performance.now() - beganAtMs);
      onStep(`machine ${index + 1} was restarted in ${tookMs} ms`);
      if (isOver) break;
    }
  }
  const loaded = await over;
  const asked = await asking.end();
  for (const { service } of machines) exits.push(await stopMachine(service));
  const unlogged = loaded.calls + asked.requests - (await countDelivered(options.databaseUrl));
  return { ...loaded, asked, unlogged, exits, failures: Object.fromEntries(proxy.failures) };
}

function startMachine(
  { databaseUrl, drainMs }: RollOptions,
  {
    sandbox,
    port,
    url,
  }: { readonly sandbox: Sandbox; readonly port: number; readonly url: string },
): Promise<RunningService> {
  const { ca, apns, fcm } = sandbox;
  return startService({
    standIns: { ca, apns, fcm: { ...fcm, serviceAccount: { ...fcm.serviceAccount } } },
    port,
    environment: {
      NDS_DATABASE: databaseUrl,
      NDS_NODE_ADDRESS: '127.0.0.1:0',
      NDS_DRAIN: `${drainMs}ms`,
      NOTIFY_EXTERNAL_URL: url,
    },
  });
}

async function stopMachine({ process }: RunningService): Promise<number | NodeJS.Signals | null> {
  if (process.exitCode === null && process.signalCode === null) {
    const ended = once(process, 'exit');
    process.kill('SIGTERM');
    await ended;
  }
  return process.exitCode ?? process.signalCode;
}

async function countDelivered(connectionString: string): Promise<number> {
  const client = new Client({ connectionString });
  await client.connect();
  const sql = `SELECT count(*)::int AS count FROM deliveries WHERE status = 'delivered'`;
  try {
    return (await client.query<{ count: number }>(sql)).rows[0]?.count ?? 0;
  } finally {
    await client.end();
  }
}
