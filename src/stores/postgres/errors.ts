// What can be wrong with PostgreSQL: its SQLSTATE codes and the failures of a connection as the port's reasons, and the
// refusals at start, whose messages say what the operator must do.

import { StoreUnavailableError } from '../../core/ports/store.ts';
import { DatabaseRefusedError } from '../refused.ts';

export type Reason = StoreUnavailableError['reason'];

// https://www.postgresql.org/docs/current/errcodes-appendix.html; the first that fits counts.
const REASONS: readonly (readonly [prefix: string, reason: Reason])[] = [
  ['08', 'unreachable'],
  // Authentication, a missing database, too many connections, a server that starts or stops.
  ['28', 'unreachable'],
  ['3D000', 'unreachable'],
  ['53300', 'unreachable'],
  ['57P', 'unreachable'],
  ['53100', 'full'],
  // A timeout, a deadlock or a lock that others hold, no memory.
  ['57014', 'busy'],
  ['40', 'busy'],
  ['55P03', 'busy'],
  ['53', 'busy'],
  // A standby, or a database that was made read-only.
  ['25006', 'read_only'],
  ['XX001', 'corrupt'],
  ['XX002', 'corrupt'],
  ['58', 'io'],
];

/** Why PostgreSQL cannot take an operation; undefined if the operation itself is at fault. */
export function reasonOf(error: unknown): Reason | undefined {
  if (error instanceof StoreUnavailableError) return error.reason;
  if (!(error instanceof Error)) return undefined;
  const code = sqlStateOf(error);
  if (code !== undefined) return REASONS.find(([prefix]) => code.startsWith(prefix))?.[1];
  return isLost(error) ? 'unreachable' : undefined;
}

export function unavailable(error: unknown): unknown {
  const reason = reasonOf(error);
  return reason === undefined || error instanceof StoreUnavailableError
    ? error
    : new StoreUnavailableError(reason, { cause: error });
}

function sqlStateOf(error: Error): string | undefined {
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in error
    ? code
    : undefined;
}

/** Two transactions waited for each other, and PostgreSQL ended this one. */
export function isConflict(error: unknown): boolean {
  const cause = error instanceof StoreUnavailableError ? error.cause : error;
  return cause instanceof Error && sqlStateOf(cause)?.startsWith('40') === true;
}

/** Without an answer of the server: the socket failed, or the driver gave up waiting. */
function isLost(error: Error): boolean {
  return (
    'syscall' in error ||
    /^(Connection terminated|timeout exceeded|timeout expired|Query read timeout|Client has encountered|Client was closed|The server does not support SSL)/.test(
      error.message,
    ) ||
    ('code' in error && typeof error.code === 'string' && /^(E[A-Z]+|ERR_)/.test(error.code))
  );
}

/** The name of the database without the password. */
export function showAddress(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}${port === '' ? '' : `:${port}`}${pathname}`;
}

export function unknownKey(url: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'unknown_key',
    `the database ${showAddress(url)} was made with another secret. Set NDS_SECRET to the one that the other machines ` +
      'have, or, if the secret was replaced on purpose, put the old one in NDS_SECRET_PREVIOUS.',
  );
}

export function othersRun(url: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'database_in_use',
    `the database ${showAddress(url)} is not encrypted under the new NDS_SECRET while other machines run under the ` +
      'previous one. Stop nds on every machine, start one, and the others when it has said key_rotated.',
  );
}

export function damagedKeys(url: string, finding: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'corrupt_database',
    `the database ${showAddress(url)} cannot be used: ${finding}. Restore a backup, or name an empty database.`,
  );
}

export function olderTables(url: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'migration_mismatch',
    `the database ${showAddress(url)} was written by an older version: start the service once, which brings it up to date.`,
  );
}

export function migrationMismatch(url: string, finding: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'migration_mismatch',
    `the database ${showAddress(url)} does not fit this version: ${finding}. Start the version that wrote it or a ` +
      'newer one, or restore a backup that fits.',
  );
}

export function noTables(url: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'unusable_location',
    `the database ${showAddress(url)} has no log: no service has started on it. Set NDS_DATABASE to that of the service, or ` +
      'start it by `nds serve`.',
  );
}

export function unusable(url: string, error: Error): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'unusable_location',
    `NDS_DATABASE names ${showAddress(url)}, which cannot be used: ${error.message}. Check address, user, password and TLS, ` +
      'and that this user may create tables.',
    { cause: error },
  );
}

/** What the operator must do, if it is the database's fault. */
export function refusalOf(url: string, error: unknown): unknown {
  if (error instanceof DatabaseRefusedError || !(error instanceof Error)) return error;
  const cause = error instanceof StoreUnavailableError ? error.cause : error;
  return cause instanceof Error ? unusable(url, cause) : error;
}

export function notEmpty(url: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'database_in_use',
    `the database ${showAddress(url)} is not empty: a log is copied only into one that no service has started on. Name ` +
      'another, or drop this one and create it again.',
  );
}

export function copyChanged(url: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'database_in_use',
    `the database ${showAddress(url)} has a part of another log, or of this one before it was changed: a service wrote to ` +
      'it meanwhile, or the file was copied. Drop that database, create it again, and copy from the beginning.',
  );
}

export function copyIncomplete(url: string, finding: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'corrupt_database',
    `the copy in ${showAddress(url)} is not complete: ${finding}. \`nds check\` says whether the file is sound; then drop that ` +
      'database, create it again, and copy from the beginning.',
  );
}

export function copyUnfinished(url: string): DatabaseRefusedError {
  return new DatabaseRefusedError(
    'database_in_use',
    `a log is being copied into the database ${showAddress(url)}, or its copying was interrupted: run \`nds migrate-database\` ` +
      'again until it says that it is done.',
  );
}
