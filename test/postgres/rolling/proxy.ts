// The proxy of a rolling restart: sends calls in turn to machines whose readiness is green, over connections that it
// keeps, and repeats nothing. If a machine does not answer, the caller gets a 502.

import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

/** A machine is out after two failed checks in a row, as in deploy/haproxy.cfg; one successful check brings it back. */
const FAILS_UNTIL_OUT = 2;
const CHECK_TIMEOUT_MS = 1_000;
/**
 * Callers keep their connections. If the proxy closed one while a caller sends, that would count as a broken call,
 * though no machine broke it.
 */
const KEEP_ALIVE_MS = 95_000;

export interface ProxyOptions {
  /** Ports of the machines, all on 127.0.0.1. */
  readonly ports: readonly number[];
  readonly checkEveryMs: number;
  /** Called for each call that is sent on. */
  readonly onSent?: (path: string, port: number) => void;
}

export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Why machines did not answer calls, and how often: none was ready, or the connection broke. */
  readonly failures: ReadonlyMap<string, number>;
  /** Resolves when the machine gets calls from the proxy. */
  ready(port: number): Promise<void>;
}

interface Machine {
  readonly port: number;
  readonly agent: Agent;
  failedChecks: number;
  onReady: (() => void)[];
}

export async function startProxy({ ports, checkEveryMs, onSent }: ProxyOptions): Promise<Proxy> {
  const machines = ports.map(
    (port): Machine => ({
      port,
      agent: new Agent({ keepAlive: true }),
      failedChecks: FAILS_UNTIL_OUT,
      onReady: [],
    }),
  );
  const failures = new Map<string, number>();
  const noteFailure = (why: string) => failures.set(why, (failures.get(why) ?? 0) + 1);
  let turn = 0;
  const nextReady = () => {
    const ready = machines.filter(isReady);
    turn += 1;
    return ready[turn % ready.length];
  };
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (incoming, outgoing) => {
    const machine = nextReady();
    if (machine === undefined) {
      noteFailure('no machine is ready');
      outgoing.writeHead(503).end();
      return;
    }
    onSent?.(incoming.url ?? '', machine.port);
    pass(machine, { incoming, outgoing, noteFailure });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  const checks = setInterval(() => {
    for (const machine of machines) void check(machine);
  }, checkEveryMs);
  return {
    port: address.port,
    failures,
    async ready(port) {
      const machine = machines.find((candidate) => candidate.port === port);
      if (machine === undefined) throw new Error(`no machine has port ${port}`);
      if (isReady(machine)) return;
      await new Promise<void>((resolve) => machine.onReady.push(resolve));
    },
    async [Symbol.asyncDispose]() {
      clearInterval(checks);
      for (const { agent } of machines) agent.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function isReady({ failedChecks }: Machine): boolean {
  return failedChecks < FAILS_UNTIL_OUT;
}

async function check(machine: Machine): Promise<void> {
  const isGreen = await isReadinessGreen(machine.port);
  machine.failedChecks = isGreen ? 0 : machine.failedChecks + 1;
  if (!isGreen) return;
  for (const resolve of machine.onReady.splice(0)) resolve();
}

async function isReadinessGreen(port: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(CHECK_TIMEOUT_MS);
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    // It does not listen, or does not answer in time.
    return false;
  }
}

interface Passed {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly noteFailure: (why: string) => void;
}

function pass({ port, agent }: Machine, { incoming, outgoing, noteFailure }: Passed): void {
  const { method, url: path, headers } = incoming;
  const { connection: _, ...passedOn } = headers;
  const fail = (error: NodeJS.ErrnoException) => {
    // Its caller has gone.
    if (outgoing.destroyed) return;
    noteFailure(error.code ?? error.message);
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502).end();
  };
  const onward = request(
    { host: '127.0.0.1', port, method, path, headers: passedOn, agent },
    (answer) => {
      const { connection: _ended, 'keep-alive': _kept, ...told } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 502, told);
      answer.on('error', fail);
      answer.pipe(outgoing);
    },
  );
  onward.on('error', fail);
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) onward.destroy();
  });
  incoming.pipe(onward);
}
