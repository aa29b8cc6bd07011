// The tables as migrated against the schema they are generated from, and the view for operators.

import Database from 'better-sqlite3';
import { is } from 'drizzle-orm';
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core';
import { expect, test } from 'vitest';
import * as schema from '../../../src/stores/sqlite/schema.ts';
import { accept, sampleDelivery, sampleId, settlement } from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

interface ColumnInfo {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
}

test('has exactly the tables, columns and indexes of the schema', async () => {
  const file = newFile();
  await open(file);
  const db = new Database(file, { readonly: true });
  const tables = Object.values(schema).filter((value) => is(value, SQLiteTable));
  for (const table of tables) {
    const { name, columns, indexes } = getTableConfig(table);
    const found = db.prepare<[string], ColumnInfo>('SELECT * FROM pragma_table_info(?)').all(name);
    expect(found.map((column) => [column.name, column.type.toLowerCase()])).toEqual(
      columns.map((column) => [column.name, column.getSQLType()]),
    );
    expect(found.map((column) => column.notnull === 1)).toEqual(
      columns.map((column) => column.notNull || column.primary),
    );
    const foundIndexes = db
      .prepare("SELECT name FROM pragma_index_list(?) WHERE origin = 'c' ORDER BY name")
      .pluck()
      .all(name);
    const wanted = indexes.map((index) => index.config.name);
    const unique = columns.filter((column) => column.isUnique).map((column) => column.uniqueName);
    expect(foundIndexes).toEqual([...wanted, ...unique].sort());
  }
  const names = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'migrations'")
    .pluck()
    .all();
  db.close();
  expect(names.sort()).toEqual(tables.map((table) => getTableConfig(table).name).sort());
});

test('shows an operator the log in words', async () => {
  const file = newFile();
  const { store } = await open(file);
  await store.insert(accept(sampleDelivery(1)));
  await store.settle(settlement(sampleDelivery(1)));
  await store.recordReply({ deliveryId: sampleId(1), answeredAtMs: 1_754_049_609_000 });
  const db = new Database(file, { readonly: true });
  const row = db.prepare('SELECT * FROM delivery_log').get();
  db.close();

  expect(row).toMatchObject({
    id: sampleId(1),
    received_at: '2025-08-01T12:00:00.000Z',
    platform: 'android',
    provider: 'fcm',
    status: 'delivered',
    settled_after_ms: 100,
    answered_after_ms: 9_000,
    attempt: 1,
    outcome: 'delivered',
    message_id: 'projects/nds-demo/messages/0:1754049600000000%abcdef0123456789',
  });
});
