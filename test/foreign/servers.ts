// Starts the servers that others wrote, and follows what they print.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { sharedIdentity } from '../../sandbox/identity.ts';

const run = promisify(execFile);
const HERE = import.meta.dirname;
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nds');
const PUSHY = '0.15.4';
const H2 = '4.4.1';
export const TOPIC = 'com.example.wallet';

export interface ForeignServer {
  readonly url: string;
  readonly lines: readonly string[];
  /** Resolves when this many lines begin with the text; rejects if the server ends before. */
  waitFor(beginning: string, count: number): Promise<readonly string[]>;
  /** Ends it like a failing machine. */
  kill(): Promise<void>;
}

/** Where the jars are; downloaded once for all checkouts. */
export async function fetchPushy(): Promise<string> {
  return await installed(
    `pushy-${PUSHY}`,
    'a JDK 17 and Maven (Debian: default-jdk-headless, maven)',
    (folder) =>
      run('mvn', [
        ...['-q', '-B', '-f', join(HERE, 'pom.xml'), 'dependency:copy-dependencies'],
        `-DoutputDirectory=${folder}`,
      ]),
  );
}

/** Python with h2. */
export async function fetchH2(): Promise<string> {
  const folder = await installed(
    `h2-${H2}`,
    'Python 3.10 with venv (Debian: python3-venv)',
    async (folder) => {
      await run('python3', ['-m', 'venv', folder]);
      await run(join(folder, 'bin/python'), ['-m', 'pip', 'install', '--quiet', `h2==${H2}`]);
    },
  );
  return join(folder, 'bin/python');
}

async function installed(
  name: string,
  needs: string,
  install: (folder: string) => Promise<unknown>,
): Promise<string> {
  const folder = join(CACHE, name);
  const done = join(folder, 'complete');
  if (existsSync(done)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  try {
    await install(folder);
  } catch (cause) {
    throw new Error(`${name} cannot be installed: it needs ${needs}.`, { cause });
  }
  writeFileSync(done, '');
  return folder;
}

export interface Place {
  readonly folder: string;
  readonly port: number;
}

/** A free port, and a folder with the files that the servers read. */
export async function makePlace(folder: string): Promise<Place> {
  const identity = await sharedIdentity();
  writeFileSync(join(folder, 'server.pem'), identity.certificate);
  writeFileSync(join(folder, 'server-key.pem'), identity.certificateKey);
  const publicKey = createPublicKey(identity.apnsKey).export({ type: 'spki', format: 'pem' });
  writeFileSync(join(folder, 'apns-public.pem'), publicKey);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  server.close();
  await once(server, 'close');
  return { folder, port: address.port };
}

export async function startPushy(
  { folder, port }: Place,
  { streams, phones }: { readonly streams: number; readonly phones: number },
): Promise<ForeignServer> {
  const jars = await fetchPushy();
  const { apnsKeyId, teamId } = await sharedIdentity();
  return await start(port, 'java', [
    ...['-cp', join(jars, '*'), join(HERE, 'ApnsServer.java')],
    ...[String(port), String(streams), folder, apnsKeyId, teamId, TOPIC, String(phones)],
  ]);
}

export async function startH2({ folder, port }: Place, manner: string): Promise<ForeignServer> {
  return await start(port, await fetchH2(), [
    join(HERE, 'h2_server.py'),
    String(port),
    folder,
    manner,
  ]);
}

async function start(
  port: number,
  program: string,
  args: readonly string[],
): Promise<ForeignServer> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    tell();
  });
  void ended.then(tell);
  const server = {
    url: `https://localhost:${port}`,
    lines,
    async waitFor(beginning: string, count: number) {
      for (;;) {
        const found = lines.filter((line) => line.startsWith(beginning));
        if (found.length >= count) return found;
        if (hasEnded(child))
          throw new Error(`${program} ended after: ${lines.slice(-3).join('; ')}`);
        const { promise, resolve } = Promise.withResolvers<void>();
        listeners.add(resolve);
        await promise;
        listeners.delete(resolve);
      }
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
  await server.waitFor('listening', 1);
  return server;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
