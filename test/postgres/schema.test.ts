// The migrated tables, compared with the schema that they are generated from, and with those of SQLite.

import { is } from 'drizzle-orm';
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core';
import { getTableConfig as getSqliteTable, SQLiteTable } from 'drizzle-orm/sqlite-core';
import { describe, expect, test } from 'vitest';
import * as deviceSchema from '../../src/stores/postgres/devices/device-schema.ts';
import * as eventSchema from '../../src/stores/postgres/events/event-schema.ts';
import * as receiptSchema from '../../src/stores/postgres/receipts/receipt-schema.ts';
import * as recordSchema from '../../src/stores/postgres/records/record-schema.ts';
import * as schema from '../../src/stores/postgres/schema.ts';
import * as sqliteDeviceSchema from '../../src/stores/sqlite/device-schema.ts';
import * as sqliteEventSchema from '../../src/stores/sqlite/event-schema.ts';
import * as sqliteReceiptSchema from '../../src/stores/sqlite/receipt-schema.ts';
import * as sqliteSchema from '../../src/stores/sqlite/schema.ts';
import { query, SERVERS, useDatabases } from './databases.ts';

const TABLES = Object.values({
  ...{ ...schema, ...deviceSchema, ...eventSchema, ...receiptSchema, ...recordSchema },
})
  .filter((value) => is(value, PgTable))
  .map((table) => getTableConfig(table));
const SQLITE_TABLES = Object.values({
  ...{ ...sqliteSchema, ...sqliteDeviceSchema, ...sqliteEventSchema, ...sqliteReceiptSchema },
})
  .filter((value) => is(value, SQLiteTable))
  .map((table) => getSqliteTable(table));

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newEmptyDatabase, open } = useDatabases(server);

  test('has exactly the tables, columns and indexes of the schema', async () => {
    const url = await newEmptyDatabase();
    await open(url);
    const found = await query(
      url,
      `SELECT table_name, column_name, is_nullable, data_type, collation_name FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name <> 'migrations' ORDER BY table_name, ordinal_position`,
    );
    const declared = TABLES.toSorted((one, other) => (one.name < other.name ? -1 : 1)).flatMap(
      ({ name, columns }) =>
        columns.map((column) => ({
          table_name: name,
          column_name: column.name,
          is_nullable: column.notNull || column.primary ? 'NO' : 'YES',
          data_type: column.getSQLType().replace(' COLLATE "C"', ''),
          collation_name: column.getSQLType().endsWith(' COLLATE "C"') ? 'C' : null,
        })),
    );
    expect(found).toEqual(declared);
    const indexes = await query(
      url,
      `SELECT i.relname AS name FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
       JOIN pg_namespace n ON n.oid = i.relnamespace
       WHERE n.nspname = 'public' AND NOT x.indisprimary ORDER BY 1`,
    );
    const names = TABLES.flatMap((table) => table.indexes.map(({ config }) => config.name));
    expect(indexes.map(({ name }) => name)).toEqual(names.sort());
  });
});

test('has the tables and columns of SQLite under the same names, times without their unit', () => {
  const columnsOf = (tables: readonly { name: string; columns: readonly { name: string }[] }[]) =>
    tables.map(({ name, columns }) => [name, columns.map((column) => column.name)] as const);
  const ours = new Map(columnsOf(TABLES));
  for (const [name, columns] of columnsOf(SQLITE_TABLES)) {
    const times = columns.map((column) =>
      NO_TIMES.includes(column) ? column : column.replace(/_ms$/, ''),
    );
    // SQLite has only one writer and one machine, and its rows are in order, so it needs fewer columns.
    const found = ours.get(name)?.filter((column) => !MORE.includes(`${name}.${column}`));
    expect([name, found]).toEqual([name, times]);
  }
});

const MORE = ['events.place', 'endpoints.sender', 'outages.node'];

/** Durations, and columns with several times. */
const NO_TIMES = ['lifetime_ms', 'latency_ms', 'since_arrival_ms', 'wakes_ms', 'knocks_at_ms'];
