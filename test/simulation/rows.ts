// The rows that a run leaves in its database.

import Database from 'better-sqlite3';
import { z } from 'zod';
import type { SharedDatabase } from '../support/shared-database.ts';

export interface Row {
  readonly status: string;
  /** The numbers of its attempts, in order. */
  readonly numbers: readonly number[];
}

export interface Rows {
  readonly queued: number;
  readonly byId: ReadonlyMap<string, Row>;
}

const rowSchema = z.object({
  id: z.string(),
  status: z.string(),
  numbers: z.string().nullable(),
});
const countSchema = z.object({ count: z.number() });

export function readFile(file: string): Rows {
  const db = new Database(file, { readonly: true });
  try {
    const { count } = countSchema.parse(db.prepare('SELECT count(*) AS count FROM queue').get());
    const rows = db
      .prepare(
        `SELECT id, status,
           (SELECT group_concat(number) FROM (SELECT number FROM attempts a
              WHERE a.row_id = d.row_id ORDER BY number)) AS numbers
         FROM deliveries d`,
      )
      .all();
    const byId = z
      .array(rowSchema)
      .parse(rows)
      .map(({ id, status, numbers }): [string, Row] => [
        id,
        { status, numbers: numbers === null ? [] : numbers.split(',').map(Number) },
      ]);
    return { queued: count, byId: new Map(byId) };
  } finally {
    db.close();
  }
}

export function readShared(database: SharedDatabase): Rows {
  const byId = [...database.rows].map(([id, { status, attempts }]): [string, Row] => [
    id,
    { status, numbers: [...attempts.keys()].toSorted((one, other) => one - other) },
  ]);
  return { queued: database.queue.size, byId: new Map(byId) };
}
