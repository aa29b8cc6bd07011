// An SQLite file with rows in every table; the values are made from the names of their columns.

import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { z } from 'zod';
import { openKeys } from '../../src/stores/sqlite/file/keys.ts';
import { makeFile } from '../../src/stores/sqlite/file/make-file.ts';
import { openWriting } from '../../src/stores/sqlite/file/open-database.ts';
import { KEYS } from '../stores/sqlite/keys.ts';
import { temporaryFolder } from '../support/service.ts';

/** More than two batches. */
export const ROWS = 1_203;
const MOMENT_MS = 1_790_000_000_123;
const DURATIONS = ['lifetime_ms', 'latency_ms', 'since_arrival_ms'];

const COLUMN = z.object({
  name: z.string(),
  type: z.string(),
  notnull: z.number(),
  pk: z.number(),
});
type Column = z.output<typeof COLUMN>;
type Value = string | number | Buffer | null;

/** These tables are filled first, because others refer to them. */
const ORDER = ['deliveries', 'devices'];

/** Values that satisfy the constraints of the tables. */
const CONSTRAINED: Readonly<Record<string, (number: number) => Value>> = {
  'deliveries.status': (number) => (number % 2 === 1 ? 'queued' : 'delivered'),
  'devices.registrar': () => 'app',
  'gaps.kind': () => 'store',
  'endpoints.status': () => 'enabled',
  'endpoints.dropped': (number) => (number % 2 === 1 ? 0 : number),
  'attempts.number': () => 1,
  'receipts.number': () => 2,
  'handles.device_row_id': (number) => number,
};
const BOOLEANS = [
  ...['race', 'interrupted', 'known', 'shown', 'has_started', 'asked', 'sender', 'configured'],
];

/** Makes the file, and returns its path. */
export function makeFilledFile(): string {
  const file = join(temporaryFolder(), 'nds.sqlite');
  makeFile(file);
  const db = openWriting({ file, busyTimeoutMs: 250 });
  try {
    openKeys(db, KEYS, file);
    const names = tablesOf(db).filter((name) => !['meta', 'migrations', 'schema'].includes(name));
    const ordered = [...ORDER, ...names.filter((name) => !ORDER.includes(name))];
    db.transaction(() => {
      for (const table of ordered) fill(db, table);
    })();
    db.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    db.close();
  }
  return file;
}

function fill(db: Sqlite.Database, table: string): void {
  const columns = z.array(COLUMN).parse(db.pragma(`table_info(${table})`));
  const places = columns.map(() => '?').join(', ');
  const insert = db.prepare(
    `INSERT INTO ${table} (${columns.map(({ name }) => name).join(', ')}) VALUES (${places})`,
  );
  for (let number = 1; number <= ROWS; number += 1) {
    insert.run(columns.map((column) => makeValue(table, column, number)));
  }
}

function makeValue(table: string, { name, type, notnull, pk }: Column, number: number): Value {
  const constrained = CONSTRAINED[`${table}.${name}`];
  if (constrained !== undefined) return constrained(number);
  if (name === 'row_id') return number;
  if (notnull === 0 && pk === 0 && number % 2 === 1) return null;
  if (BOOLEANS.includes(name)) return Math.floor(number / 2) % 2;
  if (type === 'BLOB') return Buffer.from([0, 255, number % 256]);
  if (type !== 'INTEGER') return `${name} ü ${number}`;
  return name.endsWith('_ms') && !DURATIONS.includes(name) ? MOMENT_MS + number : number * 7;
}

export function tablesOf(db: Sqlite.Database): readonly string[] {
  const sql = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`;
  return z.array(z.string()).parse(db.prepare(sql).pluck().all());
}

export type Row = Readonly<Record<string, unknown>>;

/** All rows of a table by their key, as SQLite has them. */
export function readTable(file: string, table: string, key: readonly string[]): readonly Row[] {
  const db = new Sqlite(file, { readonly: true });
  try {
    const columns = z.array(COLUMN).parse(db.pragma(`table_info(${table})`));
    const names = columns.map(({ name }) => name).join(', ');
    const sql = `SELECT ${names} FROM ${table} ORDER BY ${key.join(', ')}`;
    return z.array(z.record(z.string(), z.unknown())).parse(db.prepare(sql).all());
  } finally {
    db.close();
  }
}
