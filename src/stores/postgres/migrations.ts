// Brings the tables up to date, in one transaction under a lock that all machines ask for: the first one that starts does
// it, and the others find it done. Tables may be newer than this version, so that machines of two releases run side by side
// during a deploy: `schema.min_reader` says from how many known migrations on a release may use them.

import { type Migration, readMigrations } from '../migrations.ts';
import type { Database, Run } from './database.ts';
import { migrationMismatch } from './errors.ts';
import { rowsOf } from './reading.ts';

/** Any number that nobody else uses: `nds` in ASCII. */
const LOCK = 0x6e6473;
/** For another machine's migration, and for one that builds an index over a long log. */
const MIGRATION_MS = 120_000;

const APPLIED = { columns: { tag: 'text', hash: 'text' }, sql: 'migrations' } as const;
const SCHEMA = { columns: { min_reader: 'integer' }, sql: 'schema' } as const;

/** Rejects with a `DatabaseRefusedError` if the database is not one of this version, an older or a near newer one. */
export async function applyMigrations(database: Database, url: string): Promise<void> {
  const known = readMigrations('postgres');
  await database.transaction(
    async (run) => {
      await run(`SELECT pg_advisory_xact_lock(${LOCK})`);
      await run(
        'CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, tag text NOT NULL, hash text NOT NULL)',
      );
      const { rows } = await run('SELECT tag, hash FROM migrations ORDER BY number');
      const applied = rowsOf(APPLIED, rows);
      const changed = applied.find(({ hash }, index) => {
        const expected = known[index];
        return expected !== undefined && expected.hash !== hash;
      });
      if (changed !== undefined) {
        const finding = `its migration ${changed.tag} is not the one this version knows`;
        throw migrationMismatch(url, finding);
      }
      for (const [index, migration] of known.entries()) {
        if (index >= applied.length) await apply(run, migration, index + 1);
      }
      await refuseOld(run, { known: known.length, url });
    },
    { statementMs: MIGRATION_MS },
  );
}

async function apply(run: Run, { tag, sql, hash }: Migration, number: number): Promise<void> {
  await run(sql);
  const values = [number, tag, hash];
  await run('INSERT INTO migrations (number, tag, hash) VALUES ($1, $2, $3)', values);
}

async function refuseOld(
  run: Run,
  { known, url }: { readonly known: number; readonly url: string },
): Promise<void> {
  const { rows } = await run('SELECT min_reader FROM schema');
  const [schema] = rowsOf(SCHEMA, rows);
  if (schema === undefined || schema.min_reader <= known) return;
  const finding = `a newer version changed it, and it is read from ${schema.min_reader} migrations on, this version knows ${known}`;
  throw migrationMismatch(url, finding);
}
