// What the log knows of a key, by every kind of key, the same from the service's own reader and from a command's.

import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { LogKey } from '../../../src/core/ports/log.ts';
import { openReadOnly } from '../../../src/stores/sqlite/read-only.ts';
import { add, handleHash, sampleDevice, userHash } from '../../contract/device-samples.ts';
import {
  accept,
  NOW,
  quarantineEntry,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  settlement,
} from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';
import { KEYS } from './keys.ts';

const { newFile, open } = useFiles();
const REQUEST = '01986476-5555-7000-8000-00000000000a';

/** Deliveries 1 to 4; the third is for a device of alice. Refusals of each kind, an outage and a gap. */
async function setup() {
  const file = newFile();
  const { store, devices, log } = await open(file);
  const alice = sampleDevice(3, { user: 'alice' });
  await add(devices, alice);
  for (const number of [1, 2, 3, 4]) {
    const deviceId = number === 3 ? alice.device.id : undefined;
    const origin = { door: '/n/:handle', source: 'notify', requestId: requestId(number) };
    const receivedAtMs = NOW + number * 1_000;
    const delivery = sampleDelivery(number, { deviceId, origin, receivedAtMs });
    await store.insert(accept(delivery));
    if (number < 4) await store.settle(settlement(delivery));
  }
  await store.quarantine(quarantineEntry('token 2'));
  const db = new Database(file);
  const refuse = db.prepare(
    `INSERT INTO refusals (at_ms, last_at_ms, count, request_id, door, code, status, token_hash, handle_hash,
       subject_hash, device_id, delivery_id, fields, known)
     VALUES (@at, @at, 1, @request, '/n/:handle', @code, 429, @token, @handle, @subject, @device, @delivery, 'a,b', 1)`,
  );
  const none = { request: null, token: null, handle: null, subject: null, device: null };
  const row = { ...none, delivery: null, at: NOW };
  refuse.run({ ...row, code: 'rate_limited', token: sampleFingerprint('token 1') });
  refuse.run({ ...row, code: 'unknown_handle', handle: 'c'.repeat(32) });
  refuse.run({ ...row, code: 'overloaded', subject: sampleFingerprint('subject 9') });
  refuse.run({ ...row, code: 'bad_signature', device: alice.device.id, at: NOW + 9_000 });
  refuse.run({ ...row, code: 'bad_body', request: REQUEST });
  refuse.run({ ...row, code: 'duplicate', delivery: sampleId(2) });
  db.exec(`INSERT INTO outages (app, provider, reason, began_at_ms) VALUES ('default', 'fcm', 'timeout', 5);
    DELETE FROM gaps;
    INSERT INTO gaps (kind, began_at_ms, ended_at_ms, unlogged) VALUES ('stopped', 0, 7, 0), ('store', 8, 9, 2)`);
  db.close();
  return { file, store, log, alice };
}

function requestId(number: number): string {
  return `01986476-4c00-7000-a000-00000000000${number}`;
}

function whole(kind: LogKey['kind'], value: string): LogKey {
  return { kind, value, isWhole: true };
}

interface Case {
  readonly key: LogKey;
  readonly deliveries?: readonly number[];
  readonly refusals?: readonly string[];
}

const DEVICE = sampleDevice(3).device.id;
const OF_ALICE = { deliveries: [3], refusals: ['bad_signature'] };

const CASES: readonly Case[] = [
  { key: whole('delivery', sampleId(2)), deliveries: [2], refusals: ['duplicate'] },
  { key: whole('request', requestId(1)), deliveries: [1] },
  { key: whole('request', REQUEST), refusals: ['bad_body'] },
  {
    key: whole('token', sampleFingerprint('token 1')),
    deliveries: [1],
    refusals: ['rate_limited'],
  },
  { key: whole('subject', sampleFingerprint('subject 4')), deliveries: [4] },
  { key: whole('subject', sampleFingerprint('subject 9')), refusals: ['overloaded'] },
  { key: whole('handle', 'c'.repeat(32)), refusals: ['unknown_handle'] },
  { key: whole('device', DEVICE), ...OF_ALICE },
  { key: whole('user', userHash('alice')), ...OF_ALICE },
  { key: whole('handle', handleHash(3, 'lsps5')), ...OF_ALICE },
  {
    key: { kind: 'delivery', value: sampleId(1).slice(0, 8), isWhole: false },
    deliveries: [4, 3, 2, 1],
    refusals: ['duplicate'],
  },
  {
    key: { kind: 'delivery', value: sampleId(1).slice(0, 8), isWhole: false, end: '0003' },
    deliveries: [3],
  },
  {
    key: { kind: 'subject', value: sampleFingerprint('subject 4').slice(0, 8), isWhole: false },
    deliveries: [4],
  },
  { key: whole('subject', 'd'.repeat(32)) },
];

test('finds by every kind of key, from a thread of the service and from a command alike', async () => {
  const { file, log } = await setup();
  const reading = openReadOnly({ file, keys: KEYS });
  for (const { key, deliveries = [], refusals = [] } of CASES) {
    const found = await log.gather({ keys: [key], limit: 10 });
    expect(reading.gather({ keys: [key], limit: 10 })).toEqual(found);
    const name = JSON.stringify(key);
    expect(
      found.deliveries.map(({ id }) => id),
      name,
    ).toEqual(deliveries.map(sampleId));
    expect(new Set(found.refusals.map(({ code }) => code)), name).toEqual(new Set(refusals));
    expect(found.found, name).toEqual(deliveries.length + refusals.length === 0 ? [] : [key.kind]);
  }
  reading.close();
});

test('brings what surrounds a delivery', async () => {
  const { log, alice } = await setup();
  const { quarantined } = await log.gather({ keys: [whole('delivery', sampleId(2))], limit: 10 });
  expect(quarantined).toEqual([quarantineEntry('token 2')]);
  const found = await log.gather({ keys: [whole('delivery', sampleId(3))], limit: 10 });
  expect(found.devices).toEqual([expect.objectContaining({ id: alice.device.id, user: 'alice' })]);
  expect(found.outages).toEqual([
    { app: 'default', provider: 'fcm', reason: 'timeout', beganAtMs: 5, endedAtMs: undefined },
  ]);
  expect(found.gaps.map(({ kind, unlogged }) => [kind, unlogged])).toEqual([
    ['stopped', 0],
    ['store', 2],
  ]);
  expect(found.madeAtMs).toBe(7);
  expect(found.deliveries[0]).toMatchObject({ door: '/n/:handle', requestId: requestId(3) });
});

test('the newest come first, up to a limit and since a time', async () => {
  const { log } = await setup();
  const keys = [{ kind: 'delivery', value: sampleId(1).slice(0, 8), isWhole: false }] as const;
  const some = await log.gather({ keys, limit: 2 });
  expect(some.deliveries.map(({ id }) => id)).toEqual([4, 3].map(sampleId));
  const late = await log.gather({ keys, limit: 9, sinceMs: NOW + 2_500 });
  expect(late.deliveries.map(({ id }) => id)).toEqual([4, 3].map(sampleId));
  expect(late.refusals).toEqual([]);
});

test('counts page by page, the same from a thread of the service and from a command', async () => {
  const { file, log } = await setup();
  const reading = openReadOnly({ file, keys: KEYS });
  const options = { of: 'deliveries', sinceMs: NOW + 1_500, maxRows: 2 } as const;
  const first = await log.countPage(options);
  const lane = { beganAtMs: 0, app: 'default', provider: 'fcm', reason: undefined };
  expect(first.deliveries).toEqual([
    { ...lane, status: 'delivered', afterMs: 0, tokenHash: undefined, count: 1 },
    {
      ...{ ...lane, status: 'queued', afterMs: undefined },
      ...{ tokenHash: sampleFingerprint('token 4'), count: 1 },
    },
  ]);
  const second = await log.countPage({ ...options, beforeRowId: first.nextRowId });
  expect(second.deliveries.map(({ count }) => count)).toEqual([1]);
  const third = await log.countPage({ ...options, beforeRowId: second.nextRowId });
  expect([third.deliveries, third.nextRowId]).toEqual([[], undefined]);
  const refusals = await log.countPage({ of: 'refusals', sinceMs: NOW, maxRows: 100 });
  expect(refusals.refusals).toHaveLength(6);
  expect(reading.countPage(options)).toEqual(first);
  const spans = await log.countPage({ ...options, maxRows: 100, spanMs: 1_000 });
  expect(spans.deliveries.map(({ beganAtMs, status }) => [beganAtMs - NOW, status])).toEqual([
    [2_000, 'delivered'],
    [3_000, 'delivered'],
    [4_000, 'queued'],
  ]);
  expect(reading.countPage({ ...options, maxRows: 100, spanMs: 1_000 })).toEqual(spans);
  reading.close();
});
