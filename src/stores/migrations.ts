// The migrations that this version knows: the plain SQL files that drizzle-kit writes, in their order.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

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
