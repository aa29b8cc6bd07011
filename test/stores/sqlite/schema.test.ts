// The migrated tables compared with the schema that they are generated from, the declared rows with what SQLite
// returns, and what a person sees in the `sqlite3` shell.

import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { is } from 'drizzle-orm';
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core';
import { expect, test } from 'vitest';
import * as eventRows from '../../../src/stores/event-rows.ts';
import * as receiptRows from '../../../src/stores/receipt-rows.ts';
import * as rows from '../../../src/stores/rows.ts';
import * as deviceSchema from '../../../src/stores/sqlite/device-schema.ts';
import * as eventSchema from '../../../src/stores/sqlite/event-schema.ts';
import * as receiptSchema from '../../../src/stores/sqlite/receipt-schema.ts';
import * as schema from '../../../src/stores/sqlite/schema.ts';
import { add, sampleDevice } from '../../contract/device-samples.ts';
import { adding, BARE_REFUSAL, FULL_REFUSAL, ORIGIN } from '../../contract/records-samples.ts';
import {
  accept,
  FAILED,
  NOW,
  quarantineEntry,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  settlement,
} from '../../contract/store-samples.ts';
import { sampleEndpoint } from '../../support/endpoints.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

interface ColumnInfo {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
}

test('has exactly the tables, columns, indexes and checks of the schema, every table strict', async () => {
  const file = newFile();
  await open(file);
  const db = new Database(file, { readonly: true });
  const all = Object.values({ ...schema, ...deviceSchema, ...eventSchema, ...receiptSchema });
  const tables = all.filter((value) => is(value, SQLiteTable));
  for (const table of tables) {
    const { name, columns, indexes, checks } = getTableConfig(table);
    const found = db.prepare<[string], ColumnInfo>('SELECT * FROM pragma_table_xinfo(?)').all(name);
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
    expect(foundIndexes).toEqual(indexes.map((index) => index.config.name).sort());
    const made = db
      .prepare<[string], string>('SELECT sql FROM sqlite_schema WHERE name = ?')
      .pluck()
      .get(name);
    const constraints = [...(made ?? '').matchAll(/CONSTRAINT "(\w+)" CHECK/g)];
    expect(constraints.map(([, check]) => check)).toEqual(checks.map((check) => check.name));
    // A numeric key is the rowid itself; any other key would be stored twice.
    const isNumbered = columns.some((column) => column.primary && column.dataType === 'number');
    expect(made?.endsWith('STRICT, WITHOUT ROWID'), name).toBe(!isNumbered);
  }
  const listed = db
    .prepare<[], { name: string; strict: number }>(
      "SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .all();
  db.close();
  expect(listed.every(({ strict }) => strict === 1)).toBe(true);
  const names = listed.map(({ name }) => name).filter((name) => name !== 'migrations');
  expect(names.sort()).toEqual(tables.map((table) => getTableConfig(table).name).sort());
});

const OUTAGE = { app: 'default', provider: 'fcm', reason: 'timeout', beganAtMs: NOW } as const;

/** A database with rows in every table, with and without the optional values. */
async function makeFullDatabase(): Promise<string> {
  const file = newFile();
  const { store, devices, receipts, records, events } = await open(file);
  await add(devices, sampleDevice(1, { user: 'alice', deadSinceMs: NOW }));
  await add(devices, sampleDevice(2));
  const { subjectHash: _, ...bare } = sampleDelivery(1);
  const { deviceId } = { deviceId: sampleDevice(2).device.id };
  const key = { keyHash: sampleFingerprint('key'), expiresAtMs: NOW };
  const leaseUntilMs = NOW;
  await store.insert(accept(bare));
  await store.insert(accept(sampleDelivery(2, { deviceId }), { duplicateKey: key, leaseUntilMs }));
  await store.insert(accept(sampleDelivery(3)));
  await store.insert(accept(sampleDelivery(4)));
  await store.settle(settlement(sampleDelivery(3), { status: 'queued', dueAtMs: NOW }));
  const rejected = { status: 'rejected', reason: 'BadDeviceToken' } as const;
  await store.settle(settlement(sampleDelivery(4), rejected, { attempt: FAILED }));
  await events.putEndpoint(sampleEndpoint({ enabledEvents: ['*', 'delivery.delivered'] }));
  await events.putEndpoint(sampleEndpoint({ id: 'ep_b' }));
  await events.putEndpoint(sampleEndpoint({ id: 'ep_c', digest: 'daily', secrets: [] }));
  await records.recordOutage({ ...OUTAGE, provider: 'apns' });
  await events.noteAttempt({
    endpointId: 'ep_b',
    disabledReason: 'gone',
    attempt: { eventId: 'evt_a', type: 'test.ping', atMs: NOW, latencyMs: 1, outcome: 'failed' },
  });
  const { tokenHash } = sampleDelivery(5);
  await store.insert(accept(sampleDelivery(6, { tokenHash })));
  await store.insert(accept(sampleDelivery(7, { tokenHash })));
  await store.insert(accept(sampleDelivery(5, { origin: ORIGIN })));
  await store.settle(settlement(sampleDelivery(5)));
  await store.recordReply({ deliveryId: sampleId(5), answeredAtMs: NOW + 9_000 });
  const taken = { atMs: NOW, isAsked: true, isJudged: true, tokenSha256: 'aa'.repeat(32) };
  await receipts.recordPush({ ...taken, deliveryId: sampleId(5) });
  const receipt = { stage: 'started', n: 1 } as const;
  const arrived = { deliveryId: sampleId(5), receipt, atMs: NOW + 900, endsOpen: true };
  await receipts.recordReceipt(arrived);
  await receipts.recordReceipt({ ...arrived, deliveryId: sampleId(4) });
  for (const [index, subjectSha256] of [undefined, 'bb'.repeat(32)].entries()) {
    const awaited = { untilMs: NOW + 60_000, subjectSha256 };
    await receipts.recordPush({ ...taken, deliveryId: sampleId(6 + index), awaited });
  }
  await receipts.recordPush({ ...taken, deliveryId: sampleId(3) });
  await receipts.recordPush({ ...taken, deliveryId: sampleId(2), isAsked: false });
  await store.quarantine(quarantineEntry('a'));
  await store.quarantine(quarantineEntry('b', { providerSinceMs: NOW }));
  records.tell({ deliveryId: sampleId(5), told: 'delivered', status: 200, atMs: NOW + 100 });
  const repeats = [{ deliveryId: sampleId(5), calls: 2, lastAtMs: NOW + 4_000 }];
  await records.writeRefusals({ ...adding(FULL_REFUSAL, BARE_REFUSAL), repeats });
  await records.recordOutage(OUTAGE);
  await records.end({ wallMs: NOW });
  return file;
}

test('returns the rows that the statements declare', async () => {
  const file = await makeFullDatabase();
  const db = new Database(file, { readonly: true });
  const declared = Object.entries({ ...rows, ...eventRows, ...receiptRows }).flatMap(
    ([name, value]): { name: string; value: rows.Rows<Readonly<Record<string, rows.Column>>> }[] =>
      typeof value === 'object' ? [{ name, value }] : [],
  );
  expect(declared.length).toBeGreaterThan(8);
  for (const { name, value } of declared) {
    const found = db.prepare(value.sql).all();
    expect(found.length, name).toBeGreaterThan(0);
    expect(
      found.filter((row) => !rows.isRow(value, row)),
      name,
    ).toEqual([]);
    const optional = Object.entries(value.columns).filter(([, column]) => column.endsWith('?'));
    for (const [key] of optional) {
      const column = key.slice(key.indexOf('.') + 1);
      // A column that is declared optional is optional in the tables, too.
      expect(
        found.some((row) => valueIn(row, column) === null),
        `${name}.${column}`,
      ).toBe(true);
    }
  }
  db.close();
});

function valueIn(row: unknown, column: string): unknown {
  return typeof row === 'object' && row !== null ? new Map(Object.entries(row)).get(column) : row;
}

test('shows the log in words, the newest delivery first', async () => {
  const file = await makeFullDatabase();
  const db = new Database(file, { readonly: true });
  const [row] = db.prepare('SELECT * FROM deliveries ORDER BY row_id DESC LIMIT 5').all();
  const attempts = db.prepare('SELECT * FROM attempts WHERE row_id = 7').all();
  db.close();

  expect(row).toEqual({
    row_id: 7,
    id: sampleId(5),
    received_at_ms: NOW,
    status: 'delivered',
    reason: null,
    app: 'default',
    platform: 'android',
    provider: 'fcm',
    type: 'payment_received',
    device_id: null,
    token_hash: sampleFingerprint('token 5'),
    subject_hash: sampleFingerprint('subject 5'),
    lifetime_ms: 60_000,
    attempts: 1,
    settled_at_ms: NOW + 100,
    answered_at_ms: NOW + 9_000,
    door: '/n/:handle',
    source: 'notify',
    request_id: ORIGIN.requestId,
    told: 'delivered',
    told_status: 200,
    told_at_ms: NOW + 100,
    repeats: 2,
    repeated_at_ms: NOW + 4_000,
    renewed_at_ms: null,
  });
  expect(attempts).toEqual([
    {
      row_id: 7,
      number: 1,
      started_at_ms: NOW + 2,
      latency_ms: 87,
      outcome: 'delivered',
      reason: null,
      message_id: '0:1754049600000000%abcdef0123456789',
    },
  ]);
});

const PAGE = readFileSync(new URL('../../../docs/tables.md', import.meta.url), 'utf8');

test('docs/tables.md has every table and every column, and no other', async () => {
  const file = newFile();
  await open(file);
  const db = new Database(file, { readonly: true });
  const described = PAGE.split(/^## /m).slice(1);
  const names = described.map((section) => section.split('\n')[0]);
  expect(names.toSorted()).toEqual(tablesOf(db));
  for (const section of described) {
    const [name = ''] = section.split('\n');
    const cells = [...section.matchAll(/^\| (`[^|]*`) \|/gm)].map(([, cell = '']) => cell);
    const documented = cells.flatMap((cell) => cell.replaceAll('`', '').split(', '));
    const columns = db.prepare('SELECT name FROM pragma_table_xinfo(?)').pluck().all(name);
    expect(documented.toSorted(), name).toEqual(columns.toSorted());
  }
  db.close();
});

test('docs/operating.md names every table', async () => {
  const page = readFileSync(new URL('../../../docs/operating.md', import.meta.url), 'utf8');
  const [, described = ''] = /^\| Table \| Holds \|\n([\s\S]*?)\n\n/m.exec(page) ?? [];
  const cells = [...described.matchAll(/^\| (`[^|]*`) \|/gm)].map(([, cell = '']) => cell);
  const named = cells.flatMap((cell) => cell.replaceAll('`', '').split(', '));
  const file = newFile();
  await open(file);
  const db = new Database(file, { readonly: true });
  expect(named.toSorted()).toEqual(tablesOf(db));
  db.close();
});

function tablesOf(db: Database.Database): readonly unknown[] {
  return db
    .prepare(
      "SELECT name FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .pluck()
    .all();
}

test('the queries in docs/tables.md run', async () => {
  const db = new Database(await makeFullDatabase(), { readonly: true });
  const questions = [...PAGE.matchAll(/^```sql\n([\s\S]*?)^```/gm)].map(([, sql = '']) => sql);
  expect(questions.length).toBeGreaterThan(2);
  for (const question of questions) expect(db.prepare(question).all()).toBeInstanceOf(Array);
  db.close();
});
