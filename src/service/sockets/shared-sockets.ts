// Where services over PostgreSQL listen for commands, since there is no database file beside which a socket could be:
// in a folder that only their user can use. Its place depends on no variable, because a service and a shell on one
// machine have different variables.

import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { knock, SocketPlaceError } from './operator-socket.ts';

/** `runtime` is used if it exists and is this user's own: the systemd unit has it, because its `/tmp` is private. */
export const PLACES = { runtime: '/run/nds', temporary: '/tmp' } as const;
const NAME_CHARACTERS = 16;
const GROUP_AND_OTHERS = 0o077;

/** Of the sockets of this user. */
export function sharedFolder({
  runtime,
  temporary,
}: {
  readonly runtime: string;
  readonly temporary: string;
} = PLACES): string {
  return isPrivate(statOf(runtime)) ? runtime : join(temporary, `nds-${process.getuid?.()}`);
}

/**
 * Where a service has to listen; `owner` is its name among the machines. Removes the sockets of killed services.
 * Rejects with a `SocketPlaceError`.
 */
export async function makeSharedPath(
  database: string,
  owner: string,
  folder = sharedFolder(),
): Promise<string> {
  makeFolder(folder);
  const name = nameOf(database);
  for (const path of socketsIn(folder, name)) {
    if ((await knock(path)) === undefined) rmSync(path, { force: true });
  }
  return join(folder, `${name}.${owner}.sock`);
}

/**
 * The socket of a service that runs on this machine as this user, the newest first: an older one may be stopping.
 * Undefined if there is none. Rejects with a `SocketPlaceError` if another user might listen there.
 */
export async function findSharedPath(
  database: string,
  folder = sharedFolder(),
): Promise<string | undefined> {
  if (statOf(folder) === undefined) return undefined;
  requirePrivate(folder);
  for (const path of socketsIn(folder, nameOf(database))) {
    if ((await knock(path)) === 'answered') return path;
  }
  return undefined;
}

/** Does not depend on the password, which may be replaced while a service runs. */
function nameOf(database: string): string {
  const url = new URL(database);
  url.password = '';
  return createHash('sha256').update(url.href).digest('hex').slice(0, NAME_CHARACTERS);
}

/** The newest first. */
function socketsIn(folder: string, name: string): readonly string[] {
  return readdirSync(folder)
    .filter((entry) => entry.startsWith(`${name}.`))
    .flatMap((entry) => {
      const path = join(folder, entry);
      const found = statOf(path);
      return found?.isSocket() ? [{ path, madeMs: found.mtimeMs }] : [];
    })
    .toSorted((one, other) => other.madeMs - one.madeMs)
    .map(({ path }) => path);
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code !== 'EEXIST') {
      throw new SocketPlaceError(`the folder ${folder} cannot be made (${code})`, { cause: error });
    }
  }
  requirePrivate(folder);
}

function requirePrivate(folder: string): void {
  if (isPrivate(statOf(folder))) return;
  throw new SocketPlaceError(
    `${folder} is not a folder owned by this user with mode 0700, so other users could listen there: find out who created it, then remove it`,
  );
}

/** Not a link, and no other user may write to it. */
function isPrivate(found: Stats | undefined): boolean {
  return (
    found?.isDirectory() === true &&
    found.uid === process.getuid?.() &&
    (found.mode & GROUP_AND_OTHERS) === 0
  );
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
