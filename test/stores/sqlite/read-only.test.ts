// Reading the log without changing anything: beside a running service, from a stopped one, after a crash, as another
// user, and from a copy in a folder that cannot be written.

import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { Keys } from '../../../src/stores/sealing/keys.ts';
import { openReadOnly } from '../../../src/stores/sqlite/read-only.ts';
import { accept, sampleDelivery, settlement } from '../../contract/store-samples.ts';
import { isRoot, NOBODY, runAsNobody } from '../../support/as-nobody.ts';
import { useFiles } from './files.ts';
import { KEY_A, KEY_B, KEYS } from './keys.ts';

const { newFile, open } = useFiles();
const READ_ONLY = new URL('../../../src/stores/sqlite/read-only.ts', import.meta.url);

/** A database with two deliveries, one of them open; `close` stops its service. */
async function setup() {
  const file = newFile();
  const { store, lookupKey } = await open(file);
  await store.insert(accept(sampleDelivery(1)));
  await store.insert(accept(sampleDelivery(2)));
  await store.settle(settlement(sampleDelivery(2)));
  const expected = await store.findDeliveries({ limit: 10 });
  return { file, store, lookupKey, expected };
}

/** Names and contents of all files in the folder of the database. */
function contentsOf(file: string): unknown {
  const folder = dirname(file);
  return readdirSync(folder)
    .sort()
    .map((name) => [name, readFileSync(join(folder, name)).toString('base64')]);
}

function read(file: string, keys: Keys = KEYS) {
  const { lookupKey, findDeliveries, close } = openReadOnly({ file, keys });
  const found = findDeliveries({ limit: 10 });
  close();
  return { lookupKey: Buffer.from(lookupKey), found };
}

test('reads beside a running service', async () => {
  const { file, lookupKey, expected } = await setup();
  const { found, lookupKey: read_ } = read(file);

  expect(found).toEqual(expected);
  expect(read_.equals(lookupKey)).toBe(true);
});

test('reads what a stopped service left, and neither changes nor makes a file', async () => {
  const { file, store, expected } = await setup();
  await store.close();
  const before = contentsOf(file);

  expect(read(file).found).toEqual(expected);
  expect(contentsOf(file)).toEqual(before);
});

test('reads beside a service that holds the write lock', async () => {
  const { file, expected } = await setup();
  const other = new Database(file);
  other.exec('BEGIN IMMEDIATE');
  expect(read(file).found).toEqual(expected);
  other.exec('ROLLBACK');
  other.close();
});

test('reads a file under any of the configured keys', async () => {
  const { file, store, expected } = await setup();
  await store.close();
  const before = contentsOf(file);

  expect(read(file, { current: KEY_B, previous: [KEY_A] }).found).toEqual(expected);
  expect(contentsOf(file)).toEqual(before);
  expect(() => read(file, { current: KEY_B, previous: [] })).toThrow(/made with another secret/);
});

test('finds by every key by which the store itself finds', async () => {
  const { file, store } = await setup();
  const { id, tokenHash, subjectHash = '' } = sampleDelivery(2);
  const queries = [{ id }, { tokenHash }, { subjectHash }, { status: 'queued' }] as const;
  const expected = await Promise.all(
    queries.map((query) => store.findDeliveries({ limit: 9, ...query })),
  );
  await store.close();
  const reading = openReadOnly({ file, keys: KEYS });

  expect(queries.map((query) => reading.findDeliveries({ limit: 9, ...query }))).toEqual(expected);
  reading.close();
});

test('says what is wrong in one sentence', async () => {
  const { file, store, expected } = await setup();
  await store.close();
  const missing = `${file}.missing`;
  expect(() => read(missing)).toThrow(`NDS_DATABASE names ${missing}, which does not exist.`);
  expect(() => read(READ_ONLY.pathname)).toThrow(/cannot be used: it is damaged or no database/);
  const db = new Database(file);
  db.exec("INSERT INTO migrations (tag, hash) VALUES ('9999_later', 'x')");
  expect(read(file).found).toEqual(expected);
  db.exec('INSERT INTO schema SELECT count(*) FROM migrations');
  db.close();
  expect(() => read(file)).toThrow(/does not fit this version/);
});

/** Reads as a user without rights, since this process may be root. */
async function readAsNobody(file: string): Promise<string> {
  const code = `
    const { openReadOnly } = loaded['src/stores/sqlite/read-only.ts'];
    const keys = { current: Buffer.alloc(32, 'a'), previous: [] };
    try {
      const store = openReadOnly({ file: ${JSON.stringify(file)}, keys });
      console.log(store.findDeliveries({ limit: 10 }).map(({ status }) => status).join());
    } catch (error) {
      console.log(error.kind, error.message);
    }`;
  return (await runAsNobody(code, { modules: ['src/stores/sqlite/read-only.ts'] })).trim();
}

/** A folder that every user may read and only root may write, with these files of the database. */
function copyForNobody(file: string, suffixes: readonly string[]): string {
  const folder = `${dirname(file)}/copy`;
  mkdirSync(folder);
  for (const suffix of suffixes) {
    copyFileSync(`${file}${suffix}`, `${folder}/nds.sqlite${suffix}`);
    chownSync(`${folder}/nds.sqlite${suffix}`, NOBODY, NOBODY);
  }
  for (const path of [dirname(file), folder]) chmodSync(path, 0o555);
  return `${folder}/nds.sqlite`;
}

test.runIf(isRoot)('reads a copy in a folder that cannot be written, as another user', async () => {
  const { file, store } = await setup();
  await store.close();
  const copy = copyForNobody(file, ['']);

  expect(await readAsNobody(copy)).toBe('delivered,queued');
  expect(readdirSync(dirname(copy))).toEqual(['nds.sqlite']);
});

test.runIf(isRoot)('says what to copy when such a copy has a WAL', async () => {
  const { file } = await setup();
  const copy = copyForNobody(file, ['', '-wal']);

  expect(await readAsNobody(copy)).toMatch(
    /^unusable_location NDS_DATABASE names .*Copy both files/,
  );
  rmSync(`${copy}-wal`);
});
