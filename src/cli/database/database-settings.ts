// Which database a command means, and the keys of a file. Faults of other settings are no reason to refuse a restore.

import { accessSync, constants, statSync } from 'node:fs';
import { ConfigError, type Environment, readSettings } from '../../config/config.ts';
import { isServer, showPath } from '../../config/files.ts';
import { findSecrets, type Secrets } from '../../config/secret.ts';

export interface DatabaseSettings {
  readonly file: string;
  readonly configuredSecret: string | undefined;
  readonly previousSecrets: readonly string[];
}

/** Throws a `ConfigError` with the faults of these settings. */
export function readDatabase(
  environment: Environment,
): DatabaseSettings | { readonly server: string } {
  const { values, faults } = readSettings(environment);
  const { database, secret, previousSecrets } = values;
  if (database === undefined || previousSecrets === undefined || !('secret' in values)) {
    throw new ConfigError(faults.filter((fault) => /^NDS_(DATABASE|SECRET)/.test(fault)));
  }
  if (isServer(database)) return { server: database };
  return { file: database, configuredSecret: secret, previousSecrets };
}

/** For a command that works on a file: what takes its place over PostgreSQL is thrown as a `ConfigError`, too. */
export function readDatabaseSettings(environment: Environment, instead: string): DatabaseSettings {
  const found = readDatabase(environment);
  if ('file' in found) return found;
  throw new ConfigError([
    `NDS_DATABASE names a PostgreSQL, and this command works on an SQLite file: ${instead}`,
  ]);
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

/** What is wrong with a file that is to be read, and what to do. */
export function faultOfFile(file: string): string | undefined {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? 'does not exist: give the file of the service, which it makes at its first start'
      : 'cannot be read by this user: run the command as the user of the service';
  }
  return statSync(file).isDirectory() ? 'is a folder: give the path of a file' : undefined;
}

export function requireFile(file: string): void {
  const fault = faultOfFile(file);
  if (fault !== undefined)
    throw new ConfigError([`NDS_DATABASE names ${showPath(file)}, which ${fault}`]);
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
