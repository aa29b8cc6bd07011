// PgBouncer in transaction mode in front of a server: Debian's package, from the PATH or downloaded and unpacked, not
// installed.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { asNobody, findFreePort } from './server.ts';

export interface Pooler {
  /** Any database of the server, through the pooler. */
  readonly url: string;
  remove(): Promise<void>;
}

const NAME = 'pgbouncer';
/**
 * Libraries that it needs and that a Debian with curl may lack. The ends of the names differ between Debian's releases.
 */
const LIBRARIES = /^ *Depends: (libc-ares\S*|libevent\S*)$/gm;
const UNPACKED = join(import.meta.dirname, 'node_modules', '.pgbouncer');
/** Some libraries are links to files with a version in the name. */
const COPIED = { recursive: true, verbatimSymlinks: true };
const READY = 'process up';
/** Fewer than the machines of a test use, so that their transactions share connections. */
const SERVER_CONNECTIONS = 3;
const run = promisify(execFile);

interface Program {
  readonly file: string;
  /** The folder of the libraries that were unpacked with it. */
  readonly libraries: string;
}

/**
 * The installed program, or else a copy in the folder, because the user `nobody` may not enter the checkout. Rejects
 * with what is missing.
 */
async function findPooler(folder: string): Promise<Program> {
  const installed = (process.env.PATH ?? '')
    .split(delimiter)
    .concat('/usr/sbin')
    .map((place) => join(place, NAME))
    .find((file) => existsSync(file));
  if (installed !== undefined) return { file: installed, libraries: '' };
  if (!existsSync(UNPACKED)) await unpack();
  cpSync(UNPACKED, folder, COPIED);
  const libraries = join(folder, 'usr/lib');
  // One folder, named after the processor.
  const folders = existsSync(libraries) ? readdirSync(libraries) : [];
  return {
    file: join(folder, 'usr/sbin', NAME),
    libraries: folders.map((name) => join(libraries, name)).join(delimiter),
  };
}

async function unpack(): Promise<void> {
  const cwd = mkdtempSync(join(tmpdir(), 'nds-pgbouncer-'));
  try {
    await download(cwd).catch(async () => {
      // A new machine has no package lists yet.
      await run('apt-get', ['update']);
      await download(cwd);
    });
    const packages = readdirSync(cwd);
    for (const file of packages) await run('dpkg-deb', ['-x', file, 'unpacked'], { cwd });
    // The folder appears only after everything was unpacked.
    mkdirSync(dirname(UNPACKED), { recursive: true });
    cpSync(join(cwd, 'unpacked'), UNPACKED, COPIED);
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

/** Rejects with its output if it cannot start. */
export async function makePooler(serverUrl: string): Promise<Pooler> {
  const server = new URL(serverUrl);
  const port = await findFreePort();
  const folder = mkdtempSync(join(tmpdir(), 'nds-pgbouncer-'));
  const program = await findPooler(folder);
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
  const child = spawn(program.file, [settings], {
    ...asNobody,
    env: { ...process.env, LD_LIBRARY_PATH: program.libraries },
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
