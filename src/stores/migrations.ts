// The migrations that this version knows: the plain SQL files that drizzle-kit writes, in their order. Tables may be newer, so
// that a release can be rolled back, and machines of two releases run side by side during a deploy: migrations add first and
// remove one release later, and `schema.min_reader` says from how many known migrations on a release may use the tables.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** One row, or none. */
export const SCHEMA = {
  tables: 'schema',
  columns: { min_reader: 'integer' },
  sql: 'SELECT min_reader FROM schema',
} as const;

export interface Migration {
  readonly tag: string;
  readonly sql: string;
  readonly hash: string;
}

export function readMigrations(database: 'sqlite' | 'postgres'): readonly Migration[] {
  const folder = new URL(`../../drizzle/${database}/`, import.meta.url);
  const journal: { readonly entries: readonly { readonly tag: string }[] } = JSON.parse(
    readFileSync(new URL('meta/_journal.json', folder), 'utf8'),
  );
  return journal.entries.map(({ tag }) => {
    const sql = readFileSync(new URL(`${tag}.sql`, folder), 'utf8');
    return { tag, sql, hash: createHash('sha256').update(sql).digest('hex') };
  });
}

/** Why this version may not use the tables; undefined if it may, once its newer migrations are applied. */
export function faultOfTables(
  known: readonly Migration[],
  { applied, minReader }: AppliedTables,
): string | undefined {
  const changed = applied.find(({ hash }, index) => {
    const expected = known[index];
    return expected !== undefined && expected.hash !== hash;
  });
  if (changed !== undefined)
    return `its migration ${changed.tag} is not the one this version knows`;
  if (minReader <= known.length) return undefined;
  return `a newer version changed it, and it is read from ${minReader} migrations on, this version knows ${known.length}`;
}

interface AppliedTables {
  readonly applied: readonly Pick<Migration, 'tag' | 'hash'>[];
  /** 0 if no release said so. */
  readonly minReader: number;
}
