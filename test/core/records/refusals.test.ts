// Refused calls on their way into the log: which ones are counted together, what is limited, and what a failing store
// loses.

import { expect, test } from 'vitest';
import type { ServiceEvent } from '../../../src/core/ports/observer.ts';
import { Refusals, type RefusedCall } from '../../../src/core/records/refusals.ts';
import {
  accept,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
} from '../../contract/store-samples.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryRecords } from '../../support/memory-records.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const MINUTE = 60_000;

function setup() {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const records = new MemoryRecords(store);
  const events: ServiceEvent[] = [];
  let isSick = false;
  const refusals = new Refusals({
    clock,
    records,
    observer: { observe: (event) => events.push(event) },
    isStoreSick: () => isSick,
  });
  return {
    clock,
    store,
    records,
    refusals,
    events,
    sicken: (sick = true) => {
      isSick = sick;
    },
    rows: async () => {
      await refusals.flush();
      return [...records.refusals.values()];
    },
  };
}

function known(number: number, changes: Partial<RefusedCall> = {}): RefusedCall {
  return {
    requestId: sampleId(number),
    door: '/n/:handle',
    source: 'notify',
    app: 'default',
    code: 'rate_limited',
    status: 429,
    deviceId: sampleId(77),
    tokenHash: sampleFingerprint('token'),
    subjectHash: sampleFingerprint(`subject ${number}`),
    isKnown: true,
    ...changes,
  };
}

function stranger(number: number, changes: Partial<RefusedCall> = {}): RefusedCall {
  return {
    requestId: sampleId(number),
    door: '/n/:handle',
    code: 'unknown_handle',
    status: 404,
    handleHash: sampleFingerprint(`handle ${number}`),
    isKnown: false,
    ...changes,
  };
}

test('is written a second after the first of them, all in one operation', async () => {
  const { clock, records, refusals } = setup();
  refusals.note(known(1));
  refusals.note(known(2));
  clock.advance(999);
  expect(records.writes).toBe(0);
  clock.advance(1);
  await refusals.flush();
  expect(records.writes).toBe(1);
  expect([...records.refusals.values()]).toEqual([
    { ...known(1), atMs: clock.wallMs() - 1_000, lastAtMs: clock.wallMs() - 1_000, count: 1 },
    { ...known(2), atMs: clock.wallMs() - 1_000, lastAtMs: clock.wallMs() - 1_000, count: 1 },
  ]);
});

test('writes nothing while nothing is refused', async () => {
  const { clock, records, refusals } = setup();
  refusals.note(known(1));
  clock.advance(MINUTE);
  await refusals.flush();
  clock.advance(MINUTE);
  await refusals.flush();
  expect(records.writes).toBe(1);
  expect(clock.timers).toBe(0);
});

test('counts the same refusal within a minute, written or not, and begins a new row after it', async () => {
  const { clock, refusals, rows } = setup();
  const startMs = clock.wallMs();
  refusals.note(known(1));
  refusals.note(known(1, { requestId: sampleId(2) }));
  await refusals.flush();
  clock.advance(59_999);
  refusals.note(known(1, { requestId: sampleId(3) }));
  await refusals.flush();
  clock.advance(1);
  refusals.note(known(1, { requestId: sampleId(4) }));
  expect(await rows()).toEqual([
    { ...known(1), atMs: startMs, lastAtMs: startMs + 59_999, count: 3 },
    {
      ...known(1, { requestId: sampleId(4) }),
      atMs: startMs + MINUTE,
      lastAtMs: startMs + MINUTE,
      count: 1,
    },
  ]);
});

test('keeps refusals apart that differ in anything but their request', async () => {
  const { refusals, rows } = setup();
  const calls = [
    known(1),
    known(2),
    known(1, { code: 'token_throttled' }),
    known(1, { limit: 'token_rate' }),
    known(1, { fields: 'data' }),
    known(1, { addressHash: sampleFingerprint('address') }),
    known(1, { deviceId: sampleId(78) }),
  ];
  for (const call of [...calls, ...calls]) refusals.note(call);
  expect((await rows()).map(({ count }) => count)).toEqual(calls.map(() => 2));
});

test('takes 20 new ones of strangers a second, and counts the others by door and code', async () => {
  const { clock, refusals, rows } = setup();
  for (let number = 0; number < 1_000; number += 1) refusals.note(stranger(number));
  const first = await rows();
  expect(first).toHaveLength(21);
  expect(first.at(-1)).toMatchObject({ door: '/n/:handle', code: 'unknown_handle', count: 980 });
  expect(first.at(-1)).not.toHaveProperty('handleHash');
  clock.advance(1_000);
  for (let number = 1_000; number < 2_000; number += 1) refusals.note(stranger(number));
  expect(await rows()).toHaveLength(41);
});

test('does not let strangers push out refusals of known callers', async () => {
  const { refusals, rows } = setup();
  for (let number = 0; number < 1_000; number += 1) refusals.note(stranger(number));
  refusals.note(known(1));
  expect((await rows()).at(-1)).toMatchObject({ deviceId: sampleId(77), count: 1 });
});

test('does not let one known caller fill the log with invented texts', async () => {
  const { clock, refusals, rows } = setup();
  for (let number = 0; number < 1_000; number += 1) refusals.note(known(number));
  refusals.note(known(1, { deviceId: sampleId(78) }));
  const found = await rows();
  expect(found).toHaveLength(22);
  expect(found[20]).toMatchObject({ deviceId: sampleId(77), code: 'rate_limited', count: 980 });
  expect(found[20]).not.toHaveProperty('subjectHash');
  expect(found[21]).toMatchObject({ deviceId: sampleId(78), count: 1 });
  clock.advance(2_000);
  for (let number = 1_000; number < 2_000; number += 1) refusals.note(known(number));
  expect(await rows()).toHaveLength(24);
});

test('keeps a limited number in memory', async () => {
  const { clock, refusals, rows } = setup();
  for (let number = 0; number < 25_000; number += 1) {
    refusals.note(known(number, { deviceId: sampleId(100_000 + number) }));
  }
  expect(refusals.size).toBe(10_001);
  for (let second = 0; second < 6; second += 1) {
    await refusals.flush();
    clock.advance(1_000);
  }
  const found = await rows();
  expect(found).toHaveLength(10_001);
  expect(found.reduce((sum, { count }) => sum + count, 0)).toBe(25_000);
  clock.advance(MINUTE);
  refusals.note(known(1));
  expect(refusals.size).toBe(1);
});

test('trims the log to its limits, and at the first row after a start', async () => {
  const { clock, records, refusals } = setup();
  const old = { ...known(1), atMs: 1, lastAtMs: 1, count: 1 };
  const oldStranger = { ...stranger(1), atMs: 2, lastAtMs: 2, count: 1 };
  for (let from = 0; from < 25_000; from += 500) {
    await records.writeRefusals({ added: Array(500).fill(old), counted: [], repeats: [] });
    await records.writeRefusals({ added: Array(500).fill(oldStranger), counted: [], repeats: [] });
  }
  const count = (isKnown: boolean) =>
    [...records.refusals.values()].filter((one) => one.isKnown === isKnown).length;
  refusals.note(known(1));
  await refusals.flush();
  expect(count(true)).toBe(18_000);
  refusals.note(stranger(1));
  await refusals.flush();
  expect(count(false)).toBe(9_000);
  for (let second = 0; second < 60; second += 1) {
    for (let number = 0; number < 20; number += 1) refusals.note(stranger(second * 20 + number));
    await refusals.flush();
    expect(count(false)).toBeLessThanOrEqual(10_000);
    clock.advance(1_000);
  }
  expect(count(false)).toBeGreaterThan(9_000);
});

test('counts repeats at their delivery, also beyond the limits for rows', async () => {
  const { store, refusals } = setup();
  await store.insert(accept(sampleDelivery(1)));
  for (let number = 0; number < 100; number += 1) {
    const call = known(number, { code: 'duplicate', status: 200, deliveryId: sampleId(1) });
    refusals.note(call);
  }
  await refusals.flush();
  const [found] = await store.findDeliveries({ id: sampleId(1), limit: 1 });
  expect(found).toMatchObject({ repeats: 100 });
});

test('keeps nothing for a store that fails, and counts what it lost', async () => {
  const { records, refusals, events, sicken, rows } = setup();
  refusals.note(known(1));
  records.trouble = 'full';
  await refusals.flush();
  sicken();
  for (let number = 2; number < 5; number += 1) refusals.note(known(number));
  expect(refusals.size).toBe(0);
  sicken(false);
  records.trouble = undefined;
  refusals.note(known(1));
  expect(await rows()).toEqual([expect.objectContaining({ count: 1, requestId: sampleId(1) })]);
  expect([refusals.takeDropped(), refusals.takeDropped()]).toEqual([4, 0]);
  expect(events).toEqual([]);
});

test('logs a row that the database refuses as a bug', async () => {
  const { records, refusals, events } = setup();
  const cause = new TypeError('a fingerprint must have 32 hex digits');
  records.writeRefusals = () => Promise.reject(cause);
  refusals.note(known(1));
  await refusals.flush();
  expect(events).toEqual([{ name: 'internal_fault', where: 'store.write_refusals', cause }]);
});

test('writes what is left when the process ends', async () => {
  const { clock, records, refusals } = setup();
  refusals.note(known(1));
  await refusals.close();
  expect(records.refusals.size).toBe(1);
  expect(clock.timers).toBe(0);
});
