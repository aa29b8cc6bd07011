// Brings the tables up to date from the plain SQL files that drizzle-kit writes. Unlike drizzle's own
// migrator it never skips one silently: what was applied must be the beginning of what this version knows.

import type Database from 'better-sqlite3';
import { type Migration, readMigrations } from '../../migrations.ts';
import { APPLIED_MIGRATIONS, type RowOf } from '../../rows.ts';
import { migrationMismatch, oldLayout } from '../errors.ts';
import { prepareRows, type Reading } from '../reading.ts';

type AppliedMigration = RowOf<typeof APPLIED_MIGRATIONS>;

/** The first migration of the layout that no released version had. */
const OLD_LAYOUT = '0000_log';

/** Throws the refusal if the file is not exactly of this version. Changes nothing. */
export function checkMigrations(db: Reading, file: string): void {
  const applied = findApplied(db);
  const known = readMigrations('sqlite');
  refuseMismatch(applied, { known, file });
  if (applied.length < known.length) {
    throw migrationMismatch(file, 'it was written by an older version; start the service once');
  }
}

/** One transaction: after a crash the tables are as before or as new. */
export function applyMigrations(db: Database.Database, file: string): void {
  const known = readMigrations('sqlite');
  // A migration that rebuilds a table would otherwise delete its children; no effect inside a transaction.
  db.pragma('foreign_keys = OFF');
  const run = db.transaction(() => {
    db.exec(
      `CREATE TABLE IF NOT EXISTS migrations
         (number INTEGER PRIMARY KEY, tag TEXT NOT NULL, hash TEXT NOT NULL) STRICT`,
    );
    const applied = findApplied(db);
    refuseMismatch(applied, { known, file });
    for (const migration of known.slice(applied.length)) apply(db, migration);
    const count = findApplied(db).length;
    if (count !== known.length) throw new Error(`${count} of ${known.length} migrations applied`);
  });
  run.immediate();
  db.pragma('foreign_keys = ON');
}

function findApplied(db: Reading): readonly AppliedMigration[] {
  return prepareRows(db, APPLIED_MIGRATIONS, 'ORDER BY number')();
}

function refuseMismatch(
  applied: readonly AppliedMigration[],
  { known, file }: { readonly known: readonly Migration[]; readonly file: string },
): void {
  if (applied[0]?.tag === OLD_LAYOUT) throw oldLayout(file);
  if (applied.length > known.length) {
    const counts = `it has ${applied.length} migrations and this version knows ${known.length}`;
    throw migrationMismatch(file, counts);
  }
  const changed = applied.find((migration, index) => migration.hash !== known[index]?.hash);
  if (changed === undefined) return;
  throw migrationMismatch(file, `its migration ${changed.tag} is not the one this version knows`);
}

function apply(db: Database.Database, { tag, sql, hash }: Migration): void {
  db.exec(sql);
  const orphans = db.prepare('PRAGMA foreign_key_check').all();
  if (orphans.length > 0) throw new Error(`migration ${tag} leaves ${orphans.length} orphans`);
  db.prepare('INSERT INTO migrations (tag, hash) VALUES (?, ?)').run(tag, hash);
}
