// The core's way to the store: what a failing database misses it gets later, in order; a write that it refuses ends
// only one delivery.

import { expect, test } from 'vitest';
import type { ServiceEvent } from '../../../src/core/ports/observer.ts';
import { Ledger } from '../../../src/core/sending/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import {
  acceptedOf,
  attemptOf,
  DELIVERED,
  deliveryOf,
  FAILED,
  faultsOf,
  settlementOf,
} from './samples.ts';

function setup() {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const events: ServiceEvent[] = [];
  let recoveries = 0;
  const ledger = new Ledger({
    store,
    clock,
    observer: { observe: (event) => events.push(event) },
    onRecovered: () => {
      recoveries += 1;
    },
  });
  const insert = (id: string) =>
    ledger.insert(acceptedOf(deliveryOf(id, clock.nowMs()), clock.nowMs()));
  const names = () => events.map(({ name }) => name);
  return { clock, store, ledger, events, names, insert, recoveries: () => recoveries };
}

const QUEUED = { status: 'queued', dueAtMs: 0 } as const;
const RENEWAL = { deliveryId: 'a', expiresAtMs: 9, usefulUntilMs: 8, dueAtMs: 7, wallMs: 6 };

test('a row that was written is known to be stored', async () => {
  const { store, insert } = setup();
  await insert('a');
  expect(store.rows.get('a')?.status).toBe('queued');
});

test('trouble with the store is reported once, and its end once', async () => {
  const { clock, store, ledger, names, insert, recoveries } = setup();
  store.trouble = 'full';
  await insert('a');
  await insert('b');
  expect(ledger.trouble).toBe('full');
  expect(names()).toEqual(['store_failed']);
  await clock.run(5_000);
  store.trouble = undefined;
  await clock.run(1_000);
  expect(ledger.trouble).toBeUndefined();
  expect(names()).toEqual(['store_failed', 'store_recovered']);
  expect(recoveries()).toBe(1);
});

test('trouble that the store notices by itself changes the health, too', async () => {
  const { store, ledger } = setup();
  store.trouble = 'moved';
  await expect(store.findDeliveries({ limit: 1 })).rejects.toThrow('moved');
  expect(ledger.trouble).toBe('moved');
});

test('records that a failing store missed are written in their order when it works again', async () => {
  const { clock, store, ledger, insert } = setup();
  await insert('a');
  store.trouble = 'locked';
  const first = { attempt: attemptOf(1, FAILED), keepLeaseUntilMs: clock.nowMs() + 30_000 };
  await ledger.settle(settlementOf('a', QUEUED, first));
  await ledger.settle(
    settlementOf('a', { status: 'delivered' }, { attempt: attemptOf(2, DELIVERED) }),
  );
  expect(ledger.awaitsSettling('a')).toBe(true);
  store.trouble = undefined;
  await clock.run(1_000);
  expect(ledger.awaitsSettling('a')).toBe(false);
  const row = store.rows.get('a');
  expect(row?.status).toBe('delivered');
  expect([...(row?.attempts.keys() ?? [])]).toEqual([1, 2]);
});

test('a late answer that a failing store misses is written in its turn, and nothing is sent before', async () => {
  const { clock, store, ledger, insert } = setup();
  await insert('a');
  store.trouble = 'locked';
  await ledger.settle(settlementOf('a', QUEUED, { attempt: attemptOf(1, FAILED) }));
  const attempts = [attemptOf(1, DELIVERED)];
  const confirmation = { deliveryId: 'a', attempts, nowMs: 1, wallMs: 1 };
  expect(await ledger.confirm(confirmation)).toBe(true);
  expect(ledger.awaitsSettling('a')).toBe(true);
  store.trouble = undefined;
  await clock.run(1_000);
  expect(store.rows.get('a')?.status).toBe('delivered');
  expect(store.rows.get('a')?.attempts.get(1)?.outcome.kind).toBe('delivered');
  expect(ledger.pending).toBe(0);
});

test('a record that follows one that still waits does not overtake it', async () => {
  const { clock, store, ledger, insert } = setup();
  await insert('a');
  store.trouble = 'busy';
  await ledger.settle(settlementOf('a', QUEUED, { keepLeaseUntilMs: clock.nowMs() + 30_000 }));
  store.trouble = undefined;
  await ledger.settle(settlementOf('a', { status: 'delivered' }));
  expect(store.rows.get('a')?.status).toBe('queued');
  await ledger.flush();
  expect(store.rows.get('a')?.status).toBe('delivered');
});

test('the number of records that wait for the store is limited: the oldest is dropped', async () => {
  const { store, ledger } = setup();
  store.trouble = 'full';
  for (let n = 0; n <= 20_000; n += 1) {
    await ledger.settle(settlementOf(`${n}`, { status: 'delivered' }));
  }
  expect(ledger.pending).toBe(20_000);
  expect(ledger.awaitsSettling('0')).toBe(false);
});

test('a row that the database refuses ends that delivery as a bug, logged with its cause', async () => {
  const { store, ledger, events, insert } = setup();
  await insert('a');
  await insert('b');
  store.faults.set('settle', new Error('datatype mismatch'));
  await ledger.settle(settlementOf('a', QUEUED, { attempt: attemptOf(1, FAILED) }));
  await ledger.settle(settlementOf('b', { status: 'delivered' }));
  expect(store.rows.get('a')).toMatchObject({ status: 'expired', reason: 'internal_error' });
  expect(store.rows.get('b')?.status).toBe('delivered');
  expect(faultsOf(events)).toEqual(['store.settle: datatype mismatch']);
  expect(ledger.trouble).toBeUndefined();
});

test.each([
  'insert',
  'confirm',
  'renew',
  'quarantine',
  'recordReply',
  'releaseQuarantine',
] as const)('a fault in %s is logged and thrown to no caller', async (operation) => {
  const { clock, store, ledger, events } = setup();
  store.faults.set(operation, new Error('a fault'));
  const delivery = deliveryOf('a', clock.nowMs());
  const run = {
    insert: () => ledger.insert(acceptedOf(delivery, clock.nowMs())),
    confirm: () => ledger.confirm({ deliveryId: 'a', attempts: [], nowMs: 1, wallMs: 1 }),
    renew: () => ledger.renew(RENEWAL),
    quarantine: () =>
      ledger.quarantine({
        tokenHash: 'a',
        app: 'default',
        provider: 'fcm',
        kind: 'bad_token',
        reason: 'malformed_token',
        sinceMs: 1,
        untilMs: 2,
      }),
    recordReply: () => ledger.recordReply({ deliveryId: 'a', answeredAtMs: 1 }),
    releaseQuarantine: () => ledger.pardon(['a']),
  };
  await run[operation]();
  expect(faultsOf(events)).toEqual([expect.stringMatching(/^store\.\w+: a fault$/)]);
});

test('returns for a repeat whether the delivery was renewed, has ended or cannot be written', async () => {
  const { store, ledger, insert } = setup();
  await insert('a');
  expect(await ledger.renew(RENEWAL)).toBe('renewed');
  expect(await ledger.renew({ ...RENEWAL, deliveryId: 'ended' })).toBe('closed');
  store.trouble = 'full';
  expect(await ledger.renew(RENEWAL)).toBe('unavailable');
});

test('a delivery whose lease another took is reported', async () => {
  const { ledger, names, insert } = setup();
  await insert('a');
  await ledger.settle(settlementOf('a', { status: 'delivered' }, { owner: 'another' }));
  expect(names()).toEqual(['lease_lost']);
});

test('a push that arrived is delivered although another took its lease, but a failure is not recorded', async () => {
  const { store, ledger, names, insert } = setup();
  await insert('a');
  await insert('b');
  const next = { status: 'delivered' } as const;
  const owner = 'another';
  await ledger.settle(settlementOf('a', next, { owner, attempt: attemptOf(1, DELIVERED) }));
  await ledger.settle(settlementOf('b', QUEUED, { owner, attempt: attemptOf(1, FAILED) }));
  expect(names()).toEqual(['lease_lost', 'lease_lost']);
  expect(store.rows.get('a')?.status).toBe('delivered');
  expect(store.rows.get('b')).toMatchObject({ status: 'queued', attempts: new Map() });
});

test('a ledger that is closed plans nothing more', async () => {
  const { clock, store, ledger, names } = setup();
  store.trouble = 'full';
  await ledger.settle(settlementOf('a', QUEUED));
  ledger.close();
  await clock.run(60_000);
  expect(names()).toEqual(['store_failed']);
  expect(clock.timers).toBe(0);
});
