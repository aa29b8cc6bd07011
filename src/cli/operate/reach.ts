// Finds the service that uses the command's database, and does what is possible without one.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { Environment } from '../../config/config.ts';
import { showPath } from '../../config/files.ts';
import { serveOffline } from '../../offline.ts';
import {
  faultOfSocketPath,
  knock,
  operatorSocketOf,
} from '../../service/sockets/operator-socket.ts';
import { findSharedPath, sharedFolder } from '../../service/sockets/shared-sockets.ts';
import type { Context } from '../context.ts';
import {
  type DatabaseSettings,
  keysOf,
  readDatabase,
  requireFile,
  requireOwnUser,
} from '../database/database-settings.ts';
import { type Api, createApi, NoServiceError } from './api.ts';

/** Asks the running service. Throws a `NoServiceError` if there is none. */
export async function withService<Result>(
  context: Context,
  ask: (api: Api) => Promise<Result>,
): Promise<Result> {
  const found = await findService(context.environment);
  if ('path' in found) return await ask(createApi(found.path));
  throw new NoServiceError(found.reason);
}

/**
 * Asks the running service. Without one it opens and owns the database file while `ask` runs. A PostgreSQL is changed
 * only by services.
 */
export async function withDatabase<Result>(
  context: Context,
  ask: (api: Api) => Promise<Result>,
): Promise<Result> {
  const found = await findService(context.environment);
  if ('path' in found) return await ask(createApi(found.path));
  const { reason, settings } = found;
  if (settings === undefined) throw new NoServiceError(reason);
  requireOwnUser(settings.file);
  const offline = await serveOffline({ ...context, keys: keysOf(settings) });
  try {
    return await ask(createApi(offline.path));
  } finally {
    await offline.close();
  }
}

/** Long enough for a busy service; a command that only wants to know more does not wait for one that hangs. */
const READINESS_WITHIN_MS = 2_000;

const readiness = z.looseObject({
  ready: z.boolean(),
  checks: z.record(
    z.string(),
    z.looseObject({
      ready: z.boolean(),
      detail: z.string().optional(),
      since: z.string().optional(),
    }),
  ),
});

export type ServiceState = z.output<typeof readiness>;

/** What the running service says of itself; undefined if none can be asked. Never rejects. */
export async function readServiceState(
  environment: Environment,
  withinMs = READINESS_WITHIN_MS,
): Promise<ServiceState | 'hangs' | undefined> {
  // Faults of the settings, or of the folder of the socket, are for the commands that need the service.
  const found = await findService(environment).catch(() => undefined);
  if (found === undefined || !('path' in found)) return undefined;
  try {
    return readiness.parse(await createApi(found.path, withinMs).readiness());
  } catch {
    // Or it is ending.
    return 'hangs';
  }
}

type FoundService =
  | { readonly path: string }
  | {
      /** Why there is no service, and what to do. */
      readonly reason: string;
      /** Present if the file can be owned. */
      readonly settings?: DatabaseSettings | undefined;
    };

async function findService(environment: Environment): Promise<FoundService> {
  const database = readDatabase(environment);
  if ('server' in database) return await findShared(database.server);
  const path = socketOf(database.file);
  const state = await knock(path);
  if (state === 'answered') return { path };
  requireFile(database.file);
  return { reason: reasonOf(state, path), settings: state === undefined ? database : undefined };
}

async function findShared(server: string): Promise<FoundService> {
  const folder = sharedFolder();
  const path = await findSharedPath(server, folder);
  if (path !== undefined) return { path };
  const reason =
    `No service on this PostgreSQL listens in ${folder}: start one on this machine by \`nds serve\`, or run this command where ` +
    'one runs, in its container if it has one, as its user and with its NDS_DATABASE.';
  return { reason };
}

/** The service answers there also after its file was moved away. */
function socketOf(file: string): string {
  return existsSync(file) ? operatorSocketOf(file) : `${resolve(file)}.sock`;
}

function reasonOf(state: 'forbidden' | undefined, path: string): string {
  if (state === 'forbidden') {
    return `Only the user that the service runs as may use ${showPath(path)}.`;
  }
  const fault = faultOfSocketPath(path);
  if (fault !== undefined) return `The service has no socket: ${fault}.`;
  const shown = showPath(path);
  return `No service listens at ${shown}: start it by \`nds serve\`, or set NDS_DATABASE to that of the service.`;
}
