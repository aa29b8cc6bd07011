// Brings the tables up to date, in one transaction under a lock that all machines take: the first one that starts does
// it, and the others find it done. Tables may be newer than this version: ../migrations.ts says how far.

import { faultOfTables, type Migration, readMigrations, SCHEMA } from '../migrations.ts';
import { APPLIED_MIGRATIONS } from '../rows.ts';
import type { Database, Run } from './database.ts';
import { migrationMismatch, noTables, olderTables } from './errors.ts';
import { select } from './statements.ts';

/** Any number that no other program uses: `nds` in ASCII. */
const LOCK = 0x6e6473;
/** For another machine's migration, and for one that builds an index over a long log. */
const MIGRATION_MS = 120_000;

/** Rejects with a `DatabaseRefusedError` if the database is not one of this version, an older or a near newer one. */
export async function applyMigrations(database: Database, url: string): Promise<void> {
  const known = readMigrations('postgres');
  await database.transaction(
    async (run) => {
      await run(`SELECT pg_advisory_xact_lock(${LOCK})`);
      await run(
        'CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, tag text NOT NULL, hash text NOT NULL)',
      );
      const applied = await select(run, APPLIED_MIGRATIONS, 'ORDER BY number');
      refuse(known, { applied, minReader: 0 }, url);
      for (const [index, migration] of known.entries()) {
        if (index >= applied.length) await apply(run, migration, index + 1);
      }
      const [schema] = await select(run, SCHEMA, '');
      refuse(known, { applied, minReader: schema?.min_reader ?? 0 }, url);
    },
    { statementMs: MIGRATION_MS },
  );
}

/** Rejects with a `DatabaseRefusedError` if this version cannot read the database. Changes nothing. */
export async function checkMigrations(run: Run, url: string): Promise<void> {
  const known = readMigrations('postgres');
  const { rows } = await run(`SELECT FROM pg_class WHERE oid = to_regclass('migrations')`);
  if (rows.length === 0) throw noTables(url);
  const applied = await select(run, APPLIED_MIGRATIONS, 'ORDER BY number');
  if (applied.length < known.length) {
    throw olderTables(url);
  }
  const [schema] = await select(run, SCHEMA, '');
  refuse(known, { applied, minReader: schema?.min_reader ?? 0 }, url);
}

async function apply(run: Run, { tag, sql, hash }: Migration, number: number): Promise<void> {
  await run(sql);
  const values = [number, tag, hash];
  await run('INSERT INTO migrations (number, tag, hash) VALUES ($1, $2, $3)', values);
}

function refuse(
  known: readonly Migration[],
  tables: Parameters<typeof faultOfTables>[1],
  url: string,
): void {
  const fault = faultOfTables(known, tables);
  if (fault !== undefined) throw migrationMismatch(url, fault);
}
