// One process owns a database: it holds an exclusive lock on a small database of its own beside it, `<file>.owner`,
// which the kernel releases however the process ends. `<file>.owner.json` says who and since when; its time of change is
// the last sign of life of that process.

import { readFileSync, realpathSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { StoreUnavailableError } from '../../../core/ports/store.ts';
import { DatabaseRefusedError } from '../../refused.ts';
import { reasonOf, unusableLocation } from '../errors.ts';

export interface Owner {
  readonly pid: number;
  /** ISO 8601. */
  readonly since: string;
}

export interface OwnerLock {
  /**
   * Takes the lock again if its file was removed, for example in a clean-up. Throws a `StoreUnavailableError`
   * (`locked`) while another process has it.
   */
  keep(): void;
  /** The process is alive at this wall time. */
  noteAlive(unixMs: number): void;
  /** When the previous process was last alive; absent if it ended cleanly. */
  readonly aliveUntilMs: number | undefined;
  release(): void;
}

/**
 * Held until `release` or the end of the process. The file exists. Throws a `DatabaseRefusedError` if another process
 * holds it, under any path of the file.
 */
export function takeOwnership(path: string, owner: Owner): OwnerLock {
  // SQLite also follows links for the files that it puts beside the database.
  const file = realpathSync(path);
  const description = descriptionOf(file);
  const aliveUntilMs = findSignOfLife(file);
  let held = take();
  let wasAlive = false;

  function take() {
    const db = lock(file, description);
    try {
      writeFileSync(description, `${JSON.stringify(owner)}\n`, { mode: 0o600 });
    } catch {
      // The disk is full: the lock itself needs no space; only the message of a refusal has less detail.
    }
    return { db, inode: inodeOf(`${file}.owner`) };
  }

  return {
    aliveUntilMs,
    noteAlive(unixMs) {
      wasAlive = true;
      setTime(description, unixMs);
    },
    keep() {
      if (held.db.open && inodeOf(`${file}.owner`) === held.inode) return;
      held.db.close();
      try {
        held = take();
      } catch (cause) {
        throw new StoreUnavailableError('locked', { cause });
      }
    },
    release() {
      // A command that runs between a crash and the next start keeps the service's last sign of life.
      if (held.db.open && aliveUntilMs !== undefined && !wasAlive)
        setTime(description, aliveUntilMs);
      else if (held.db.open) rmSync(description, { force: true });
      held.db.close();
    },
  };
}

/** When the process that has the file was alive last, wall time; absent if it ended in order, or the file is a copy. */
export function findSignOfLife(path: string): number | undefined {
  return statSync(descriptionOf(realpathSync(path)), { throwIfNoEntry: false })?.mtimeMs;
}

function descriptionOf(file: string): string {
  return `${file}.owner.json`;
}

function setTime(file: string, unixMs: number): void {
  try {
    utimesSync(file, unixMs / 1_000, unixMs / 1_000);
  } catch {
    // The file was removed: after a crash, the gap counts from the last delivery.
  }
}

function inodeOf(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.ino;
}

function lock(file: string, description: string): Database.Database {
  let db: Database.Database | undefined;
  try {
    db = new Database(`${file}.owner`, { timeout: 0 });
    // Not WAL mode, whose locks admit readers and writers side by side; and no journal on the disk, which may be full.
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db?.close();
    if (reasonOf(error) === 'locked') throw inUse(file, description);
    throw unusableLocation(
      file,
      `but the lock on ${file}.owner cannot be taken (${String(error)}), which keeps a second process away: ` +
        'the folder must be writable and on a disk of this machine (network folders have no such locks)',
      { cause: error },
    );
  }
}

function inUse(file: string, description: string): DatabaseRefusedError {
  const owner = readOwner(description);
  const holder =
    owner === undefined ? 'another process' : `the process ${owner.pid} since ${owner.since}`;
  return new DatabaseRefusedError(
    'database_in_use',
    `the database ${file} is in use by ${holder}. Stop that process first, or set NDS_DATABASE to another file.`,
  );
}

/** Undefined if it is missing or incomplete. */
function readOwner(description: string): Owner | undefined {
  try {
    const { pid, since }: Partial<Owner> = JSON.parse(readFileSync(description, 'utf8'));
    return typeof pid === 'number' && typeof since === 'string' ? { pid, since } : undefined;
  } catch {
    return undefined;
  }
}
