// Starts the service as an operator would, configured by its environment, or the floor in its place, and stops it.

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Described } from './stand-ins.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const START_TIMEOUT_MS = 20_000;
const POLL_MS = 10;

const manifestSchema = z.object({ scripts: z.object({ start: z.string() }) });

/** What is started: the service, or the smallest program that could replace it. */
export type Subject = 'nds' | 'floor';

export interface ServiceOptions {
  readonly standIns: Described;
  /** Default `nds`. */
  readonly subject?: Subject | undefined;
  /** Further options of node, such as `--import`. */
  readonly nodeOptions?: readonly string[] | undefined;
  /** Further variables. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** Whether the process can send messages to this one. */
  readonly ipc?: boolean | undefined;
}

export interface RunningService extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly ended: boolean;
  readonly process: ChildProcess;
}

interface Command {
  /** Options of node, paths made absolute. */
  readonly options: readonly string[];
  readonly entry: string;
  readonly args: readonly string[];
}

/**
 * What `npm start` runs, for another working directory. Read from package.json, so that it is written in one place
 * only.
 */
export function startCommand(): Command {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8');
  const words = manifestSchema.parse(JSON.parse(text)).scripts.start.split(' ');
  const after = words.slice(words.indexOf('node') + 1);
  const entryIndex = after.findIndex((word) => !word.startsWith('-'));
  return {
    options: after.slice(0, entryIndex).map((option) => option.replace('=./', `=${ROOT}`)),
    entry: join(ROOT, after[entryIndex] ?? ''),
    args: after.slice(entryIndex + 1),
  };
}

/** The variables with which a service reaches the stand-ins. */
function environmentOf({ ca, apns, fcm }: Described, folder: string) {
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, ca);
  return {
    NDS_PROVIDER_CA_FILE: caFile,
    APNS_KEY: apns.key,
    APNS_KEY_ID: apns.keyId,
    APNS_TEAM_ID: apns.teamId,
    APNS_TOPIC: apns.topic,
    APNS_ENVIRONMENT: 'sandbox',
    APNS_ENDPOINT: apns.url,
    GOOGLE_APPLICATION_CREDENTIALS_JSON: JSON.stringify(fcm.serviceAccount),
    FCM_ENDPOINT: fcm.url,
  };
}

/** Starts the process, which may not listen yet when this returns. */
export async function launchService(options: ServiceOptions): Promise<RunningService> {
  const folder = mkdtempSync(join(tmpdir(), 'nds-bench-'));
  const port = options.port ?? (await freePort());
  const output = openSync(join(folder, 'output.jsonl'), 'w');
  const { options: own, entry, args } = startCommand();
  const started =
    options.subject === 'floor' ? [join(ROOT, 'bench/floor/main.ts')] : [entry, ...args];
  const streams: StdioOptions = ['ignore', output, 'inherit'];
  const child = spawn(process.execPath, [...own, ...(options.nodeOptions ?? []), ...started], {
    stdio: options.ipc === true ? [...streams, 'ipc'] : streams,
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      ...environmentOf(options.standIns, folder),
      NOTIFY_HTTP_ADDRESS: `127.0.0.1:${port}`,
      NDS_DATABASE: join(folder, 'nds.sqlite'),
      NDS_SECRET: 'a secret for the benchmark only',
      // Limits are not part of the measurement.
      NDS_TOKEN_RATE: '1000000/1000000',
      NDS_GLOBAL_RATE: '9000000/1000000',
      NDS_MAX_CONNECTIONS: '20000',
      NDS_REMEMBERED: '200000',
      ...options.environment,
    },
  });
  closeSync(output);
  const { pid } = child;
  if (pid === undefined) throw new Error('the service could not be started');
  return {
    pid,
    port,
    process: child,
    get ended() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    async [Symbol.asyncDispose]() {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Starts the process and waits until it is ready: for the service this is when it reaches both providers. */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const service = await launchService(options);
  const untilMs = Date.now() + START_TIMEOUT_MS;
  while (!(await isReady(service.port))) {
    if (Date.now() > untilMs || service.ended) {
      await service[Symbol.asyncDispose]();
      throw new Error(`${options.subject ?? 'nds'} did not become ready`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return service;
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    // It does not listen yet.
    return false;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
