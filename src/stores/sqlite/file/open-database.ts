// Opens the file: settings of the connection, migrations, and a check of whether it can be read at all.

import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { DatabaseRefusedError } from '../../refused.ts';
import { corruptDatabase, reasonOf, unusableLocation } from '../errors.ts';
import { findDamage } from './file-check.ts';
import { applyMigrations, hasTables } from './migrations.ts';

const PAGE_BYTES = 4_096;
const CACHE_KIB = 32_768;
/** The WAL file shrinks back to this after a reader or a burst made it grow. */
const WAL_KEPT_BYTES = 16 * 1_024 * 1_024;

export interface ConnectionOptions {
  readonly file: string;
  /** How long SQLite waits for another process's lock before an attempt counts as failed. */
  readonly busyTimeoutMs: number;
  /** The file grows no further than this; writes that do not fit are refused as `full`. */
  readonly maxFileBytes?: number | undefined;
}

/** A connection that writes. The file exists, and may be empty. */
export function openWriting(options: ConnectionOptions): Database.Database {
  const { file } = options;
  const endedUncleanly = sizeOf(`${file}-wal`) > 0;
  const db = new Database(file, { timeout: options.busyTimeoutMs, fileMustExist: true });
  try {
    // Before anything is written to what may be another program's.
    hasTables(db, file);
    setUp(db, options);
    // A crash is no reason to suspect a file, since the WAL's frames have checksums; checking a small file costs
    // little.
    const damage = endedUncleanly ? findDamage(file) : undefined;
    if (damage !== undefined) throw corruptDatabase(file, `a check found "${damage}"`);
    applyMigrations(db, file);
    return db;
  } catch (error) {
    db.close();
    throw refusalOf(file, error);
  }
}

/** What the operator must do, if it is the file's fault. */
export function refusalOf(file: string, error: unknown): unknown {
  if (error instanceof DatabaseRefusedError) return error;
  switch (reasonOf(error)) {
    case 'corrupt':
      return corruptDatabase(file, 'it is damaged or no database', { cause: error });
    case 'read_only':
      return unusableLocation(file, 'which cannot be written (it is read-only)', { cause: error });
    case 'full':
      return unusableLocation(file, 'which cannot be set up: the disk is full', { cause: error });
    default:
      return error;
  }
}

/** Of the library that this process uses, which is not the one inside Node. */
export function readSqliteVersion(): string {
  const db = new Database(':memory:');
  try {
    return String(db.prepare('SELECT sqlite_version()').pluck().get());
  } finally {
    db.close();
  }
}

/** A connection for queries beside the writer. The file exists and is migrated. */
export function openReading({ file, busyTimeoutMs }: ConnectionOptions): Database.Database {
  const db = new Database(file, { timeout: busyTimeoutMs, fileMustExist: true, readonly: true });
  db.pragma(`cache_size = -${CACHE_KIB}`);
  db.pragma('temp_store = MEMORY');
  return db;
}

function setUp(db: Database.Database, { maxFileBytes }: ConnectionOptions): void {
  db.pragma('journal_mode = WAL');
  // The library's build lowers it to NORMAL for WAL, which may lose the last commits at a power failure.
  db.pragma('synchronous = FULL');
  db.pragma('fullfsync = ON');
  db.pragma('checkpoint_fullfsync = ON');
  // The writer makes its checkpoints itself, after it has answered.
  db.pragma('wal_autocheckpoint = 0');
  db.pragma(`journal_size_limit = ${WAL_KEPT_BYTES}`);
  // Deleted content is overwritten, so that it does not stay in free pages, even sealed.
  db.pragma('secure_delete = ON');
  db.pragma('cell_size_check = ON');
  db.pragma('trusted_schema = OFF');
  db.pragma('temp_store = MEMORY');
  db.pragma(`cache_size = -${CACHE_KIB}`);
  if (maxFileBytes !== undefined) {
    db.pragma(`max_page_count = ${Math.max(1, Math.floor(maxFileBytes / PAGE_BYTES))}`);
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
