// A deadline ends the waiting but not the listening: a provider that answers late wakes the phone twice at most, and
// the log says so.

import { expect, test } from 'vitest';
import type { Outcome } from '../../../src/core/outcome.ts';
import { createVirtualCore, notificationOf, recipientOf } from '../../support/virtual-core.ts';

const SECOND = 1_000;
const TIMEOUT: Outcome = { kind: 'retry', reason: 'timeout', certainty: 'unanswered' };
const DELIVERED: Outcome = { kind: 'delivered' };

async function setup(afterMs: number) {
  const virtual = await createVirtualCore();
  virtual.weather = ({ timeoutMs }) => ({
    outcome: TIMEOUT,
    endsAfterMs: timeoutMs,
    isTaken: true,
    late: { outcome: DELIVERED, afterMs },
  });
  const said: string[] = [];
  const call = () =>
    virtual.core.dispatcher
      .accept(notificationOf(), recipientOf('a'))
      .then(({ status }) => said.push(status));
  return { virtual, said, call };
}

test('a provider that answers after 3 s costs two pushes and ends delivered', async () => {
  const { virtual, said, call } = await setup(3 * SECOND);
  void call();
  await virtual.clock.run(60 * SECOND);
  expect(said).toEqual(['delivered']);
  expect(virtual.pushes).toHaveLength(2);
  const [row] = virtual.store.rows.values();
  expect(row?.status).toBe('delivered');
  const attempts = [...(row?.attempts.values() ?? [])];
  expect(attempts.map(({ number, outcome }) => [number, outcome.kind])).toEqual([
    [1, 'delivered'],
    [2, 'retry'],
  ]);
  expect(attempts[0]?.latencyMs).toBe(3 * SECOND);
});

test('an answer after the delivery was queued settles it and cancels what was planned', async () => {
  const { virtual, said, call } = await setup(9 * SECOND);
  void call();
  await virtual.clock.run(120 * SECOND);
  expect(said).toEqual(['queued']);
  expect(virtual.pushes).toHaveLength(2);
  expect([...virtual.store.rows.values()].map(({ status }) => status)).toEqual(['delivered']);
});

test('a repeat after a late answer is a duplicate and wakes nobody', async () => {
  const { virtual, said, call } = await setup(9 * SECOND);
  void call();
  await virtual.clock.run(12 * SECOND);
  void call();
  await virtual.clock.run(60 * SECOND);
  expect(said).toEqual(['queued', 'duplicate']);
  expect(virtual.pushes).toHaveLength(2);
});

test('four unanswered attempts are the last, and the reason says that the phone may have got one', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = ({ timeoutMs }) => ({
    outcome: TIMEOUT,
    endsAfterMs: timeoutMs,
    isTaken: true,
  });
  void virtual.core.dispatcher.accept(notificationOf(), recipientOf('a'));
  await virtual.clock.run(60 * SECOND);
  expect(virtual.pushes).toHaveLength(4);
  const gaps = virtual.pushes.map(({ atMs }, n) => atMs - (virtual.pushes[n - 1]?.atMs ?? 0));
  expect(gaps[2]).toBeGreaterThanOrEqual(10 * SECOND);
  expect(gaps[3]).toBeGreaterThanOrEqual(10 * SECOND);
  const [row] = virtual.store.rows.values();
  expect(row).toMatchObject({ status: 'expired', reason: 'uncertain' });
});
