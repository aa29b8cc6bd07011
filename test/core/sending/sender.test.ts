// One delivery from its first attempt to its end or its next due time.

import { expect, test } from 'vitest';
import type { Outcome } from '../../../src/core/outcome.ts';
import type { SendEnd } from '../../../src/core/sending/endings.ts';
import type { Row } from '../../support/memory-rows.ts';
import { CALM, createVirtualCore, type VirtualCore } from '../../support/virtual-core.ts';
import { acceptedOf, DELIVERED, deliveryOf, FAILED, LOST, REFUSED, TIMEOUT } from './samples.ts';

const SECOND = 1_000;
const DEAD: Outcome = { kind: 'unregistered', reason: 'UNREGISTERED' };
const MISCONFIGURED: Outcome = { kind: 'misconfigured', reason: 'PERMISSION_DENIED' };
const REJECTED: Outcome = { kind: 'rejected', reason: 'INVALID_ARGUMENT', blame: 'message' };

function outcomesOf(row: Row | undefined) {
  return [...(row?.attempts.values() ?? [])].map(({ number, outcome }) => [number, outcome.kind]);
}

/** One delivery whose attempts end as listed, the last outcome for all further ones. */
async function setup(outcomes: readonly [Outcome, ...Outcome[]], endsAfterMs = 20) {
  const virtual = await createVirtualCore();
  virtual.core.retrier.stop();
  virtual.weather = () => {
    const outcome = outcomes[virtual.pushes.length] ?? outcomes.at(-1) ?? DELIVERED;
    return { outcome, endsAfterMs, isTaken: outcome.kind === 'delivered' };
  };
  const [lane] = virtual.core.lanes.all;
  if (lane === undefined) throw new Error('no lane');
  const delivery = deliveryOf('a', virtual.clock.nowMs());
  const accepted = { ...acceptedOf(delivery, virtual.clock.nowMs()), owner: virtual.core.owner };
  await virtual.store.insert(accepted);
  /** Sends it once more, as a caller's or the retrier's. */
  const send = (isPromised = false, given = {}) => {
    const ended: { end?: SendEnd } = {};
    void virtual.core.sender
      .send({ ...delivery, ...given }, lane, {
        stored: Promise.resolve(true),
        isPromised: () => isPromised,
      })
      .then((end) => {
        ended.end = end;
      });
    return ended;
  };
  const row = () => virtual.store.rows.get('a');
  return { virtual, lane, delivery, send, row };
}

test.each([
  ['delivered', DELIVERED, undefined],
  ['unregistered', DEAD, 'UNREGISTERED'],
  ['rejected', REJECTED, 'INVALID_ARGUMENT'],
  ['misconfigured', MISCONFIGURED, 'PERMISSION_DENIED'],
] as const)('what is %s is settled at once and tried once', async (status, outcome, reason) => {
  const { virtual, send, row } = await setup([outcome]);
  const ended = send();
  await virtual.clock.run(100);
  expect(ended.end?.next).toEqual(reason === undefined ? { status } : { status, reason });
  expect(row()).toMatchObject({ status, reason });
  expect(virtual.pushes).toHaveLength(1);
});

test.each([
  ['was not processed', REFUSED],
  ['was lost', LOST],
  ['stayed unanswered', TIMEOUT],
])(
  'an attempt that %s is followed by one at once, and both are in the log',
  async (_name, outcome) => {
    const { virtual, send, row } = await setup([outcome, DELIVERED]);
    const ended = send();
    await virtual.clock.run(100);
    expect(ended.end?.next.status).toBe('delivered');
    expect(virtual.pushes.map(({ atMs }) => atMs)).toEqual([0, 20]);
    expect([...(row()?.attempts.keys() ?? [])]).toEqual([1, 2]);
  },
);

test('an attempt that the provider answered with a failure waits for its next due time', async () => {
  const { virtual, send, row } = await setup([FAILED]);
  const ended = send();
  await virtual.clock.run(100);
  expect(ended.end?.next).toMatchObject({ status: 'queued' });
  expect(virtual.pushes).toHaveLength(1);
  expect((row()?.dueAtMs ?? 0) - virtual.clock.nowMs()).toBeGreaterThan(500);
  expect(row()?.owner).toBeUndefined();
});

test('nothing starts after the useful life', async () => {
  const { virtual, send, row } = await setup([DELIVERED]);
  await virtual.clock.run(52 * SECOND + 1);
  const ended = send();
  await virtual.clock.run(0);
  expect(ended.end?.next).toEqual({ status: 'expired' });
  expect(row()?.status).toBe('expired');
  expect(virtual.pushes).toEqual([]);
});

test('an attempt at the very last moment of the useful life still starts', async () => {
  const { virtual, send } = await setup([DELIVERED]);
  await virtual.clock.run(52 * SECOND);
  const ended = send();
  await virtual.clock.run(100);
  expect(ended.end?.next.status).toBe('delivered');
});

test('a failure with no useful life left for another attempt expires with its reason', async () => {
  const { virtual, send } = await setup([FAILED]);
  await virtual.clock.run(51_800);
  const ended = send();
  await virtual.clock.run(100);
  expect(ended.end?.next).toEqual({ status: 'expired', reason: 'UNAVAILABLE' });
});

test('a token that was condemned meanwhile is not asked for', async () => {
  const { virtual, delivery, send } = await setup([DELIVERED]);
  const token = { app: 'default', provider: 'fcm', tokenHash: delivery.tokenHash } as const;
  virtual.core.quarantine.condemn(token, { kind: 'unregistered', reason: 'UNREGISTERED' });
  const ended = send();
  await virtual.clock.run(100);
  expect(ended.end?.next).toEqual({ status: 'unregistered', reason: 'UNREGISTERED' });
  expect(virtual.pushes).toEqual([]);
});

test('a token that is held back waits for the end of its hold, and no attempt is spent', async () => {
  const { virtual, delivery, send, row } = await setup([DELIVERED]);
  const token = { app: 'default', provider: 'fcm', tokenHash: delivery.tokenHash } as const;
  const hold = virtual.core.quarantine.hold(token, { reason: 'QUOTA_EXCEEDED', forMs: 20_000 });
  const ended = send();
  await virtual.clock.run(100);
  expect(ended.end?.next).toMatchObject({ status: 'queued', notBeforeMs: hold.untilMs });
  expect(row()).toMatchObject({ notBeforeMs: hold.untilMs });
  expect(virtual.pushes).toEqual([]);
});

test('a token held back beyond the useful life ends the delivery, saying for how long', async () => {
  const { virtual, delivery, send } = await setup([DELIVERED]);
  const token = { app: 'default', provider: 'fcm', tokenHash: delivery.tokenHash } as const;
  virtual.core.quarantine.hold(token, { reason: 'QUOTA_EXCEEDED', forMs: 90_000 });
  const ended = send();
  await virtual.clock.run(0);
  expect(ended.end).toMatchObject({ next: { status: 'expired' }, heldForMs: 90_000 });
});

test('wrong credentials end what its caller waits for, and keep what was promised', async () => {
  const { virtual, send } = await setup([MISCONFIGURED]);
  const promised = send(true);
  await virtual.clock.run(100);
  expect(promised.end?.next.status).toBe('queued');
  const waited = send(false);
  await virtual.clock.run(100);
  expect(waited.end?.next.status).toBe('misconfigured');
});

test('an unanswered attempt is followed by one at once only the first time', async () => {
  const { virtual, send } = await setup([TIMEOUT]);
  const ended = send(true, { attempts: 2, unanswered: 2 });
  await virtual.clock.run(100);
  expect(virtual.pushes).toHaveLength(1);
  const next = ended.end?.next;
  expect(next).toMatchObject({ status: 'queued', notBeforeMs: expect.any(Number) });
});

test('the fourth unanswered attempt is the last', async () => {
  const { virtual, send } = await setup([TIMEOUT]);
  const ended = send(true, { attempts: 3, unanswered: 3 });
  await virtual.clock.run(100);
  expect(ended.end?.next).toEqual({ status: 'expired', reason: 'uncertain' });
});

test('a delivery that finds the breaker open is left for later without an attempt', async () => {
  const { virtual, lane, send } = await setup([FAILED]);
  for (const tokenHash of ['x', 'y', 'z']) {
    const ticket = await lane.enter('proven', { waitMs: 0 });
    if (ticket !== undefined) lane.leave(ticket, { outcome: FAILED, tokenHash });
  }
  const ended = send();
  await virtual.clock.run(0);
  expect(ended.end).toMatchObject({
    next: { status: 'queued' },
    outcome: { reason: 'provider_unavailable' },
  });
  expect(virtual.pushes).toEqual([]);
});

test('a renewed delivery lives on while it is being sent', async () => {
  const { virtual, send } = await setup([FAILED], 4_000);
  await virtual.clock.run(50 * SECOND);
  const ended = send(true);
  await virtual.clock.run(SECOND);
  virtual.core.sender.renew('a', virtual.clock.nowMs() + 60 * SECOND);
  await virtual.clock.run(4 * SECOND);
  expect(ended.end?.next.status).toBe('queued');
});

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

test('a late answer while the next attempt waits for its place takes that attempt’s place', async () => {
  const { virtual, lane, send, row } = await setup([TIMEOUT]);
  const late = { outcome: DELIVERED, afterMs: 500 };
  virtual.weather = () => ({ outcome: TIMEOUT, endsAfterMs: 20, isTaken: true, late });
  const ended = send();
  await virtual.clock.run(10);
  // All places are taken meanwhile, by others who leave later.
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

/** Times at which the log says that an open delivery was delivered: a crash then would push it once more. */
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

test('what was claimed while its late answer is written is not sent', async () => {
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

test('what is left of the lifetime shrinks with every attempt', async () => {
  const { virtual, delivery } = await setup([DELIVERED]);
  const first = virtual.core.sender.messageOf(delivery);
  await virtual.clock.run(10 * SECOND);
  const second = virtual.core.sender.messageOf(delivery);
  expect([first.remainingMs, second.remainingMs]).toEqual([60 * SECOND, 50 * SECOND]);
  expect(second.expiresAtUnixSeconds).toBe(first.expiresAtUnixSeconds);
});

test('the expiry that Apple gets is corrected by the skew of this machine’s clock', async () => {
  const { virtual, delivery } = await setup([DELIVERED]);
  const plain = virtual.core.sender.messageOf(delivery).expiresAtUnixSeconds;
  virtual.core.skew.note(virtual.clock.wallMs() + 90 * SECOND);
  expect(virtual.core.sender.messageOf(delivery).expiresAtUnixSeconds).toBe(plain + 90);
});

test('what ended is counted until it is in the log', async () => {
  const { virtual, send } = await setup([DELIVERED]);
  virtual.weather = CALM;
  send();
  expect(virtual.core.sender.running).toBe(1);
  await virtual.clock.run(100);
  expect(virtual.core.sender.running).toBe(0);
  await virtual.core.sender.recorded();
});
