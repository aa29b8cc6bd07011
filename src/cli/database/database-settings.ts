// Which database a command means, and its keys. Faults of other settings are no reason to refuse a restore.

import { existsSync, statSync } from 'node:fs';
import { ConfigError, type Environment, readSettings } from '../../config/config.ts';
import { isServer, showPath } from '../../config/files.ts';
import { findSecrets, type Secrets } from '../../config/secret.ts';

export interface DatabaseSettings {
  readonly file: string;
  readonly configuredSecret: string | undefined;
  readonly previousSecrets: readonly string[];
}

/** Throws a `ConfigError` with the faults of these settings. */
export function readDatabaseSettings(environment: Environment): DatabaseSettings {
  const { values, faults } = readSettings(environment);
  const { database, secret, previousSecrets } = values;
  if (database === undefined || previousSecrets === undefined || !('secret' in values)) {
    throw new ConfigError(faults.filter((fault) => /^NDS_(DATABASE|SECRET)/.test(fault)));
  }
  requireFileDatabase(database);
  return { file: database, configuredSecret: secret, previousSecrets };
}

/** Makes no secret: a database without a known one says so. */
export function keysOf(settings: DatabaseSettings): Secrets {
  const { file, configuredSecret, previousSecrets } = settings;
  return findSecrets({
    configured: configuredSecret,
    previous: previousSecrets,
    databaseFile: file,
  });
}

/** Throws a `ConfigError` if it is a PostgreSQL. */
function requireFileDatabase(database: string): void {
  if (!isServer(database)) return;
  throw new ConfigError([
    'NDS_DATABASE names a PostgreSQL, and this command works on an SQLite file: ask the running service by its API ' +
      '(NDS_API_KEYS, docs/api.md), or read the tables by psql (docs/tables.md)',
  ]);
}

export function requireFile(file: string): void {
  if (existsSync(file)) return;
  throw new ConfigError([`NDS_DATABASE names ${showPath(file)}, which does not exist`]);
}

/**
 * Files that another user made beside the database could not be opened by the service: its lock, its WAL. Root is no
 * exception.
 */
export function requireOwnUser(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  const user = process.getuid?.();
  if (found === undefined || user === undefined || found.uid === user) return;
  throw new WrongUserError(
    `${showPath(file)} belongs to the user ${found.uid}, and this is the user ${user}: ` +
      'run this command as the user of the service.',
  );
}

/** The message says which one is right. */
export class WrongUserError extends Error {
  override readonly name = 'WrongUserError';
}
