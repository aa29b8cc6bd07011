// Proofs of a push after its attempt seemed to have failed, or while it is still under way: a late answer, a receipt.

import { expect, test } from 'vitest';
import type { VirtualCore } from '../../support/virtual-core.ts';
import { outcomesOf, setup } from './one-delivery.ts';
import { DELIVERED, TIMEOUT } from './samples.ts';

test('a late answer while the record of a failure is written counts', async () => {
  const { virtual, lane, delivery, row } = await setup([TIMEOUT]);
  const held = Promise.withResolvers<boolean>();
  const late = { outcome: DELIVERED, afterMs: 100 };
  virtual.weather = () => ({ outcome: TIMEOUT, endsAfterMs: 20, isTaken: true, late });
  const given = { ...delivery, attempts: 1, unanswered: 1 };
  const sent = virtual.core.sender.send(given, lane, {
    stored: held.promise,
    isPromised: () => true,
  });
  await virtual.clock.run(200);
  held.resolve(true);
  expect((await sent).next.status).toBe('delivered');
  await virtual.clock.run(0);
  expect(row()?.status).toBe('delivered');
});

test('a late answer while the next attempt waits for its place cancels that attempt', async () => {
  const { virtual, lane, send, row } = await setup([TIMEOUT]);
  const late = { outcome: DELIVERED, afterMs: 500 };
  virtual.weather = () => ({ outcome: TIMEOUT, endsAfterMs: 20, isTaken: true, late });
  const ended = send();
  await virtual.clock.run(10);
  // All places are taken meanwhile, by others who end later.
  const others = [];
  while (lane.freePlaces('unproven') > 0) {
    others.push(lane.enter('unproven', { waitMs: 0 }));
  }
  others.push(lane.enter('unproven', { waitMs: 60_000 }));
  await virtual.clock.run(1_000);
  for (const ticket of await Promise.all(others)) if (ticket !== undefined) lane.abandon(ticket);
  await virtual.clock.run(100);
  expect(ended.end?.next.status).toBe('delivered');
  expect(virtual.pushes).toHaveLength(1);
  expect(row()?.status).toBe('delivered');
  expect(lane.inFlight).toBe(0);
});

/**
 * Counts the times when the log has an open delivery with a delivered attempt: a crash then would push it a second
 * time.
 */
function watchOpenAndDelivered({ store }: VirtualCore): { count: number } {
  const seen = { count: 0 };
  const settle = store.settle.bind(store);
  store.settle = (settlement) => {
    const { next, attempt } = settlement;
    if (next.status === 'queued' && attempt?.outcome.kind === 'delivered') seen.count += 1;
    return settle(settlement);
  };
  return seen;
}

test('a receipt during an attempt that the provider takes ends the delivery with that attempt', async () => {
  const { virtual, send, row } = await setup([DELIVERED]);
  const openAndDelivered = watchOpenAndDelivered(virtual);
  const ended = send();
  await virtual.clock.run(10);
  expect(virtual.core.sender.proveByPhone('a')).toBe(true);
  await virtual.clock.run(0);
  expect(ended.end?.next).toEqual({ status: 'delivered', reason: 'receipt' });
  await virtual.clock.run(100);
  expect(openAndDelivered.count).toBe(0);
  expect(row()).toMatchObject({ status: 'delivered', reason: 'receipt' });
  expect(outcomesOf(row())).toEqual([[1, 'delivered']]);
});

test('a late answer after a receipt, while another attempt is under way, keeps that attempt in the log', async () => {
  const { virtual, send, row } = await setup([TIMEOUT]);
  const late = { outcome: DELIVERED, afterMs: 100 };
  virtual.weather = () =>
    virtual.pushes.length === 0
      ? { outcome: TIMEOUT, endsAfterMs: 20, isTaken: true, late }
      : { outcome: TIMEOUT, endsAfterMs: 500, isTaken: true };
  send();
  await virtual.clock.run(60);
  expect(virtual.core.sender.proveByPhone('a')).toBe(true);
  await virtual.clock.run(1_000);
  expect(row()).toMatchObject({ status: 'delivered', reason: 'receipt' });
  expect([...(row()?.attempts.keys() ?? [])]).toEqual([1, 2]);
  expect(virtual.core.sender.isSending('a')).toBe(false);
});

test('a late answer during an attempt that the provider takes ends the delivery with both', async () => {
  const { virtual, send, row } = await setup([TIMEOUT]);
  const openAndDelivered = watchOpenAndDelivered(virtual);
  const late = { outcome: DELIVERED, afterMs: 50 };
  virtual.weather = () =>
    virtual.pushes.length === 0
      ? { outcome: TIMEOUT, endsAfterMs: 20, isTaken: true, late }
      : { outcome: DELIVERED, endsAfterMs: 500, isTaken: true };
  const ended = send();
  await virtual.clock.run(60);
  expect(ended.end?.next).toEqual({ status: 'delivered' });
  await virtual.clock.run(1_000);
  expect(openAndDelivered.count).toBe(0);
  expect(row()?.status).toBe('delivered');
  expect(outcomesOf(row())).toEqual([
    [1, 'delivered'],
    [2, 'delivered'],
  ]);
});

test('a claimed delivery is not sent while its late answer is being written', async () => {
  const { virtual, lane, delivery, send, row } = await setup([TIMEOUT]);
  const late = { outcome: DELIVERED, afterMs: 5_000 };
  virtual.weather = () => ({ outcome: TIMEOUT, endsAfterMs: 20, isTaken: true, late });
  send(true, { attempts: 1, unanswered: 1 });
  await virtual.clock.run(4_999);
  const pushes = virtual.pushes.length;
  const written = Promise.withResolvers<void>();
  const confirm = virtual.store.confirm.bind(virtual.store);
  virtual.store.confirm = async (confirmation) => {
    await written.promise;
    return confirm(confirmation);
  };
  await virtual.clock.run(1);
  const sent = virtual.core.sender.send(delivery, lane, {
    stored: Promise.resolve(true),
    isPromised: () => true,
  });
  expect((await sent).next.status).toBe('delivered');
  written.resolve();
  await virtual.clock.run(100);
  expect(virtual.pushes).toHaveLength(pushes);
  expect(row()?.status).toBe('delivered');
});
