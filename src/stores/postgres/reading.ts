// Rows as PostgreSQL returns them, under the names that are declared for both databases (../rows.ts): a time is a number
// of milliseconds, a boolean 1 or 0.

import type pg from 'pg';
import { type Column, isRow, type RowOf, type Rows, type TableRows } from '../rows.ts';

/** Columns in milliseconds that are numbers in PostgreSQL too; all others are times. */
const DURATIONS: readonly string[] = ['lifetime_ms', 'latency_ms', 'since_arrival_ms'];

type Columns = Readonly<Record<string, Column>>;

/** The declared columns, for a SELECT or RETURNING: SQLite's `due_at_ms` is `due_at`. */
export function columnsOf({ columns }: Rows<Columns>): string {
  return Object.entries(columns)
    .map(([column, kind]) => (isTime(column, kind) ? timeAs(column) : column))
    .join(', ');
}

/** `SELECT … FROM …`, to be continued with a condition. */
export function selectOf(declared: TableRows<Columns>): string {
  return `SELECT ${columnsOf(declared)} FROM ${declared.tables}`;
}

/** Throws a TypeError if the rows are not as declared. */
export function rowsOf<Declared extends Columns>(
  declared: Rows<Declared>,
  found: readonly unknown[],
): readonly RowOf<Rows<Declared>>[] {
  return found.map((row) => {
    if (!isRow(declared, row)) throw new TypeError(`not the declared columns: ${declared.sql}`);
    return row;
  });
}

function nameOf(column: string): string {
  return column.slice(column.indexOf('.') + 1);
}

function isTime(column: string, kind: Column): boolean {
  return (
    kind.startsWith('integer') && column.endsWith('_ms') && !DURATIONS.includes(nameOf(column))
  );
}

/** Quoted: `from` and `to` are words of SQL. */
function timeAs(column: string): string {
  const name = nameOf(column);
  const table = column.slice(0, -name.length);
  return `${table}"${name.slice(0, -'_ms'.length)}" AS ${name}`;
}

// Type oids: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
const BOOLEAN = 16;
const BIGINT = 20;
const NUMERIC = 1_700;
const TIMESTAMPTZ = 1_184;

/** How the driver reads these types; it reads all others by its own parsers. */
export function typesOf(types: typeof pg.types): pg.CustomTypesConfig {
  const readTime = types.getTypeParser(TIMESTAMPTZ, 'text');
  return {
    getTypeParser(oid: number, format?: 'text' | 'binary') {
      switch (oid) {
        case BOOLEAN:
          return (text: string) => (text === 't' ? 1 : 0);
        case BIGINT:
        case NUMERIC:
          return Number;
        case TIMESTAMPTZ:
          return (text: string) => Number(readTime(text));
        default:
          return format === 'binary'
            ? types.getTypeParser(oid, 'binary')
            : types.getTypeParser(oid, 'text');
      }
    },
  };
}
