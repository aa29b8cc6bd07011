// Opens the file: settings of the connection, migrations, and a look whether it can be read at all.

import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { corruptDatabase, isRefusal, reasonOf } from './errors.ts';
import { applyMigrations } from './migrations.ts';

const PAGE_BYTES = 4_096;
const CACHE_KIB = 32_768;
/** The WAL file shrinks back to this after a reader or a burst made it grow. */
const WAL_KEPT_BYTES = 16 * 1_024 * 1_024;
/** Pages in the WAL after which a commit copies them into the file, without waiting for readers. */
const CHECKPOINT_PAGES = 1_000;
/** After an unclean end, files up to this size are checked page by page; it takes well under a second. */
const MAX_CHECKED_BYTES = 128 * 1_024 * 1_024;

export interface ConnectionOptions {
  readonly file: string;
  /** How long SQLite waits for another process's lock before an attempt counts as failed. */
  readonly busyTimeoutMs: number;
  /** The file grows no further; what does not fit is refused as `full`. */
  readonly maxFileBytes?: number;
}

/** A connection that writes. Makes the file, readable by its owner alone, if `create` and there is none. */
export function openWriting(options: ConnectionOptions, create: boolean): Database.Database {
  const { file } = options;
  if (create) {
    mkdirSync(dirname(file), { recursive: true });
    // SQLite gives the files beside it the same permissions.
    closeSync(openSync(file, 'a', 0o600));
  }
  const endedUncleanly = sizeOf(`${file}-wal`) > 0;
  const db = new Database(file, { timeout: options.busyTimeoutMs, fileMustExist: true });
  try {
    setUp(db, options);
    if (endedUncleanly && sizeOf(file) <= MAX_CHECKED_BYTES) checkPages(db, file);
    applyMigrations(db, file);
    return db;
  } catch (error) {
    db.close();
    if (!isRefusal(error) && reasonOf(error) === 'corrupt') {
      throw corruptDatabase(file, 'it is damaged or no database', { cause: error });
    }
    throw error;
  }
}

/** A connection for queries beside the writer. The file exists and is migrated. */
export function openReading(options: ConnectionOptions): Database.Database {
  const db = new Database(options.file, {
    timeout: options.busyTimeoutMs,
    fileMustExist: true,
    readonly: true,
  });
  db.pragma(`cache_size = -${CACHE_KIB}`);
  db.pragma('temp_store = MEMORY');
  return db;
}

function setUp(db: Database.Database, { maxFileBytes }: ConnectionOptions): void {
  db.pragma('journal_mode = WAL');
  // The library's build lowers it to NORMAL for WAL, which may lose the last commits with the power.
  db.pragma('synchronous = FULL');
  db.pragma('fullfsync = ON');
  db.pragma('checkpoint_fullfsync = ON');
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma(`journal_size_limit = ${WAL_KEPT_BYTES}`);
  // What is deleted is overwritten, so that erased secrets do not stay in free pages, sealed though they are.
  db.pragma('secure_delete = ON');
  db.pragma('cell_size_check = ON');
  db.pragma('trusted_schema = OFF');
  db.pragma('temp_store = MEMORY');
  db.pragma(`cache_size = -${CACHE_KIB}`);
  if (maxFileBytes !== undefined) {
    db.pragma(`max_page_count = ${Math.max(1, Math.floor(maxFileBytes / PAGE_BYTES))}`);
  }
}

/**
 * A page-by-page check of a big file would delay the start by seconds, and a crash is no reason to doubt
 * one: the WAL's frames carry checksums. It is done where it costs little, after an unclean end.
 */
function checkPages(db: Database.Database, file: string): void {
  const finding = db.pragma('quick_check(1)', { simple: true });
  if (finding !== 'ok') throw corruptDatabase(file, `a check found "${String(finding)}"`);
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
