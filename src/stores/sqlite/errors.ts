// What can be wrong with a database: SQLite's codes as the port's reasons, the refusals at open, whose messages say
// what the operator must do, and both as they cross between the threads (the structured clone keeps no classes).

import { StoreUnavailableError } from '../../core/ports/store.ts';
import { type DatabaseRefusal, DatabaseRefusedError } from '../refused.ts';

export type Reason = StoreUnavailableError['reason'];

// Primary result codes (https://sqlite.org/rescode.html); extended codes carry them as a prefix.
const REASONS: readonly (readonly [prefix: string, reason: Reason])[] = [
  ['SQLITE_BUSY', 'locked'],
  ['SQLITE_LOCKED', 'locked'],
  ['SQLITE_PROTOCOL', 'locked'],
  ['SQLITE_FULL', 'full'],
  ['SQLITE_READONLY_DBMOVED', 'moved'],
  ['SQLITE_READONLY', 'read_only'],
  ['SQLITE_PERM', 'read_only'],
  ['SQLITE_CORRUPT', 'corrupt'],
  ['SQLITE_NOTADB', 'corrupt'],
  ['SQLITE_IOERR', 'io'],
  ['SQLITE_CANTOPEN', 'io'],
  ['SQLITE_NOMEM', 'io'],
];

/** Why the database cannot take an operation; undefined if the operation itself is at fault. */
export function reasonOf(error: unknown): Reason | undefined {
  if (error instanceof StoreUnavailableError) return error.reason;
  // Found after the start: the file was replaced.
  if (error instanceof DatabaseRefusedError) return 'corrupt';
  const code = sqliteCodeOf(error);
  return code === undefined
    ? undefined
    : REASONS.find(([prefix]) => code === prefix || code.startsWith(`${prefix}_`))?.[1];
}

/** Primary codes, as node:sqlite reports them. */
const NODE_REASONS: ReadonlyMap<unknown, Reason> = new Map<unknown, Reason>([
  [5, 'locked'],
  [6, 'locked'],
  [8, 'read_only'],
  [10, 'io'],
  [11, 'corrupt'],
  [14, 'io'],
  [26, 'corrupt'],
]);

/** The same for an error that Node's own SQLite threw. */
export function nodeReasonOf(error: unknown): Reason | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return NODE_REASONS.get(typeof error.errcode === 'number' ? error.errcode & 0xff : undefined);
}

/** Not by class, so that the main thread does not have to load the native library. */
function sqliteCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' && error.code.startsWith('SQLITE_')
    ? error.code
    : undefined;
}

export function unknownKey(file: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'unknown_key',
    `the database ${file} was made with another secret. Set NDS_SECRET to the one it was made with, ` +
      'or, if the secret was replaced on purpose, put the old one in NDS_SECRET_PREVIOUS; ' +
      'or restore the database that belongs to this secret.',
  );
}

export function corruptDatabase(
  file: string,
  finding: string,
  options?: ErrorOptions,
): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'corrupt_database',
    `the database ${file} cannot be used: ${finding}. Move it aside together with ${file}-wal and ` +
      `${file}-shm, then restore a backup in its place, or start without one: an empty log is made.`,
    options,
  );
}

export function foreignDatabase(file: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'corrupt_database',
    `the database ${file} has the tables of another program, and was left as it is. Name another file.`,
  );
}

export function emptyDatabase(file: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'corrupt_database',
    `the database ${file} is empty. Name the file of the service, or start the service once.`,
  );
}

export function olderTables(file: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'migration_mismatch',
    `the database ${file} was written by an older version: start the service once, which brings it up to date.`,
  );
}

/** What to do about a file that is damaged or no database; any other error as it is. */
export function damageOr(error: unknown, file: string): unknown {
  if (error instanceof DatabaseRefusedError) return error;
  if ((reasonOf(error) ?? nodeReasonOf(error)) !== 'corrupt') return error;
  return corruptDatabase(file, 'it is damaged or no database', { cause: error });
}

export function migrationMismatch(file: string, finding: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'migration_mismatch',
    `the database ${file} does not fit this version: ${finding}. Start the version that wrote it or a ` +
      'newer one, or restore a backup that fits.',
  );
}

export function oldLayout(file: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'migration_mismatch',
    `the database ${file} has the layout of a development version, which this version cannot read: move it aside ` +
      `together with ${file}-wal and ${file}-shm, and the next start makes an empty one.`,
  );
}

export function unusableLocation(
  file: string,
  finding: string,
  options?: ErrorOptions,
): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'unusable_location',
    `NDS_DATABASE names ${file}, ${finding}.`,
    options,
  );
}

/** An error as it crosses to the other thread. */
export type Failure =
  | { readonly kind: 'unavailable'; readonly reason: Reason; readonly message: string }
  | {
      readonly kind: 'refused';
      readonly refusal: DatabaseRefusal;
      readonly message: string;
    }
  | { readonly kind: 'fault'; readonly name: string; readonly message: string };

/** Why an operation failed. */
export function failureOf(error: unknown): Failure {
  const reason = reasonOf(error);
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return reason === undefined
    ? { kind: 'fault', name, message }
    : { kind: 'unavailable', reason, message };
}

/** Why a database was not opened. */
export function openFailureOf(error: unknown): Failure {
  return error instanceof DatabaseRefusedError
    ? { kind: 'refused', refusal: error.kind, message: error.message }
    : failureOf(error);
}

export function errorOf(failure: Failure): Error {
  switch (failure.kind) {
    case 'unavailable':
      return new StoreUnavailableError(failure.reason, { cause: new Error(failure.message) });
    case 'refused':
      return new DatabaseRefusedError(failure.refusal, failure.message);
    case 'fault': {
      const error = new Error(failure.message);
      error.name = failure.name;
      return error;
    }
  }
}
