// Starts the service as an operator would, `nds serve` configured by its environment, and ends it.

import { type ChildProcess, spawn } from 'node:child_process';
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

export interface ServiceOptions {
  readonly standIns: Described;
  /** Further options of node, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface RunningService extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly databaseFile: string;
  readonly ended: boolean;
  /** What it has written to standard output so far. */
  output(): string;
  /** Asks it to end, as an orchestrator would, and waits; the files stay until it is disposed of. */
  stop(): Promise<void>;
}

/** The variables with which a service reaches the stand-ins. */
export function environmentOf({ ca, apns, fcm }: Described, folder: string) {
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

/** What `npm start` gives to node, for another working directory. */
function startOptions(): readonly string[] {
  const manifest = z.object({ scripts: z.object({ start: z.string() }) });
  const { scripts } = manifest.parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')));
  const options = scripts.start.split(' ').filter((word) => word.startsWith('--'));
  return options.map((option) => option.replace('=./', `=${ROOT}`));
}

/** Starts it on a free port; it may not listen yet when this returns. */
export async function launchService(options: ServiceOptions): Promise<RunningService> {
  const folder = mkdtempSync(join(tmpdir(), 'nds-bench-'));
  const port = await freePort();
  const databaseFile = join(folder, 'nds.sqlite');
  const outputFile = join(folder, 'output.jsonl');
  const output = openSync(outputFile, 'w');
  const nodeOptions = [...startOptions(), ...(options.nodeOptions ?? [])];
  const child = spawn(process.execPath, [...nodeOptions, join(ROOT, 'bin/nds.ts'), 'serve'], {
    stdio: ['ignore', output, 'inherit'],
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      ...environmentOf(options.standIns, folder),
      NOTIFY_HTTP_ADDRESS: `127.0.0.1:${port}`,
      NDS_DATABASE: databaseFile,
      NDS_SECRET: 'a secret for the benchmark only',
      // The limits are not what is measured.
      NDS_TOKEN_RATE: '1000000/1000000',
      NDS_GLOBAL_RATE: '9000000/1000000',
      ...options.environment,
    },
  });
  closeSync(output);
  const { pid } = child;
  if (pid === undefined) throw new Error('the service could not be started');
  return {
    pid,
    port,
    databaseFile,
    get ended() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    output: () => readFileSync(outputFile, 'utf8'),
    stop: () => end(child),
    async [Symbol.asyncDispose]() {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Starts it and waits until it reaches both providers. */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const service = await launchService(options);
  const untilMs = Date.now() + START_TIMEOUT_MS;
  while (service.output().split('can reach its provider').length < 3) {
    if (Date.now() > untilMs || service.ended) {
      await service[Symbol.asyncDispose]();
      throw new Error('the service does not reach the stand-ins');
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return service;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
