// What can be wrong with a database: SQLite's codes as the port's reasons, and the refusals at open, whose
// messages tell the operator what to do.

import { StoreUnavailableError } from '../../core/ports/store.ts';

export type Reason = StoreUnavailableError['reason'];

// Primary result codes (https://sqlite.org/rescode.html); extended codes carry them as a prefix.
const REASONS: readonly (readonly [prefix: string, reason: Reason])[] = [
  ['SQLITE_BUSY', 'locked'],
  ['SQLITE_LOCKED', 'locked'],
  ['SQLITE_PROTOCOL', 'locked'],
  ['SQLITE_FULL', 'full'],
  ['SQLITE_READONLY', 'read_only'],
  ['SQLITE_PERM', 'read_only'],
  ['SQLITE_CORRUPT', 'corrupt'],
  ['SQLITE_NOTADB', 'corrupt'],
  ['SQLITE_IOERR', 'io'],
  ['SQLITE_CANTOPEN', 'io'],
  ['SQLITE_NOMEM', 'io'],
];

/** Why the database cannot take an operation; nothing if the operation itself is at fault. */
export function reasonOf(error: unknown): Reason | undefined {
  if (error instanceof StoreUnavailableError) return error.reason;
  if (isRefusal(error)) return 'corrupt';
  const code = sqliteCodeOf(error);
  return code === undefined
    ? undefined
    : REASONS.find(([prefix]) => code === prefix || code.startsWith(`${prefix}_`))?.[1];
}

/** Errors that at open are worth more than a reason; later they mean that the file was exchanged. */
export function isRefusal(error: unknown): error is Error {
  return (
    error instanceof UnknownKeyError ||
    error instanceof CorruptDatabaseError ||
    error instanceof MigrationMismatchError
  );
}

/** Not by class, so that the main thread need not load the native library. */
function sqliteCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' && error.code.startsWith('SQLITE_')
    ? error.code
    : undefined;
}

/** The database was written under an encryption key that the configuration does not name. */
export class UnknownKeyError extends Error {
  override readonly name = 'UnknownKeyError';
}

/** The file is no database of ours or is damaged. */
export class CorruptDatabaseError extends Error {
  override readonly name = 'CorruptDatabaseError';
}

/** The file was written by another version, or its migrations were changed. */
export class MigrationMismatchError extends Error {
  override readonly name = 'MigrationMismatchError';
}

export function unknownKey(file: string): UnknownKeyError {
  return new UnknownKeyError(
    `the database ${file} was made with another secret. Set NDS_SECRET to the one it was made with, ` +
      'or, if the secret was replaced on purpose, put the old one in NDS_SECRET_PREVIOUS; ' +
      'or restore the database that belongs to this secret.',
  );
}

export function corruptDatabase(
  file: string,
  finding: string,
  options?: ErrorOptions,
): CorruptDatabaseError {
  return new CorruptDatabaseError(
    `the database ${file} cannot be used: ${finding}. Move it aside together with ${file}-wal and ` +
      `${file}-shm, then restore a backup in its place, or start without one: an empty log is made.`,
    options,
  );
}

export function migrationMismatch(file: string, finding: string): MigrationMismatchError {
  return new MigrationMismatchError(
    `the database ${file} does not fit this version: ${finding}. Start the version that wrote it or a ` +
      'newer one, or restore a backup that fits.',
  );
}
