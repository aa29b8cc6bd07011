// Rows that go into a statement: one array for each column, which `unnest` turns into a table of the name `input`.

import type { Value } from './database.ts';

type Scalar = Exclude<Value, readonly unknown[]>;
type ColumnInput<Row> = readonly [type: string, read: (row: Row) => Scalar];

export interface Input<Row> {
  /** `unnest($1::text[], …) AS input(id, …)`; its parameters begin at 1. */
  readonly sql: string;
  /** How many parameters it takes. */
  readonly count: number;
  readonly valuesOf: (rows: readonly Row[]) => readonly Value[];
}

/** By column name: the type, and the value of each row. */
export function inputOf<Row>(columns: Readonly<Record<string, ColumnInput<Row>>>): Input<Row> {
  const declared = Object.values(columns);
  // Quoted: some are words of SQL.
  const names = Object.keys(columns).map((name) => `"${name}"`);
  const arrays = declared.map(([type], index) => `$${index + 1}::${type}[]`);
  return {
    sql: `unnest(${arrays.join(', ')}) AS input(${names.join(', ')})`,
    count: declared.length,
    valuesOf: (rows) => declared.map(([, read]) => rows.map(read)),
  };
}
