// Failing disks and damaged files: what is refused, for which reason, and how the store recovers.

import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { reasonOf } from '../../../src/stores/sqlite/errors.ts';
import { accept, NOW, sampleDelivery, settlement } from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

function overwrite(file: string, position: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, position);
  closeSync(descriptor);
}

/** A closed database with a hundred settled deliveries. */
async function makeDatabase(): Promise<string> {
  const file = newFile();
  const { store } = await open(file);
  const deliveries = Array.from({ length: 100 }, (_, number) => sampleDelivery(number));
  await Promise.all(deliveries.map((delivery) => store.insert(accept(delivery))));
  await Promise.all(deliveries.map((delivery) => store.settle(settlement(delivery))));
  await store.close();
  return file;
}

test('refuses inserts as full, settles existing deliveries, and takes inserts again when there is room', async () => {
  const { store } = await open(newFile(), { maxFileBytes: 400_000 });
  const notification = { ...sampleDelivery(0).notification, payload: 'x'.repeat(4_000) };
  const deliveries = Array.from({ length: 100 }, (_, number) =>
    sampleDelivery(number, { notification }),
  );
  const results = await Promise.allSettled(
    deliveries.map((delivery) => store.insert(accept(delivery))),
  );
  const refused = results.filter((result) => result.status === 'rejected');
  const accepted = deliveries.filter((_, index) => results[index]?.status === 'fulfilled');
  expect(accepted.length).toBeGreaterThan(10);
  expect(refused.length).toBeGreaterThan(10);
  expect(refused.every(({ reason }) => reason.reason === 'full')).toBe(true);
  await expect(store.probe()).rejects.toMatchObject({ reason: 'full' });

  const settled = accepted.map((delivery) => store.settle(settlement(delivery)));
  expect((await Promise.all(settled)).every(Boolean)).toBe(true);
  await store.probe();
  await store.insert(accept(sampleDelivery(200)));
});

test('refuses a database that cannot be written, as read-only', async () => {
  const file = await makeDatabase();
  // A write version above 2 makes SQLite treat a file as read-only (https://sqlite.org/fileformat.html, 1.3.3).
  overwrite(file, 18, Buffer.from([3]));

  const opening = open(file);
  await expect(opening).rejects.toMatchObject({ kind: 'unusable_location' });
  await expect(opening).rejects.toThrow(/^NDS_DATABASE names .*cannot be written/);
});

test('refuses a directory that does not exist and cannot be made', async () => {
  const file = newFile();
  writeFileSync(file, '');

  const opening = open(`${file}/below/nds.sqlite`);
  await expect(opening).rejects.toMatchObject({ kind: 'unusable_location' });
  await expect(opening).rejects.toThrow(/^NDS_DATABASE names .*(ENOTDIR|EEXIST)/);
});

test('refuses a file that is no database, and says how to restore it', async () => {
  const file = newFile();
  writeFileSync(file, 'this is not a database at all, but somebody’s shopping list\n'.repeat(99));
  const opening = open(file);

  await expect(opening).rejects.toMatchObject({ kind: 'corrupt_database' });
  await expect(opening).rejects.toThrow(`${file}-wal`);
  await expect(opening).rejects.toThrow(/restore a backup/);
});

test('refuses a truncated file', async () => {
  const file = await makeDatabase();
  truncateSync(file, 8_192);

  await expect(open(file)).rejects.toMatchObject({ kind: 'corrupt_database' });
});

test('finds a damaged page after an unclean end', async () => {
  const file = await makeDatabase();
  const { store } = await open(file);
  await store.insert(accept(sampleDelivery(500)));
  const [main, wal] = [readFileSync(file), readFileSync(`${file}-wal`)];
  const crashed = newFile();
  writeFileSync(crashed, main);
  writeFileSync(`${crashed}-wal`, wal);
  const db = new Database(file, { readonly: true });
  const page = db
    .prepare<[], number>(
      "SELECT min(pageno) FROM dbstat WHERE name = 'attempts' AND pagetype = 'leaf'",
    )
    .pluck()
    .get();
  db.close();
  overwrite(crashed, (Number(page) - 1) * 4_096, Buffer.alloc(4_096, 0xff));

  await expect(open(crashed)).rejects.toMatchObject({ kind: 'corrupt_database' });
});

test('continues with a database that was not closed cleanly', async () => {
  const file = newFile();
  const { store } = await open(file);
  await store.insert(accept(sampleDelivery(1)));
  const crashed = newFile();
  writeFileSync(crashed, readFileSync(file));
  writeFileSync(`${crashed}-wal`, readFileSync(`${file}-wal`));

  const reopened = await open(crashed);
  expect(await reopened.store.recover({ nowMs: NOW })).toBe(1);
});

test('refuses a database of a newer version that forbids it', async () => {
  const file = await makeDatabase();
  const db = new Database(file);
  db.exec("INSERT INTO migrations (tag, hash) VALUES ('9999_later', 'x')");
  db.exec('INSERT INTO schema SELECT count(*) FROM migrations');
  db.close();

  await expect(open(file)).rejects.toMatchObject({ kind: 'migration_mismatch' });
});

const PLAIN_TABLES = [
  '0000_plain_tables',
  '0001_renewed_lifetimes',
  '0002_awaited_receipts',
  '0003_email_endpoints',
  '0004_token_digests',
  '0005_min_reader',
];

test.each([
  { layout: 'a journal', tags: ['0000_log', '0001_journal'] },
  { layout: 'tables in six steps', tags: PLAIN_TABLES },
  { layout: 'the first of these steps', tags: PLAIN_TABLES.slice(0, 1) },
])(
  'refuses a database of a development version with $layout, and leaves it as it is',
  async ({ tags }) => {
    const file = newFile();
    const db = new Database(file);
    db.exec(
      `CREATE TABLE migrations (number INTEGER PRIMARY KEY, tag TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
       CREATE TABLE deliveries (row_id INTEGER PRIMARY KEY, id TEXT NOT NULL) STRICT`,
    );
    const insert = db.prepare('INSERT INTO migrations (tag, hash) VALUES (?, ?)');
    for (const tag of tags) insert.run(tag, `hash of ${tag}`);
    db.close();
    const opening = open(file);
    await expect(opening).rejects.toMatchObject({ kind: 'migration_mismatch' });
    await expect(opening).rejects.toThrow(/layout of a development version.*move it aside/);

    const after = new Database(file, { readonly: true });
    expect(after.prepare('SELECT tag FROM migrations ORDER BY number').pluck().all()).toEqual(tags);
    const tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    expect(after.prepare(tables).pluck().all()).toEqual(['deliveries', 'migrations']);
    after.close();
  },
);

test('refuses a database whose migrations are not its own', async () => {
  const file = await makeDatabase();
  const db = new Database(file);
  db.exec("UPDATE migrations SET hash = 'x' WHERE number = 1");
  db.close();

  await expect(open(file)).rejects.toThrow(
    /its migration 0000_tables is not the one this version knows/,
  );
});

test.each([
  ['SQLITE_FULL', 'full'],
  ['SQLITE_BUSY', 'locked'],
  ['SQLITE_BUSY_RECOVERY', 'locked'],
  ['SQLITE_LOCKED', 'locked'],
  ['SQLITE_READONLY_DBMOVED', 'moved'],
  ['SQLITE_READONLY_RECOVERY', 'read_only'],
  ['SQLITE_CORRUPT_INDEX', 'corrupt'],
  ['SQLITE_NOTADB', 'corrupt'],
  ['SQLITE_IOERR_FSYNC', 'io'],
  ['SQLITE_CANTOPEN', 'io'],
  ['SQLITE_CONSTRAINT_UNIQUE', undefined],
  ['SQLITE_FULLISH', undefined],
])('reads %s as %s', (code, reason) => {
  expect(reasonOf(new Database.SqliteError('message', code))).toBe(reason);
});
