// How a delivery ends: what the log, the duplicates and the waiting callers learn, each once.

import { expect, test } from 'vitest';
import { DEFAULT_POLICY } from '../../../src/core/policy.ts';
import type { ServiceEvent } from '../../../src/core/ports/observer.ts';
import { Endings, type SendEnd } from '../../../src/core/sending/endings.ts';
import { Ledger } from '../../../src/core/sending/ledger.ts';
import { Duplicates } from '../../../src/core/tokens/duplicates.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import {
  acceptedOf,
  attemptOf,
  DELIVERED,
  deliveryOf,
  FAILED,
  faultsOf,
  OWNER,
} from './samples.ts';

const STORED = Promise.resolve(true);
const NOT_STORED = Promise.resolve(false);

async function setup(given = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const events: ServiceEvent[] = [];
  const observer = { observe: (event: ServiceEvent) => events.push(event) };
  const ledger = new Ledger({ store, clock, observer, onRecovered: () => {} });
  const duplicates = new Duplicates(clock, { maxKeys: 10 });
  const endings = new Endings({
    owner: OWNER,
    clock,
    policy: DEFAULT_POLICY,
    store,
    ledger,
    duplicates,
    observer,
  });
  const delivery = deliveryOf('a', clock.nowMs(), given);
  await store.insert(acceptedOf(delivery, clock.nowMs()));
  duplicates.hold('key', { deliveryId: 'a', end: Promise.resolve() }, 25_000);
  const watched: SendEnd[] = [];
  endings.watch('a', (end) => watched.push(end));
  const row = () => store.rows.get('a');
  return { clock, store, events, duplicates, endings, delivery, watched, row };
}

test('an end reaches the log, the waiting caller and the observer, once each', async () => {
  const { endings, delivery, watched, events, row } = await setup();
  const attempt = attemptOf(1, DELIVERED);
  endings.settle(delivery, STORED, { end: { next: { status: 'delivered' } }, attempt });
  endings.expired('a');
  await endings.recorded();
  expect(row()).toMatchObject({ status: 'delivered' });
  expect(watched.map(({ next }) => next.status)).toEqual(['delivered']);
  expect(endings.watched).toBe(0);
  expect(events.filter(({ name }) => name === 'delivery_settled')).toHaveLength(1);
});

test('a delivery without a row still ends, and nothing is written', async () => {
  const { endings, delivery, watched, row } = await setup();
  endings.settle(delivery, NOT_STORED, { end: { next: { status: 'expired' } } });
  await endings.recorded();
  expect(watched).toHaveLength(1);
  expect(row()?.status).toBe('queued');
});

test('a delivery that arrived keeps its key, one that did not gives it back', async () => {
  const arrived = await setup();
  arrived.endings.settle(arrived.delivery, STORED, { end: { next: { status: 'delivered' } } });
  expect(arrived.duplicates.find('key')).toMatchObject({ deliveryId: 'a', isOpen: false });
  const failed = await setup();
  failed.endings.settle(failed.delivery, STORED, { end: { next: { status: 'expired' } } });
  expect(failed.duplicates.find('key')).toBeUndefined();
});

test('an interrupted delivery was perhaps pushed: it keeps its key and says so', async () => {
  const { endings, delivery, duplicates, row } = await setup({ interrupted: true });
  endings.settle(delivery, STORED, { end: { next: { status: 'expired', reason: 'timeout' } } });
  await endings.recorded();
  expect(row()).toMatchObject({ status: 'expired', reason: 'interrupted' });
  expect(duplicates.find('key')?.deliveryId).toBe('a');
});

test('an interrupted delivery that arrives is simply delivered', async () => {
  const { endings, delivery, row } = await setup({ interrupted: true });
  endings.settle(delivery, STORED, { end: { next: { status: 'delivered' } } });
  await endings.recorded();
  expect(row()).toMatchObject({ status: 'delivered', reason: undefined });
});

test('a late answer settles a delivery that waits, and replaces the attempt it belongs to', async () => {
  const { endings, delivery, watched, row } = await setup();
  const attempt = attemptOf(1, FAILED);
  const next = { status: 'queued', dueAtMs: 9 } as const;
  await endings.recordQueued(delivery, STORED, { next, attempt, onLost: expect.unreachable });
  await endings.confirm(delivery, { attempts: [attemptOf(1, DELIVERED)] });
  expect(row()?.status).toBe('delivered');
  expect(row()?.attempts.get(1)?.outcome.kind).toBe('delivered');
  expect(watched.map(({ next }) => next.status)).toEqual(['delivered']);
});

test('a late answer to a delivery that has ended changes nothing', async () => {
  const { endings, delivery, duplicates, watched, row } = await setup();
  endings.settle(delivery, STORED, { end: { next: { status: 'expired' } } });
  await endings.recorded();
  await endings.confirm(delivery, { attempts: [attemptOf(1, DELIVERED)] });
  expect(row()?.status).toBe('expired');
  expect(watched).toHaveLength(1);
  expect(duplicates.find('key')).toBeUndefined();
});

test('a late answer during the write of the end changes nothing', async () => {
  const { endings, delivery, events, row } = await setup();
  const stored = Promise.withResolvers<boolean>();
  const attempt = attemptOf(2, DELIVERED);
  endings.settle(delivery, stored.promise, { end: { next: { status: 'delivered' } }, attempt });
  await endings.confirm(delivery, { attempts: [attemptOf(1, DELIVERED)] });
  stored.resolve(true);
  await endings.recorded();
  expect([...(row()?.attempts.keys() ?? [])]).toEqual([2]);
  expect(events.map(({ name }) => name)).toEqual(['delivery_settled']);
});

test('a bug ends the delivery with its cause in the log', async () => {
  const { endings, delivery, events, watched, row } = await setup();
  endings.fault(delivery, STORED, new Error('out of bounds'));
  await endings.recorded();
  expect(row()).toMatchObject({ status: 'rejected', reason: 'internal_error' });
  expect(watched).toHaveLength(1);
  expect(faultsOf(events)).toEqual(['sender: out of bounds']);
});

test('the time that a settled delivery took is measured from its receipt', async () => {
  const { clock, endings, delivery, events } = await setup();
  clock.advance(4_000);
  // A jump of the wall clock changes no duration.
  clock.jump(-3_600_000);
  endings.settle(delivery, STORED, { end: { next: { status: 'delivered' } } });
  expect(events.at(-1)).toMatchObject({ name: 'delivery_settled', sinceReceiptMs: 4_000 });
});

test('a caller who no longer waits is not told', async () => {
  const { endings, delivery, watched } = await setup();
  const unwatch = endings.watch('a', (end) => watched.push(end));
  unwatch();
  endings.settle(delivery, STORED, { end: { next: { status: 'delivered' } } });
  expect(watched).toEqual([]);
});
