// Where a command finds the service of its database; and what works without one.

import { showPath } from '../../config/files.ts';
import { serveOffline } from '../../offline.ts';
import { faultOfSocketPath, knock, operatorSocketOf } from '../../service/operator-socket.ts';
import type { Context } from '../context.ts';
import {
  keysOf,
  readDatabaseSettings,
  requireFile,
  requireOwnUser,
} from '../database/database-settings.ts';
import { type Api, createApi, NoServiceError } from './api.ts';

/** Asks the running service. Throws a `NoServiceError` if there is none. */
export async function withService<Result>(
  context: Context,
  ask: (api: Api) => Promise<Result>,
): Promise<Result> {
  const { file } = readDatabaseSettings(context.environment);
  requireFile(file);
  const path = operatorSocketOf(file);
  const state = await knock(path);
  if (state === 'answered') return await ask(createApi(path));
  throw new NoServiceError(reasonOf(state, path));
}

/** Asks the running service; without one, the database itself, which is owned for as long as that takes. */
export async function withDatabase<Result>(
  context: Context,
  ask: (api: Api) => Promise<Result>,
): Promise<Result> {
  const settings = readDatabaseSettings(context.environment);
  requireFile(settings.file);
  const path = operatorSocketOf(settings.file);
  const state = await knock(path);
  if (state === 'answered') return await ask(createApi(path));
  if (state === 'forbidden') throw new NoServiceError(reasonOf(state, path));
  requireOwnUser(settings.file);
  const offline = await serveOffline({ ...context, keys: keysOf(settings) });
  try {
    return await ask(createApi(offline.path));
  } finally {
    await offline.close();
  }
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
