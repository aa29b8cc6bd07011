// One machine of the drill: the real program with a clock, a connection to PostgreSQL and stand-ins of APNs and FCM of
// its own, so that its pushes can be told from those of the others. It dies and is started again.

import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Sandbox, startSandbox } from '../../../sandbox/sandbox.ts';
import { beginLife, type Life } from '../../chaos/life.ts';
import { type OnEnd, sandboxEnvironment } from '../../support/service.ts';
import { findFreePort } from '../server.ts';
import { type Relay, startRelay } from './relay.ts';

export const ATTEMPT_TIMEOUT_MS = 1_000;
/** More messages than any machine sends. */
const MESSAGES = 1_000_000;

export interface Machine {
  /** Counted from 1. */
  readonly number: number;
  readonly sandbox: Sandbox;
  readonly relay: Relay;
  /** Where the other machines reach it; its row in `nodes` is found by this. */
  readonly nodeUrl: string;
  /** Where callers reach it; undefined while it is dead. */
  readonly url: string | undefined;
  /** The deliveries that, according to its log, went out without their keys. */
  readonly unclaimed: ReadonlySet<string>;
  /** How often its log has this event. */
  count(event: string): number;
  /** Resolves when it listens. */
  start(): Promise<void>;
  /** `kill -9`. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  /** Sends SIGTERM; rejects unless it exits with 0. */
  stop(): Promise<void>;
}

export interface MachineOptions {
  readonly number: number;
  readonly folder: string;
  /** PostgreSQL's own address. */
  readonly database: string;
  /** Further variables, for its clock. */
  readonly environment: Readonly<Record<string, string>>;
  /** A folder for its log, if that shall be kept. */
  readonly logs: string | undefined;
  readonly onEnd: OnEnd;
}

export async function createMachine(options: MachineOptions): Promise<Machine> {
  const { number, logs, onEnd } = options;
  const folder = join(options.folder, `machine-${number}`);
  mkdirSync(folder);
  const sandbox = await startSandbox({ firstMessage: number * MESSAGES + 1 });
  onEnd(() => sandbox.close());
  const database = new URL(options.database);
  const relay = await startRelay(Number(database.port));
  onEnd(() => relay.close());
  database.port = String(relay.port);
  const nodeAddress = `127.0.0.1:${await findFreePort()}`;
  const environment = {
    ...sandboxEnvironment(sandbox, folder),
    NDS_DATABASE: database.href,
    NDS_NODE_ADDRESS: nodeAddress,
    NDS_DRAIN: '0ms',
    NDS_ATTEMPT_TIMEOUT: `${ATTEMPT_TIMEOUT_MS}ms`,
    ...options.environment,
  };
  const counts = new Map<string, number>();
  const unclaimed = new Set<string>();
  let life: Life | undefined;
  let url: string | undefined;

  function living(): Life {
    if (life === undefined) throw new Error(`machine ${number} does not run`);
    return life;
  }

  return {
    number,
    sandbox,
    relay,
    nodeUrl: `http://${nodeAddress}`,
    get url() {
      return url;
    },
    unclaimed,
    count: (event) => counts.get(event) ?? 0,
    async start() {
      life = beginLife(environment, onEnd);
      if (logs !== undefined) {
        mkdirSync(logs, { recursive: true });
        const file = join(logs, `machine-${number}.jsonl`);
        life.onLine((line) => appendFileSync(file, `${JSON.stringify(line)}\n`));
      }
      life.onLine(({ event, delivery_id: id }) => {
        counts.set(event, (counts.get(event) ?? 0) + 1);
        if (event === 'key_unclaimed' && id !== undefined) unclaimed.add(id);
      });
      url = await life.listening;
      if (url === undefined) throw new Error(`machine ${number} did not start:\n${life.stderr}`);
    },
    async kill() {
      url = undefined;
      living().kill();
      await living().ended;
    },
    pause: () => living().pause(),
    resume: () => living().resume(),
    async stop() {
      url = undefined;
      const code = await living().stop();
      if (code !== 0) throw new Error(`machine ${number} ended with ${code}:\n${living().stderr}`);
    },
  };
}
