// What every adapter of the port to the log must do: find everything about a key of any kind, and count page by page.

import { expect, test } from 'vitest';
import type { DeviceStore, StoredDevice } from '../../src/core/ports/devices.ts';
import type { LogKey, LogReader } from '../../src/core/ports/log.ts';
import type { Records, Refusal } from '../../src/core/ports/records.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { add, handleHash, sampleDevice, userHash } from './device-samples.ts';
import {
  accept,
  NOW,
  quarantineEntry,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  settlement,
} from './store-samples.ts';

export interface OpenedLog {
  readonly store: Store;
  readonly devices: DeviceStore;
  readonly records: Records;
  readonly log: LogReader;
}

const REQUEST = '01986476-5555-7000-8000-00000000000a';

/** Deliveries 1 to 4; the third is for a device of alice. Refusals of each kind, an outage and gaps. */
export async function setupLog({ store, devices, records }: OpenedLog): Promise<StoredDevice> {
  const alice = sampleDevice(3, { user: 'alice' });
  await add(devices, alice);
  for (const number of [1, 2, 3, 4]) {
    const deviceId = number === 3 ? alice.device.id : undefined;
    const origin = {
      door: '/n/:handle',
      source: 'notify',
      // The fourth has the id of its request, as most deliveries do.
      requestId: number === 4 ? sampleId(4) : requestId(number),
      isBroadcast: number !== 4,
    };
    const receivedAtMs = NOW + number * 1_000;
    const delivery = sampleDelivery(number, { deviceId, origin, receivedAtMs });
    await store.insert(accept(delivery));
    if (number < 4) await store.settle(settlement(delivery));
  }
  await store.quarantine(quarantineEntry('token 2'));
  const refusal = (code: string, named: Partial<Refusal>): Refusal => {
    const when = { atMs: NOW, lastAtMs: NOW, count: 1 };
    return {
      ...when,
      door: '/n/:handle',
      code,
      status: 429,
      fields: 'a,b',
      isKnown: true,
      ...named,
    };
  };
  const added = [
    refusal('rate_limited', { tokenHash: sampleFingerprint('token 1') }),
    refusal('unknown_handle', { handleHash: 'c'.repeat(32) }),
    refusal('overloaded', { subjectHash: sampleFingerprint('subject 9') }),
    refusal('bad_signature', {
      ...{ deviceId: alice.device.id, atMs: NOW + 9_000, lastAtMs: NOW + 9_000 },
    }),
    refusal('bad_body', { requestId: REQUEST }),
    refusal('duplicate', { deliveryId: sampleId(2) }),
  ];
  await records.writeRefusals({ added, counted: [], repeats: [] });
  await records.recordOutage({ app: 'default', provider: 'fcm', reason: 'timeout', beganAtMs: 5 });
  await records.recordGap({ kind: 'stopped', beganAtMs: 0, endedAtMs: 7, unlogged: 0 });
  await records.recordGap({ kind: 'store', beganAtMs: 8, endedAtMs: 9, unlogged: 2 });
  return alice;
}

function requestId(number: number): string {
  return `01986476-4c00-7000-a000-00000000000${number}`;
}

function whole(kind: LogKey['kind'], value: string): LogKey {
  return { kind, value, isWhole: true };
}

interface LogCase {
  readonly key: LogKey;
  readonly deliveries?: readonly number[];
  readonly refusals?: readonly string[];
}

const DEVICE = sampleDevice(3).device.id;
const OF_ALICE = { deliveries: [3], refusals: ['bad_signature'] };

export const LOG_CASES: readonly LogCase[] = [
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

export function logReaderContract(open: () => Promise<OpenedLog>): void {
  async function setup() {
    const opened = await open();
    return { ...opened, alice: await setupLog(opened) };
  }

  test('finds by every kind of key', async () => {
    const { log } = await setup();
    for (const { key, deliveries = [], refusals = [] } of LOG_CASES) {
      const found = await log.gather({ keys: [key], limit: 10 });
      const name = JSON.stringify(key);
      expect(
        found.deliveries.map(({ id }) => id),
        name,
      ).toEqual(deliveries.map(sampleId));
      expect(new Set(found.refusals.map(({ code }) => code)), name).toEqual(new Set(refusals));
      expect(found.found, name).toEqual(
        deliveries.length + refusals.length === 0 ? [] : [key.kind],
      );
    }
  });

  test('returns what happened around a delivery', async () => {
    const { log, alice } = await setup();
    const { quarantined } = await log.gather({ keys: [whole('delivery', sampleId(2))], limit: 10 });
    expect(quarantined).toEqual([quarantineEntry('token 2')]);
    const found = await log.gather({ keys: [whole('delivery', sampleId(3))], limit: 10 });
    expect(found.devices).toEqual([
      expect.objectContaining({ id: alice.device.id, user: 'alice' }),
    ]);
    expect(found.outages).toEqual([
      { app: 'default', provider: 'fcm', reason: 'timeout', beganAtMs: 5, endedAtMs: undefined },
    ]);
    expect(found.gaps.map(({ kind, unlogged }) => [kind, unlogged])).toEqual([
      ['stopped', 0],
      ['store', 2],
    ]);
    expect(found.madeAtMs).toBe(7);
    expect(found.deliveries[0]).toMatchObject({ door: '/n/:handle', requestId: requestId(3) });
    const named = await log.gather({ keys: [whole('delivery', sampleId(4))], limit: 10 });
    expect(named.deliveries[0]).toMatchObject({ id: sampleId(4), requestId: sampleId(4) });
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

  test('counts page by page', async () => {
    const { log } = await setup();
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
    const spans = await log.countPage({ ...options, maxRows: 100, spanMs: 1_000 });
    expect(spans.deliveries.map(({ beganAtMs, status }) => [beganAtMs - NOW, status])).toEqual([
      [2_000, 'delivered'],
      [3_000, 'delivered'],
      [4_000, 'queued'],
    ]);
  });

  test('finds calls that were only counted, by the time of a request whose id is not in the log', async () => {
    const { log, records } = await setup();
    const counted = { atMs: NOW + 20_000, lastAtMs: NOW + 50_000, count: 3 };
    const refusal = {
      ...counted,
      door: '/n/:handle',
      code: 'rate_limited',
      status: 429,
      isKnown: true,
    };
    await records.writeRefusals({ added: [refusal], counted: [], repeats: [] });
    const hex = (NOW + 30_000).toString(16).padStart(12, '0');
    const id = `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000001`;
    const found = await log.gather({ keys: [whole('request', id)], limit: 10 });
    expect(found).toMatchObject({ isGuess: true, found: ['request'], refusals: [counted] });
    const early = id.replace(hex.slice(0, 8), '01986470');
    const none = await log.gather({ keys: [whole('request', early)], limit: 10 });
    expect(none).toMatchObject({ isGuess: false, found: [], refusals: [] });
  });

  test('takes no character of a value for a wildcard', async () => {
    const { log } = await setup();
    for (const value of ['%', '_', '01986476_4c00', '01986476\\']) {
      const key = { kind: 'delivery', value, isWhole: false } as const;
      expect((await log.gather({ keys: [key], limit: 10 })).found).toEqual([]);
    }
  });

  test('an empty log knows nothing', async () => {
    const { log } = await open();
    const key = whole('token', sampleFingerprint('token 1'));
    const nothing = {
      deliveries: [],
      refusals: [],
      devices: [],
      quarantined: [],
      outages: [],
      gaps: [],
    };
    expect(await log.gather({ keys: [key], limit: 10 })).toEqual({
      ...{ ...nothing, found: [], isGuess: false, madeAtMs: undefined },
    });
    const page = { deliveries: [], refusals: [], nextRowId: undefined };
    expect(await log.countPage({ of: 'deliveries', sinceMs: 0, maxRows: 10 })).toEqual(page);
  });
}
