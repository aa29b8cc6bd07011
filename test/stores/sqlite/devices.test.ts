// Devices in the file: what it may not contain, what a new key changes, and what lookups may cost.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { keyIdOf, Sealer } from '../../../src/stores/sealing/seal.ts';
import { prepareEventRecording } from '../../../src/stores/sqlite/events/recording.ts';
import { prepareDeliveryOperations } from '../../../src/stores/sqlite/operations/deliveries.ts';
import { prepareDeviceQueries } from '../../../src/stores/sqlite/operations/device-queries.ts';
import { prepareDeviceOperations } from '../../../src/stores/sqlite/operations/devices.ts';
import { prepareQueueOperations } from '../../../src/stores/sqlite/operations/queue.ts';
import { prepareSearch } from '../../../src/stores/sqlite/operations/search.ts';
import {
  prepareFindDuplicate,
  prepareTokenQueries,
} from '../../../src/stores/sqlite/operations/token-queries.ts';
import { prepareUpkeepOperations } from '../../../src/stores/sqlite/operations/upkeep.ts';
import type { SqliteStoreEvent } from '../../../src/stores/sqlite/store.ts';
import { add, handleHash, sampleDevice, userHash } from '../../contract/device-samples.ts';
import { accept, DAY_MS, NOW, sampleDelivery, settlement } from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';
import { KEY_A, KEY_B } from './keys.ts';

const { newFile, open } = useFiles();
const ROTATED = { keys: { current: KEY_B, previous: [KEY_A] } };

const SAMPLE = sampleDevice(1, { user: 'SECRET-USER' });
const SECRET = {
  ...SAMPLE,
  device: {
    ...SAMPLE.device,
    target: { ...SAMPLE.device.target, token: 'SECRET-TOKEN', appData: 'SECRET-APP-DATA' },
    locale: 'SECRET-LOCALE',
    nodeIds: ['SECRET-NODE-ID'],
    secrets: { spark_ssp: ['SECRET-SECRET'] },
    handles: { notify: 'SECRET-HANDLE' },
  },
};

/** The bytes of all files of the database: the file itself, -wal, -shm. */
function bytesOnDisk(file: string): Buffer {
  const directory = dirname(file);
  return Buffer.concat(readdirSync(directory).map((name) => readFileSync(join(directory, name))));
}

function inspect<Value>(file: string, sql: string): Value[] {
  const db = new Database(file, { readonly: true });
  const values = db.prepare<[], Value>(sql).pluck().all();
  db.close();
  return values;
}

function change(file: string, sql: string): void {
  const db = new Database(file);
  db.exec(sql);
  db.close();
}

test('writes nothing about a device to the disk as plain text, whatever happens to it', async () => {
  const file = newFile();
  const { store, devices } = await open(file);
  const isClean = () => !bytesOnDisk(file).includes('SECRET');
  await add(devices, SECRET);
  expect(isClean()).toBe(true);
  await devices.replaceDevice({ ...SECRET, device: { ...SECRET.device, seenAtMs: NOW + 1 } });
  expect(isClean()).toBe(true);
  await devices.deleteDevice({ id: SECRET.device.id, wallMs: NOW });
  expect(isClean()).toBe(true);
  await add(devices, SECRET);
  await store.close();
  expect(isClean()).toBe(true);

  const rotated = await open(file, ROTATED);
  expect(await rotated.devices.findDevice(SECRET.device.id)).toEqual(SECRET.device);
  expect(isClean()).toBe(true);
  await rotated.store.close();
  expect(isClean()).toBe(true);
  expect(bytesOnDisk(file).includes('spark_ssp')).toBe(true);
});

test('overwrites the encrypted content when a device is replaced or deleted', async () => {
  const file = newFile();
  const { store, devices } = await open(file);
  await add(devices, SECRET);
  await add(devices, sampleDevice(2));
  const [first] = inspect<Buffer>(file, 'SELECT sealed FROM devices ORDER BY row_id');
  await devices.replaceDevice(SAMPLE);
  const [second] = inspect<Buffer>(file, 'SELECT sealed FROM devices ORDER BY row_id');
  await devices.deleteDevice({ id: SAMPLE.device.id, wallMs: NOW });
  await store.close();

  for (const sealed of [first, second]) {
    expect(sealed?.length).toBeGreaterThan(100);
    expect(sealed && bytesOnDisk(file).includes(sealed.subarray(40))).toBe(false);
  }
  expect(inspect(file, 'SELECT count(*) FROM devices')).toEqual([1]);
  expect(inspect(file, 'SELECT count(*) FROM handles')).toEqual([3]);
});

test('encrypts devices again when the key was replaced, and leaves nothing under the old one', async () => {
  const file = newFile();
  const before = await open(file);
  const all = Array.from({ length: 1_203 }, (_, number) => sampleDevice(number));
  await Promise.all(all.map((added) => add(before.devices, added)));
  // Makes SQLite move rows between pages, which leaves copies of them.
  const longer = all.filter((_, index) => index % 3 === 0).map(withLongToken);
  await Promise.all(longer.map((replaced) => before.devices.replaceDevice(replaced)));
  const gone = all.filter((_, index) => index % 3 !== 0).map(({ device }) => device.id);
  await Promise.all(gone.map((id) => before.devices.deleteDevice({ id, wallMs: NOW })));
  await before.store.insert(accept(sampleDelivery(1)));
  const schema = inspect<string>(file, 'SELECT sql FROM sqlite_schema ORDER BY name');
  await before.store.close();

  const events: SqliteStoreEvent[] = [];
  const onEvent = (event: SqliteStoreEvent) => events.push(event);
  const rotated = await open(file, { ...ROTATED, onEvent });
  expect(events).toEqual([{ name: 'key_rotated', resealedRows: longer.length + 1 }]);
  expect(bytesOnDisk(file).includes(keyIdOf(KEY_A))).toBe(false);
  await rotated.store.close();

  expect(inspect(file, 'SELECT sql FROM sqlite_schema ORDER BY name')).toEqual(schema);
  const after = await open(file, { keys: { current: KEY_B, previous: [] } });
  const found = await Promise.all(longer.map(({ device }) => after.devices.findDevice(device.id)));
  expect(found).toEqual(longer.map(({ device }) => device));
});

function withLongToken(stored: typeof SAMPLE): typeof SAMPLE {
  const { device } = stored;
  const target = { ...device.target, token: device.target.token.repeat(40) };
  return { ...stored, device: { ...device, target } };
}

test('takes a device that cannot be decrypted for missing, and lets it register again', async () => {
  const file = newFile();
  const { devices } = await open(file);
  const lost = sampleDevice(1, { user: 'alice' });
  await add(devices, lost);
  change(file, 'UPDATE devices SET sealed = zeroblob(length(sealed))');

  expect(await devices.findDevice(lost.device.id)).toBeUndefined();
  expect(await devices.findDeviceByHandle(handleHash(1, 'notify'))).toBeUndefined();
  expect(await devices.findDevicesByUser({ userHash: userHash('alice'), limit: 9 })).toEqual([]);
  const again = sampleDevice(2, { token: 1, user: 'alice' });
  const result = await add(devices, again, { maxPerUser: 1, maxDevices: 1 });
  expect(result).toEqual({ kind: 'added', device: again.device });
});

test('what was encrypted for one device cannot be decrypted for another', async () => {
  const file = newFile();
  const { devices } = await open(file);
  for (const number of [1, 2]) await add(devices, sampleDevice(number));
  change(
    file,
    `UPDATE devices SET sealed = (SELECT sealed FROM devices WHERE row_id = 1)
     WHERE row_id = 2`,
  );

  expect(await devices.findDevice(sampleDevice(1).device.id)).toBeDefined();
  expect(await devices.findDevice(sampleDevice(2).device.id)).toBeUndefined();
});

test('writes nothing to a device that was seen today and is not dead', async () => {
  const file = newFile();
  const { store, devices } = await open(file);
  await add(devices, sampleDevice(1));
  await add(devices, sampleDevice(2, { deadSinceMs: NOW }));
  change(
    file,
    `CREATE TRIGGER untouched BEFORE UPDATE ON devices BEGIN SELECT RAISE(ABORT, 'written'); END`,
  );
  const [first, second, third] = [1, 2, 1].map((token, index) => {
    const { tokenHash } = sampleDevice(token).hashes;
    return sampleDelivery(index, { tokenHash });
  });
  if (!first || !second || !third) throw new Error('three deliveries were made');
  for (const delivery of [first, second, third]) await store.insert(accept(delivery));

  expect(await store.settle(settlement(first))).toBe(true);
  const dead = { status: 'unregistered', reason: 'UNREGISTERED' } as const;
  expect(await store.settle(settlement(second, dead))).toBe(true);
  const tomorrow = settlement(third, { status: 'delivered' }, { nowMs: NOW + DAY_MS });
  await expect(store.settle(tomorrow)).rejects.toThrow('written');
});

test('scans only tables that are small', async () => {
  const file = newFile();
  await open(file);
  const db = new Database(file);
  const sealer = new Sealer(KEY_A);
  const statements: string[] = [];
  const prepare = db.prepare.bind(db);
  Object.assign(db, {
    prepare: (sql: string) => {
      statements.push(sql);
      return prepare(sql);
    },
  });
  const recording = prepareEventRecording(db, sealer);
  const { finish } = prepareDeliveryOperations(db, sealer, recording);
  prepareQueueOperations(db, sealer, finish);
  prepareDeviceOperations(db, sealer, finish);
  prepareDeviceQueries(db, sealer);
  prepareFindDuplicate(db);
  prepareTokenQueries(db);
  prepareUpkeepOperations(db, recording);
  const search = prepareSearch({ prepare: (sql) => db.prepare(sql) });
  const [id, tokenHash, subjectHash] = ['a', 'b', 'c'];
  for (const query of [{}, { id }, { tokenHash }, { subjectHash }, { tokenHash, subjectHash }]) {
    search({ limit: 1, ...query });
  }
  for (const status of ['queued', 'delivered', 'expired'] as const) search({ limit: 1, status });
  const plans = [...statements].map((sql) => ({
    sql,
    steps: db
      .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql.replaceAll(/\?|@\w+/g, '1')}`)
      .all()
      .map(({ detail }) => detail),
  }));
  db.close();

  expect(statements.length).toBeGreaterThan(40);
  const scanned = plans.flatMap(({ steps }) => steps.filter((step) => step.startsWith('SCAN')));
  // The queue is as long as the backlog, and `deliveries` is read from its newest row to the limit.
  const small =
    /^SCAN (endpoints|queue|late|ahead|CONSTANT ROW|\(subquery-\d+\))|^SCAN deliveries$/;
  expect(scanned.filter((step) => !small.test(step))).toEqual([
    'SCAN devices USING COVERING INDEX devices_by_sight',
  ]);
  const ofAllDeliveries = plans.filter(({ steps }) => steps.includes('SCAN deliveries'));
  expect(ofAllDeliveries.every(({ sql }) => /ORDER BY row_id (?:DESC )?LIMIT/.test(sql))).toBe(
    true,
  );
});

test('keeps its count of devices right when an operation is rolled back', async () => {
  const file = newFile();
  const { devices } = await open(file);
  const malformed = sampleDevice(3);
  const results = await Promise.allSettled([
    add(devices, sampleDevice(1)),
    add(devices, sampleDevice(1), { reuse: false }),
    add(devices, {
      ...malformed,
      hashes: { ...malformed.hashes, handleHashes: { notify: 'malformed' } },
    }),
    add(devices, sampleDevice(2)),
  ]);

  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
  ]);
  const one = sampleDevice(9);
  expect(await add(devices, one, { maxDevices: 2 })).toEqual({ kind: 'too_many' });
  expect(inspect(file, 'SELECT count(*) FROM devices')).toEqual([2]);
});
