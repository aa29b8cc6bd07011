// A connection that only reads. It must not leave a file beside the database that the service's user cannot open.

import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { openImmutable, type ReadOnlyDatabase } from './immutable.ts';

const BUSY_TIMEOUT_MS = 250;

/**
 * A running or killed service has a WAL, whose pages belong to the log. Without a WAL the file is the whole log, and
 * SQLite reads it without making files beside it.
 */
export function openForReading(file: string): ReadOnlyDatabase {
  const wal = statSync(`${file}-wal`, { throwIfNoEntry: false });
  if (wal === undefined || wal.size === 0) return openImmutable(file);
  const options = { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS };
  const db = new Database(file, options);
  return { prepare: (sql) => db.prepare(sql), close: () => db.close() };
}
