// Whether the open file and its WAL are still the ones at their paths, and still sound. SQLite writes to a deleted or
// moved file without an error, and those writes are lost when the process ends.

import { type BigIntStats, closeSync, openSync, readSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { StoreUnavailableError } from '../../../core/ports/store.ts';
import { reasonOf } from '../errors.ts';

/** Files up to this size are checked page by page; it takes well under a second. */
const MAX_CHECKED_BYTES = 128 * 1_024 * 1_024;
const WAL_MAGIC = 0x377f0682;
const WAL_MAGIC_BYTES = 4;

export class FileCheck {
  readonly #file: string;
  readonly #opened: BigIntStats;
  #size: bigint;
  #writtenNs: bigint;
  #finding: string | undefined;
  /** As it was seen last; undefined until there is one. */
  #wal: BigIntStats | undefined;

  /** The file is open and sound. */
  constructor(file: string) {
    this.#file = file;
    this.#opened = statSync(file, { bigint: true });
    this.#size = this.#opened.size;
    this.#writtenNs = this.#opened.mtimeNs;
    this.changeOfWal();
  }

  /** Call it after each write to the file itself: with a WAL, these are the checkpoints alone. */
  written(): void {
    const found = statSync(this.#file, { bigint: true, throwIfNoEntry: false });
    if (found === undefined || found.ino !== this.#opened.ino) return;
    this.#size = found.size;
    this.#writtenNs = found.mtimeNs;
  }

  /**
   * Throws `StoreUnavailableError` (`moved`, `corrupt`). Costs one look into the folder, unless another process wrote
   * to the file: then its pages are read.
   */
  check(): void {
    const found = statSync(this.#file, { bigint: true, throwIfNoEntry: false });
    if (found === undefined) throw moved(`${this.#file} was deleted or moved`);
    if (!isSame(found, this.#opened)) {
      throw moved(`another file is at ${this.#file}`);
    }
    if (found.size < this.#size) throw corrupt(`${this.#file} was truncated`);
    if (found.mtimeNs !== this.#writtenNs) {
      this.#writtenNs = found.mtimeNs;
      this.#finding = findDamage(this.#file);
    }
    if (this.#finding !== undefined) throw corrupt(this.#finding);
  }

  /** SQLite goes on with the WAL that it has open, whatever is at its path and whatever was cut off. */
  changeOfWal(): 'gone' | 'emptied' | undefined {
    const found = statSync(`${this.#file}-wal`, { bigint: true, throwIfNoEntry: false });
    const before = this.#wal;
    if (before === undefined) {
      this.#wal = found;
      return undefined;
    }
    if (found === undefined || !isSame(found, before)) return 'gone';
    this.#wal = found;
    return found.size === 0n && before.size > 0n ? 'emptied' : undefined;
  }

  /**
   * Throws `StoreUnavailableError` (`corrupt`) if the WAL was emptied and written to since: it begins with zeros, which a
   * checkpoint would copy into the file. Three system calls.
   */
  checkWalHeader(): void {
    if (this.#wal === undefined || this.#wal.size === 0n) return;
    const header = Buffer.alloc(WAL_MAGIC_BYTES);
    const descriptor = openSync(`${this.#file}-wal`, 'r');
    try {
      if (readSync(descriptor, header) === 0) return;
    } finally {
      closeSync(descriptor);
    }
    // The last bit tells the order of bytes in its checksums (https://sqlite.org/fileformat2.html#walformat).
    if (header.readUInt32BE() >>> 1 !== WAL_MAGIC >>> 1) {
      throw this.condemn(`${this.#file}-wal was emptied`);
    }
  }

  /** What is lost does not come back: every later check throws the same. */
  condemn(finding: string): StoreUnavailableError {
    this.#finding = finding;
    return corrupt(finding);
  }
}

function isSame(found: BigIntStats, opened: BigIntStats): boolean {
  return found.ino === opened.ino && found.dev === opened.dev;
}

/** What is wrong with a file that others may have open. Only the pages in use of a big file are read. */
export function findDamage(file: string): string | undefined {
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { readonly: true, fileMustExist: true });
    if (statSync(file).size <= MAX_CHECKED_BYTES) {
      const finding = db.pragma('quick_check(1)', { simple: true });
      return finding === 'ok' ? undefined : String(finding);
    }
    db.exec('SELECT count(sealed) FROM queue; SELECT max(id), max(received_at_ms) FROM deliveries');
    return undefined;
  } catch (error) {
    return reasonOf(error) === 'corrupt' ? String(error) : undefined;
  } finally {
    db?.close();
  }
}

export function moved(finding: string): StoreUnavailableError {
  return new StoreUnavailableError('moved', { cause: new Error(finding) });
}

function corrupt(finding: string): StoreUnavailableError {
  return new StoreUnavailableError('corrupt', { cause: new Error(finding) });
}
