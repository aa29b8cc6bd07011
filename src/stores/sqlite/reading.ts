// The part of a connection that reading needs, so that better-sqlite3 and Node's own SQLite can run the same
// statements.

import { type Column, isRow, type RowOf, type Rows } from '../rows.ts';

/** By the names of parameters. */
export type Values = Readonly<Record<string, string | number | null>>;

export interface Reading {
  prepare(sql: string): { all(values: Values): unknown[] };
}

/** `condition` continues the declaration's SELECT. Throws a TypeError if the rows are not as declared. */
export function prepareRows<Columns extends Readonly<Record<string, Column>>>(
  db: Reading,
  rows: Rows<Columns>,
  condition: string,
): (values?: Values) => readonly RowOf<Rows<Columns>>[] {
  const statement = db.prepare(`${rows.sql} ${condition}`);
  return (values = {}) =>
    statement.all(values).map((found) => {
      if (!isRow(rows, found)) throw new TypeError(`not the declared columns: ${rows.sql}`);
      return found;
    });
}
