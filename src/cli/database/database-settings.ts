// Which database a command works on, and the keys of a file. Faults in other settings must not prevent a restore.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
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

/** For a command that works on a file. For a PostgreSQL it throws a `ConfigError` that names what to do `instead`. */
export function readDatabaseSettings(environment: Environment, instead: string): DatabaseSettings {
  const found = readDatabase(environment);
  if ('file' in found) return found;
  throw new ConfigError([
    `NDS_DATABASE names a PostgreSQL, and this command works on an SQLite file: ${instead}`,
  ]);
}

/** Makes no secret: if the right one is missing, opening the database reports it. */
export function keysOf(settings: DatabaseSettings): Secrets {
  const { file, configuredSecret, previousSecrets } = settings;
  return findSecrets({
    configured: configuredSecret,
    previous: previousSecrets,
    databaseFile: file,
  });
}

/** Why a file that is to be read cannot be read, and what to do. */
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
  if (fault === undefined) return;
  const more = existsSync(file) ? '' : '; if it was there before, `nds doctor` says more';
  throw new ConfigError([`NDS_DATABASE names ${showPath(file)}, which ${fault}${more}`]);
}

/**
 * The service could not open files that another user made beside the database, such as its lock and its WAL. This
 * includes root.
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

/** The message says which user is right. */
export class WrongUserError extends Error {
  override readonly name = 'WrongUserError';
}
