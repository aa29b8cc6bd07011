// Encryption at rest: what the files may not contain, and what happens when keys change.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { keyIdOf, Sealer } from '../../../src/stores/sealing/seal.ts';
import type { SqliteStoreEvent } from '../../../src/stores/sqlite/store.ts';
import { accept, claim, NOW, sampleDelivery, settlement } from '../../contract/store-samples.ts';
import fc from '../../support/properties.ts';
import { useFiles } from './files.ts';
import { KEY_A, KEY_B } from './keys.ts';

const { newFile, open } = useFiles();
const KEY_C = Buffer.alloc(32, 'c');

const SECRET = sampleDelivery(1, {
  target: {
    app: 'default',
    platform: 'android',
    token: 'SECRET-TOKEN-d6Jx:APA91bF',
    appData: 'SECRET-APP-DATA',
  },
  notification: {
    type: 'payment_received',
    title: 'SECRET-TITLE',
    payload: '{"payment_hash":"SECRET-PAYLOAD"}',
    lifetimeMs: 60_000,
  },
});

/** The bytes of all files of the database: the file itself, -wal, -shm. */
function bytesOnDisk(file: string): Buffer {
  const directory = dirname(file);
  return Buffer.concat(readdirSync(directory).map((name) => readFileSync(join(directory, name))));
}

function readSealed(file: string): Buffer | undefined {
  const db = new Database(file, { readonly: true });
  const sealed = db.prepare<[], Buffer>('SELECT sealed FROM queue').pluck().get();
  db.close();
  return sealed;
}

test('writes neither token nor payload, title or app_data to the disk', async () => {
  const file = newFile();
  const { store } = await open(file);
  await store.insert(accept(SECRET));
  expect(bytesOnDisk(file).includes('SECRET')).toBe(false);
  expect(bytesOnDisk(file).includes('payment_received')).toBe(true);
  await store.settle(settlement(SECRET));
  expect(bytesOnDisk(file).includes('SECRET')).toBe(false);
  await store.close();

  expect(bytesOnDisk(file).includes('SECRET')).toBe(false);
});

test('overwrites the encrypted content when the delivery settles', async () => {
  const file = newFile();
  const { store } = await open(file);
  await store.insert(accept(SECRET));
  const sealed = readSealed(file) ?? Buffer.alloc(0);
  expect(sealed.length).toBeGreaterThan(100);
  expect(bytesOnDisk(file).includes(sealed)).toBe(true);
  await store.settle(settlement(SECRET));
  expect(readSealed(file)).toBeUndefined();
  await store.close();

  expect(bytesOnDisk(file).includes(sealed.subarray(40))).toBe(false);
});

test('encrypts the lookup key as well, and keeps it for the life of the database', async () => {
  const file = newFile();
  const first = await open(file);
  await first.store.close();
  const second = await open(file);
  await second.store.close();

  expect(first.lookupKey).toHaveLength(32);
  expect(Buffer.from(first.lookupKey).equals(second.lookupKey)).toBe(true);
  expect(bytesOnDisk(file).includes(Buffer.from(first.lookupKey))).toBe(false);
});

test('makes another lookup key for another database', async () => {
  const first = await open(newFile());
  const second = await open(newFile());

  expect(Buffer.from(first.lookupKey).equals(second.lookupKey)).toBe(false);
});

test('makes a database that only its owner can read', async () => {
  const file = newFile();
  const { store } = await open(file);
  await store.insert(accept(SECRET));

  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(`${file}-wal`).mode & 0o777).toBe(0o600);
});

test('refuses a database made with an unknown key, and says what to do', async () => {
  const file = newFile();
  const { store } = await open(file);
  await store.close();
  const opening = open(file, { keys: { current: KEY_B, previous: [KEY_C] } });

  await expect(opening).rejects.toMatchObject({ kind: 'unknown_key' });
  await expect(opening).rejects.toThrow(/NDS_SECRET .*NDS_SECRET_PREVIOUS.*restore/);
});

test('encrypts everything again when the key was replaced, and then does not need the old one', async () => {
  const file = newFile();
  const before = await open(file);
  await before.store.insert(accept(SECRET));
  await before.store.close();

  const events: SqliteStoreEvent[] = [];
  const rotated = await open(file, {
    keys: { current: KEY_B, previous: [KEY_C, KEY_A] },
    onEvent: (event) => events.push(event),
  });
  await rotated.store.close();
  expect(events).toEqual([{ name: 'key_rotated', resealedRows: 1 }]);
  expect(bytesOnDisk(file).includes(keyIdOf(KEY_A))).toBe(false);

  const after = await open(file, { keys: { current: KEY_B, previous: [] } });
  expect(Buffer.from(after.lookupKey).equals(before.lookupKey)).toBe(true);
  const { deliveries } = await after.store.claimDue(claim({ nowMs: NOW + 20_000 }));
  expect(deliveries).toEqual([SECRET]);
});

test('encrypts every row again when the key was replaced, and changes nothing else', async () => {
  const file = newFile();
  const before = await open(file);
  const deliveries = Array.from({ length: 1_203 }, (_, number) => sampleDelivery(number));
  await Promise.all(deliveries.map((delivery) => before.store.insert(accept(delivery))));
  const tables = schemaOf(file);
  await before.store.close();

  const after = await open(file, { keys: { current: KEY_B, previous: [KEY_A] } });
  const claimed = await after.store.claimDue(claim({ nowMs: NOW + 20_000, limit: 2_000 }));
  expect(claimed.deliveries).toEqual(deliveries);
  expect(schemaOf(file)).toEqual(tables);
});

function schemaOf(file: string): unknown[] {
  const db = new Database(file, { readonly: true });
  const tables = db.prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all();
  db.close();
  return tables;
}

test('settles a delivery that cannot be decrypted as misconfigured', async () => {
  const file = newFile();
  const { store } = await open(file);
  await store.insert(accept(SECRET));
  await store.insert(accept(sampleDelivery(2)));
  const db = new Database(file);
  db.prepare('UPDATE queue SET sealed = zeroblob(length(sealed)) WHERE row_id = 1').run();
  db.close();

  const { deliveries } = await store.claimDue(claim({ nowMs: NOW + 20_000 }));
  expect(deliveries).toEqual([sampleDelivery(2)]);
  expect(await store.findDeliveries({ limit: 1, id: SECRET.id })).toMatchObject([
    { status: 'misconfigured', reason: 'undecryptable', settledAtMs: NOW + 20_001 },
  ]);
});

test('decrypts only for the same context and under the same key', () => {
  const sealer = new Sealer(KEY_A);
  const other = new Sealer(KEY_B);
  const bytes = fc.uint8Array({ maxLength: 300 });
  const rule = fc.property(bytes, fc.string(), fc.string(), (plain, context, wrongContext) => {
    fc.pre(context !== wrongContext);
    const sealed = sealer.seal(plain, context);
    expect(sealer.open(sealed, context)).toEqual(Buffer.from(plain));
    expect(sealer.open(sealed, wrongContext)).toBeUndefined();
    expect(other.open(sealed, context)).toBeUndefined();
  });
  fc.assert(rule);
});

test('decrypts nothing that was changed or truncated', () => {
  const sealer = new Sealer(KEY_A);
  const sealed = sealer.seal(Buffer.from('token'), 'row');
  const position = fc.nat({ max: sealed.length - 1 });
  fc.assert(
    fc.property(position, fc.integer({ min: 1, max: 255 }), (index, change) => {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(sealed.readUInt8(index) ^ change, index);
      expect(sealer.open(changed, 'row')).toBeUndefined();
      expect(sealer.open(sealed.subarray(0, index), 'row')).toBeUndefined();
    }),
  );
});
