// Brings the tables up to date from the plain SQL files that drizzle-kit writes. Unlike drizzle's own
// migrator it skips nothing in silence: what is in the file must be the beginning of what this version knows.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { migrationMismatch } from './errors.ts';

const FOLDER = new URL('../../../drizzle/sqlite/', import.meta.url);

interface Migration {
  readonly tag: string;
  readonly sql: string;
  readonly hash: string;
}

interface AppliedMigration {
  readonly tag: string;
  readonly hash: string;
}

/** One transaction: after a crash the tables are as before or as new. */
export function applyMigrations(db: Database.Database, file: string): void {
  const known = readMigrations();
  // A migration that rebuilds a table would otherwise delete its children; no effect inside a transaction.
  db.pragma('foreign_keys = OFF');
  const run = db.transaction(() => {
    db.exec(
      `CREATE TABLE IF NOT EXISTS migrations
         (number INTEGER PRIMARY KEY, tag TEXT NOT NULL, hash TEXT NOT NULL) STRICT`,
    );
    const applied = findApplied(db);
    const mismatch = compare(applied, known);
    if (mismatch !== undefined) throw migrationMismatch(file, mismatch);
    for (const migration of known.slice(applied.length)) apply(db, migration);
    const count = findApplied(db).length;
    if (count !== known.length) throw new Error(`${count} of ${known.length} migrations applied`);
  });
  run.immediate();
  db.pragma('foreign_keys = ON');
}

function readMigrations(): readonly Migration[] {
  const journal: { readonly entries: readonly { readonly tag: string }[] } = JSON.parse(
    readFileSync(new URL('meta/_journal.json', FOLDER), 'utf8'),
  );
  return journal.entries.map(({ tag }) => {
    const sql = readFileSync(new URL(`${tag}.sql`, FOLDER), 'utf8');
    return { tag, sql, hash: createHash('sha256').update(sql).digest('hex') };
  });
}

function findApplied(db: Database.Database): readonly AppliedMigration[] {
  return db.prepare<[], AppliedMigration>('SELECT tag, hash FROM migrations ORDER BY number').all();
}

/** What keeps the two from fitting together; nothing if `known` continues `applied`. */
function compare(
  applied: readonly AppliedMigration[],
  known: readonly Migration[],
): string | undefined {
  if (applied.length > known.length) {
    return `it has ${applied.length} migrations and this version knows ${known.length}`;
  }
  const changed = applied.find((migration, index) => migration.hash !== known[index]?.hash);
  return changed && `its migration ${changed.tag} is not the one this version knows`;
}

function apply(db: Database.Database, { tag, sql, hash }: Migration): void {
  db.exec(sql);
  const orphans = db.prepare('PRAGMA foreign_key_check').all();
  if (orphans.length > 0) throw new Error(`migration ${tag} leaves ${orphans.length} orphans`);
  db.prepare('INSERT INTO migrations (tag, hash) VALUES (?, ?)').run(tag, hash);
}
