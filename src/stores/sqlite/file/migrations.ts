// Brings the tables up to date from the plain SQL files that drizzle-kit writes. Unlike drizzle's own
// migrator it never skips one silently: the applied migrations must be the beginning of those that this version knows,
// or continue them.

import type Database from 'better-sqlite3';
import { faultOfTables, type Migration, readMigrations, SCHEMA } from '../../migrations.ts';
import { APPLIED_MIGRATIONS, type RowOf } from '../../rows.ts';
import {
  emptyDatabase,
  foreignDatabase,
  migrationMismatch,
  olderTables,
  oldLayout,
} from '../errors.ts';
import { prepareRows, type Reading } from '../reading.ts';

type AppliedMigration = RowOf<typeof APPLIED_MIGRATIONS>;

/** Litestream keeps tables of its own in a file, whose names begin with `_`. */
const TABLES = {
  columns: { ours: 'integer', all: 'integer' },
  sql: `SELECT
      (SELECT count(*) FROM pragma_table_info('migrations') WHERE name = 'hash') AS ours,
      (SELECT count(*) FROM sqlite_schema WHERE type = 'table'
        AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_*') AS "all"`,
} as const;

/** Whether it has tables of ours. Throws the refusal if it has others only: a migration would write among them. */
export function hasTables(db: Reading, file: string): boolean {
  const [{ ours, all } = { ours: 0, all: 0 }] = prepareRows(db, TABLES, '')();
  if (ours === 0 && all > 0) throw foreignDatabase(file);
  return ours > 0;
}

/** Throws the refusal if this version cannot read the file. Changes nothing. */
export function checkMigrations(db: Reading, file: string): void {
  if (!hasTables(db, file)) throw emptyDatabase(file);
  const known = readMigrations('sqlite');
  if (refuseMismatch(db, { known, file }) < known.length) {
    throw olderTables(file);
  }
}

/** The same, and newer tables are refused, because columns that this version does not know would be lost in a copy. */
export function checkSameMigrations(db: Reading, file: string): void {
  checkMigrations(db, file);
  const [applied, known] = [findApplied(db).length, readMigrations('sqlite').length];
  if (applied === known) return;
  throw migrationMismatch(file, `it has ${applied} migrations and this version knows ${known}`);
}

/** One transaction: after a crash the tables are either the old or the new ones. */
export function applyMigrations(db: Database.Database, file: string): void {
  const known = readMigrations('sqlite');
  // Otherwise a migration that rebuilds a table would delete its children. Has no effect inside a transaction.
  db.pragma('foreign_keys = OFF');
  const run = db.transaction(() => {
    db.exec(
      `CREATE TABLE IF NOT EXISTS migrations
         (number INTEGER PRIMARY KEY, tag TEXT NOT NULL, hash TEXT NOT NULL) STRICT`,
    );
    const count = refuseMismatch(db, { known, file });
    for (const migration of known.slice(count)) apply(db, migration);
  });
  run.immediate();
  db.pragma('foreign_keys = ON');
}

function findApplied(db: Reading): readonly AppliedMigration[] {
  return prepareRows(db, APPLIED_MIGRATIONS, 'ORDER BY number')();
}

/** Returns how many are applied. */
function refuseMismatch(
  db: Reading,
  { known, file }: { readonly known: readonly Migration[]; readonly file: string },
): number {
  const applied = findApplied(db);
  const [first] = applied;
  // Every released version began with the same migration.
  if (first !== undefined && first.tag !== known[0]?.tag) throw oldLayout(file);
  const [schema] = first === undefined ? [] : prepareRows(db, SCHEMA, '')();
  const fault = faultOfTables(known, { applied, minReader: schema?.min_reader ?? 0 });
  if (fault !== undefined) throw migrationMismatch(file, fault);
  return applied.length;
}

function apply(db: Database.Database, { tag, sql, hash }: Migration): void {
  db.exec(sql);
  const orphans = db.prepare('PRAGMA foreign_key_check').all();
  if (orphans.length > 0) throw new Error(`migration ${tag} leaves ${orphans.length} orphans`);
  db.prepare('INSERT INTO migrations (tag, hash) VALUES (?, ?)').run(tag, hash);
}
