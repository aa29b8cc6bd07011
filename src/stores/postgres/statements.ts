// Statements with named parameters (`@name`), as SQLite has them, and rows that are checked against their declaration.

import type { Column, RowOf, Rows, TableRows } from '../rows.ts';
import type { Run, Value } from './database.ts';
import { rowsOf, selectOf } from './reading.ts';

/** By parameter name; values that the statement does not name are not sent. */
export type Values = Readonly<Record<string, Value | undefined>>;

type Columns = Readonly<Record<string, Column>>;

/** Rows of tables; `condition` continues the declaration's SELECT. */
export async function select<Declared extends Columns>(
  run: Run,
  declared: TableRows<Declared>,
  condition: string,
  values: Values = {},
): Promise<readonly RowOf<Rows<Declared>>[]> {
  const { rows } = await runNamed(run, `${selectOf(declared)} ${condition}`, values);
  return rowsOf(declared, rows);
}

/** Rows that the statement computes. */
export async function compute<Declared extends Columns>(
  run: Run,
  declared: Rows<Declared>,
  values: Values = {},
): Promise<readonly RowOf<Rows<Declared>>[]> {
  const { rows } = await runNamed(run, declared.sql, values);
  return rowsOf(declared, rows);
}

/** Returns how many rows were changed. */
export async function change(run: Run, sql: string, values: Values = {}): Promise<number> {
  return (await runNamed(run, sql, values)).count;
}

/** Throws a RangeError if a parameter has no value. */
function runNamed(run: Run, sql: string, values: Values) {
  const given: Value[] = [];
  const places = new Map<string, string>();
  const text = sql.replaceAll(/@(\w+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new RangeError(`the parameter ${name} has no value`);
    const place = places.get(name) ?? `$${given.push(value)}`;
    places.set(name, place);
    return place;
  });
  return run(text, given);
}
