// Opens a file read-only without the files that SQLite normally needs beside it: for a folder that cannot be written,
// and for a full disk. Uses Node's own SQLite, since better-sqlite3 takes no URI.

import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { Values } from '../reading.ts';

/** SQLite cannot open a WAL database without 32 KiB for its shared memory. */
const LEAST_FREE_BYTES = 65_536;

/** The methods that are used here, as better-sqlite3 has them. */
export interface ReadOnlyDatabase {
  prepare(sql: string): { all(values: Values): unknown[]; run(values: Values): unknown };
  close(): void;
}

/** The caller has checked that there is no WAL, whose pages would be missing. */
export function openImmutable(file: string): ReadOnlyDatabase {
  const uri = pathToFileURL(file);
  uri.searchParams.set('immutable', '1');
  const db = new DatabaseSync(uri, { readOnly: true });
  return {
    prepare: (sql) => {
      const statement = db.prepare(sql);
      // Some conditions name fewer parameters than a query has.
      statement.setAllowUnknownNamedParameters(true);
      return statement;
    },
    close: () => db.close(),
  };
}

export function isDiskFull(file: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(file));
    return bavail * bsize < LEAST_FREE_BYTES;
  } catch {
    // The folder is gone, which is reported elsewhere.
    return false;
  }
}
