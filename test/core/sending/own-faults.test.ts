// A bug ends one delivery: an adapter that throws, a database that refuses a row. It is logged with its cause, its
// place in flight is free again, and all other pushes and retries go on.

import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  call,
  createVirtualCore,
  type Told,
  type VirtualCore,
  type Weather,
} from '../../support/virtual-core.ts';
import { DELIVERED, FAILED, faultsOf, LOST, REFUSED, TIMEOUT } from './samples.ts';

const SECOND = 1_000;
const FAULT = new Error('a fault for the test');

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(unhandled.splice(0)).toEqual([]);
});

/** The first tries for this token have the listed outcomes; later ones are taken. */
function firstTries(token: string, outcomes: readonly (typeof FAILED)[]): Weather {
  let tries = 0;
  return (push) => {
    if (push.token !== token) return { outcome: DELIVERED, endsAfterMs: 40, isTaken: true };
    const outcome = outcomes[tries] ?? DELIVERED;
    tries += 1;
    return { outcome, endsAfterMs: 20, isTaken: outcome.kind === 'delivered' };
  };
}

function rowOf(virtual: VirtualCore, token: string) {
  const row = [...virtual.store.rows.values()].find(
    ({ delivery }) => delivery.target.token === token,
  );
  return row === undefined ? undefined : { status: row.status, reason: row.reason };
}

/** Nothing leaked, and the next payment arrives. */
async function expectHealthy(virtual: VirtualCore): Promise<void> {
  const [lane] = virtual.core.lanes.all;
  expect([lane?.inFlight, lane?.queued, virtual.core.sender.running]).toEqual([0, 0, 0]);
  const other = call(virtual, 'the next');
  await virtual.clock.run(SECOND);
  expect(other.status).toBe('delivered');
}

/** The retrier still works: a delivery that fails now is delivered by a later try. */
async function expectRetries(virtual: VirtualCore): Promise<void> {
  virtual.weather = firstTries('retried', [FAILED, FAILED]);
  const retried = call(virtual, 'retried');
  await virtual.clock.run(20 * SECOND);
  expect(retried.status).toBe('queued');
  expect(rowOf(virtual, 'retried')?.status).toBe('delivered');
}

test('an adapter that throws in send ends that delivery as a bug', async () => {
  const virtual = await createVirtualCore();
  virtual.faults.set('send', FAULT);
  const told = call(virtual, 'a');
  await virtual.clock.run(10);
  expect(told).toMatchObject({ code: 'internal', details: { reason: 'internal_error' } });
  expect(rowOf(virtual, 'a')).toEqual({ status: 'rejected', reason: 'internal_error' });
  expect(faultsOf(virtual.events)).toEqual(['provider: a fault for the test']);
  await expectHealthy(virtual);
  await expectRetries(virtual);
});

test('an adapter that throws in prepare on the first try leaves no delivery', async () => {
  const virtual = await createVirtualCore();
  virtual.faults.set('prepare', FAULT);
  const told = call(virtual, 'a');
  await virtual.clock.run(10);
  expect(told.code).toBe('internal');
  expect(virtual.store.rows.size).toBe(0);
  expect(faultsOf(virtual.events)).toEqual(['provider: a fault for the test']);
  await expectHealthy(virtual);
});

test.each([
  ['not processed', REFUSED],
  ['lost', LOST],
  ['unanswered', TIMEOUT],
])(
  'an adapter that throws in prepare on the second try, after one that was %s, ends that delivery',
  async (_name, outcome) => {
    const virtual = await createVirtualCore();
    virtual.weather = firstTries('a', [outcome]);
    const told = call(virtual, 'a');
    virtual.faults.set('prepare', FAULT);
    await virtual.clock.run(100);
    expect(told).toMatchObject({ code: 'internal', details: { reason: 'internal_error' } });
    expect(rowOf(virtual, 'a')).toEqual({ status: 'rejected', reason: 'internal_error' });
    expect(faultsOf(virtual.events)).toEqual(['provider: a fault for the test']);
    await expectHealthy(virtual);
    await expectRetries(virtual);
  },
);

test('an adapter that throws in prepare for a retry from the store ends only that delivery', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = firstTries('a', [FAILED]);
  const told = call(virtual, 'a');
  await virtual.clock.run(100);
  virtual.faults.set('prepare', FAULT);
  await virtual.clock.run(5 * SECOND);
  expect(told.status).toBe('queued');
  expect(rowOf(virtual, 'a')).toEqual({ status: 'rejected', reason: 'internal_error' });
  await expectHealthy(virtual);
  await expectRetries(virtual);
});

test('a probe whose adapter throws makes way for the next', async () => {
  const virtual = await createVirtualCore();
  const [lane] = virtual.core.lanes.all;
  virtual.weather = () => ({ outcome: FAILED, endsAfterMs: 10, isTaken: false });
  for (const token of ['a', 'b', 'c', 'd']) call(virtual, token);
  for (let n = 0; lane?.isOpen === false && n < 100; n += 1) await virtual.clock.run(100);
  virtual.faults.set('send', FAULT);
  await virtual.clock.run(SECOND);
  virtual.weather = firstTries('none', []);
  await virtual.clock.run(5 * SECOND);
  expect(lane?.isOpen).toBe(false);
  await expectHealthy(virtual);
});

test('a row that the database refuses is no reason to hold a push back', async () => {
  const virtual = await createVirtualCore();
  virtual.store.faults.set('insert', FAULT);
  const told = call(virtual, 'a');
  await virtual.clock.run(SECOND);
  expect(told.status).toBe('delivered');
  expect(faultsOf(virtual.events)).toEqual(['store.insert: a fault for the test']);
  await expectHealthy(virtual);
  await expectRetries(virtual);
});

test('a delivery whose row the database refuses is not queued but a bug', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = firstTries('a', [FAILED]);
  virtual.store.faults.set('insert', FAULT);
  const told = call(virtual, 'a');
  await virtual.clock.run(10 * SECOND);
  expect(told.code).toBe('internal');
  await expectHealthy(virtual);
});

test('an attempt that the database refuses to record ends its delivery, and no caller hears queued', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = firstTries('a', [FAILED]);
  virtual.store.faults.set('settle', FAULT);
  const told = call(virtual, 'a');
  await virtual.clock.run(10 * SECOND);
  expect(told).toMatchObject({ code: 'internal', details: { reason: 'internal_error' } });
  expect(rowOf(virtual, 'a')).toEqual({ status: 'expired', reason: 'internal_error' });
  expect(faultsOf(virtual.events)).toEqual(['store.settle: a fault for the test']);
  await expectHealthy(virtual);
  await expectRetries(virtual);
});

test('if the database refuses to record the end of a push, the end is recorded without the attempt', async () => {
  const virtual = await createVirtualCore();
  virtual.store.faults.set('settle', FAULT);
  const told = call(virtual, 'a');
  await virtual.clock.run(SECOND);
  expect(told.status).toBe('delivered');
  expect(rowOf(virtual, 'a')).toEqual({ status: 'delivered', reason: 'internal_error' });
  await expectHealthy(virtual);
});

test('a claim that fails once is made again: retries do not stop silently', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = firstTries('a', [FAILED]);
  const told = call(virtual, 'a');
  await virtual.clock.run(100);
  virtual.store.faults.set('claimDue', FAULT);
  await virtual.clock.run(10 * SECOND);
  expect(told.status).toBe('queued');
  expect(rowOf(virtual, 'a')?.status).toBe('delivered');
  expect(faultsOf(virtual.events)).toEqual(['retrier: a fault for the test']);
  await expectHealthy(virtual);
});

test('if a provider’s return cannot be written, every delivery keeps its own due time', async () => {
  const virtual = await createVirtualCore();
  const untilMs = 4 * SECOND;
  virtual.weather = (push) =>
    push.atMs < untilMs
      ? { outcome: REFUSED, endsAfterMs: 2, isTaken: false }
      : { outcome: DELIVERED, endsAfterMs: 40, isTaken: true };
  const calls: Told[] = [];
  for (const token of ['a', 'b', 'c']) calls.push(call(virtual, token));
  await virtual.clock.run(3 * SECOND);
  virtual.store.faults.set('hasten', FAULT);
  await virtual.clock.run(20 * SECOND);
  expect(calls.map(({ status }) => status)).toEqual(['queued', 'queued', 'queued']);
  expect(faultsOf(virtual.events)).toEqual(['retrier: a fault for the test']);
  const statuses = [...virtual.store.rows.values()].map(({ status }) => status);
  expect(statuses).toEqual(['delivered', 'delivered', 'delivered']);
  await expectHealthy(virtual);
});

test('a late answer that cannot be written leaves the delivery as it was', async () => {
  const virtual = await createVirtualCore();
  let tries = 0;
  virtual.weather = (push) => {
    tries += 1;
    const late = { outcome: DELIVERED, afterMs: 9 * SECOND };
    return tries <= 2
      ? { outcome: TIMEOUT, endsAfterMs: push.timeoutMs, isTaken: true, late }
      : { outcome: DELIVERED, endsAfterMs: 40, isTaken: true };
  };
  const told = call(virtual, 'a');
  await virtual.clock.run(8 * SECOND);
  virtual.store.faults.set('confirm', FAULT);
  await virtual.clock.run(30 * SECOND);
  expect(told.status).toBe('queued');
  expect(faultsOf(virtual.events)).toEqual(['store.confirm: a fault for the test']);
  expect(rowOf(virtual, 'a')?.status).toBe('delivered');
  await expectHealthy(virtual);
});

test('a lookup of a repeat that fails is logged, and the push goes out', async () => {
  const virtual = await createVirtualCore();
  virtual.store.faults.set('findDuplicate', FAULT);
  const told = call(virtual, 'a', { duplicateOf: { key: 'a', windowMs: 3_600 * SECOND } });
  await virtual.clock.run(SECOND);
  expect(told.status).toBe('delivered');
  expect(faultsOf(virtual.events)).toEqual([expect.stringContaining('a fault for the test')]);
});
