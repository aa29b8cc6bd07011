// The Unix socket at which the commands of the same user reach the running service without a key: beside the database file,
// or where `shared-sockets.ts` says. Faults of the socket are logged and do not affect pushes.

import { lstatSync, realpathSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { showPath } from '../../config/files.ts';
import { type Principal, SCOPES } from '../../core/operating/scopes.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Ids } from '../../core/ports/ids.ts';
import type { App } from '../../http/app.ts';
import { type Listener, startSocketServer } from '../../http/server.ts';

/** `sun_path` has 108 bytes on Linux and 104 elsewhere, the last of which ends the text. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;
/** Connections: commands of one operator, and readers of the stream. */
const MAX_CONNECTIONS = 100;

/** A process that may use the socket could read NDS_SECRET or its file, and write the database itself. */
const PRINCIPAL: Principal = { name: 'socket', scopes: new Set(SCOPES) };

export interface OperatorSocketOptions {
  /** Rejects with a `SocketPlaceError` if there is no place for one. */
  readonly choosePath: () => string | Promise<string>;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Says in a sentence why there is no socket. */
  readonly onUnusable: (detail: string) => void;
}

/** The message says what to do. */
export class SocketPlaceError extends Error {
  override readonly name = 'SocketPlaceError';
}

/** Where the service of this database file listens for commands. The database exists. */
export function operatorSocketOf(database: string): string {
  // The owner's lock follows links, too: one database, one socket.
  return `${realpathSync(database)}.sock`;
}

/** What is wrong with the length of the path of a socket; the operating system would cut it off or refuse it. */
export function faultOfSocketPath(path: string): string | undefined {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_PATH_BYTES) return undefined;
  return (
    `the path ${showPath(path)} has ${bytes} bytes, and a Unix socket may have ${MAX_PATH_BYTES}: ` +
    'commands that change something need a shorter NDS_DATABASE'
  );
}

/**
 * Undefined if no socket is possible. The path is this service's own, so a socket where nobody answers is left from a
 * dead process.
 */
export async function openOperatorSocket(
  app: App,
  { choosePath, clock, ids, onUnusable }: OperatorSocketOptions,
): Promise<Listener | undefined> {
  let path: string | undefined;
  try {
    path = await choosePath();
    const fault = faultOfSocketPath(path) ?? (await clear(path));
    if (fault === undefined) return await listenAt(path, app, { clock, ids });
    onUnusable(fault);
  } catch (error) {
    const shown = path === undefined ? 'the socket' : showPath(path);
    onUnusable(
      error instanceof SocketPlaceError
        ? error.message
        : `${shown} cannot be made (${codeOf(error)})`,
    );
  }
  return undefined;
}

/** A socket whose clients have every scope. */
export async function listenAt(
  path: string,
  app: App,
  parts: { readonly clock: Clock; readonly ids: Ids },
): Promise<Listener> {
  const limits = { maxConnections: MAX_CONNECTIONS, onRefused: () => {} };
  return await startSocketServer(app, parts, { path, principal: PRINCIPAL, ...limits });
}

/** Removes the socket of a killed process. Reports any other file there. */
async function clear(path: string): Promise<string | undefined> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isSocket()) return `${showPath(path)} is no socket: move it away`;
  if ((await knock(path)) !== undefined) return `another process listens at ${showPath(path)}`;
  rmSync(path, { force: true });
  return undefined;
}

/** Undefined if no process listens at the socket. */
export function knock(path: string): Promise<'answered' | 'forbidden' | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve('answered');
    });
    socket.on('error', (error) => {
      const code = codeOf(error);
      if (code === 'EACCES' || code === 'EPERM') resolve('forbidden');
      // If a process listens, its queue may be full; if none does any more, the connection is refused.
      else resolve(code === 'EAGAIN' ? 'answered' : undefined);
    });
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
