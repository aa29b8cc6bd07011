// PgBouncer in transaction mode before a server: Debian's package, from the PATH or fetched and unpacked, not installed.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { asNobody, findFreePort } from './server.ts';

export interface Pooler {
  /** Any database of the server, through the pooler. */
  readonly url: string;
  remove(): Promise<void>;
}

const NAME = 'pgbouncer';
/** What it needs beside what every Debian with curl has. The end of the names differs between Debian's releases. */
const LIBRARIES = /^ *Depends: (libc-ares\S*|libevent\S*)$/gm;
const UNPACKED = join(import.meta.dirname, 'node_modules', '.pgbouncer');
const READY = 'process up';
/** Fewer than the machines of a test ask for, so that their transactions share connections. */
const SERVER_CONNECTIONS = 3;
const run = promisify(execFile);

/** Rejects with what is missing. */
export async function findPooler(): Promise<string> {
  const installed = (process.env.PATH ?? '')
    .split(delimiter)
    .concat('/usr/sbin')
    .map((folder) => join(folder, NAME))
    .find((file) => existsSync(file));
  if (installed !== undefined) return installed;
  const unpacked = join(UNPACKED, 'usr/sbin', NAME);
  if (!existsSync(unpacked)) await unpack();
  return unpacked;
}

async function unpack(): Promise<void> {
  const cwd = mkdtempSync(join(tmpdir(), 'nds-pgbouncer-'));
  try {
    await download(cwd).catch(async () => {
      // A new machine has no lists of packages.
      await run('apt-get', ['update']);
      await download(cwd);
    });
    mkdirSync(UNPACKED, { recursive: true });
    for (const file of readdirSync(cwd)) await run('dpkg-deb', ['-x', file, UNPACKED], { cwd });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`PgBouncer is not here: install the package ${NAME}. ${detail}`, { cause });
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

async function download(cwd: string): Promise<void> {
  const { stdout } = await run('apt-cache', ['depends', NAME]);
  const libraries = Array.from(stdout.matchAll(LIBRARIES), ([, library = '']) => library);
  await run('apt-get', ['download', NAME, ...libraries], { cwd });
}

/** Folders of libraries that were unpacked with it: one, named after the processor. */
function libraryPath(): string {
  const folder = join(UNPACKED, 'usr/lib');
  if (!existsSync(folder)) return '';
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .join(delimiter);
}

/** Rejects if it cannot start, with what it says. */
export async function makePooler(serverUrl: string): Promise<Pooler> {
  const binary = await findPooler();
  const server = new URL(serverUrl);
  const port = await findFreePort();
  const folder = mkdtempSync(join(tmpdir(), 'nds-pgbouncer-'));
  const { uid, gid } = asNobody;
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
  const settings = join(folder, `${NAME}.ini`);
  writeFileSync(
    settings,
    `[databases]
* = host=${server.hostname} port=${server.port} user=${server.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS}
max_client_conn = 1000
`,
  );
  const child = spawn(binary, [settings], {
    ...asNobody,
    env: { ...process.env, LD_LIBRARY_PATH: libraryPath() },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await untilReady(child);
  return {
    url: Object.assign(new URL(serverUrl), { port: String(port) }).href,
    async remove() {
      const ended = once(child, 'exit');
      if (child.kill('SIGKILL')) await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(child: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (said.includes(READY)) return;
    said += text;
    if (said.includes(READY)) resolve();
  });
  child.on('exit', (code, signal) =>
    reject(new Error(`${NAME} ended (${code ?? signal}):\n${said}`)),
  );
  child.on('error', (error) => reject(new Error(`${NAME} does not start: ${error.message}`)));
  await promise;
}
