// One delivery from its first attempt to its end or its next due time.

import { expect, test } from 'vitest';
import { CALM } from '../../support/virtual-core.ts';
import { DEAD, MISCONFIGURED, REJECTED, SECOND, setup } from './one-delivery.ts';
import { DELIVERED, FAILED, LOST, REFUSED, TIMEOUT } from './samples.ts';

test.each([
  ['delivered', DELIVERED, undefined],
  ['unregistered', DEAD, 'UNREGISTERED'],
  ['rejected', REJECTED, 'INVALID_ARGUMENT'],
  ['misconfigured', MISCONFIGURED, 'PERMISSION_DENIED'],
] as const)('a %s outcome is final, after one try', async (status, outcome, reason) => {
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
  'an attempt that %s is followed by another one at once, and both are in the log',
  async (_name, outcome) => {
    const { virtual, send, row } = await setup([outcome, DELIVERED]);
    const ended = send();
    await virtual.clock.run(100);
    expect(ended.end?.next.status).toBe('delivered');
    expect(virtual.pushes.map(({ atMs }) => atMs)).toEqual([0, 20]);
    expect([...(row()?.attempts.keys() ?? [])]).toEqual([1, 2]);
  },
);

test('an attempt that was lost is not followed at once while other machines may have taken it over', async () => {
  const { virtual, send, row } = await setup([LOST, DELIVERED]);
  virtual.store.mayRetry = () => virtual.pushes.length === 0;
  const ended = send();
  await virtual.clock.run(100);
  expect(ended.end?.next).toMatchObject({ status: 'queued' });
  expect(virtual.pushes).toHaveLength(1);
  expect(row()?.status).toBe('queued');
});

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

test('a token that was quarantined meanwhile gets no push', async () => {
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

test('wrong credentials end a delivery whose caller waits, and keep one that was answered queued', async () => {
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

test('a renewed delivery stays open while it is being sent', async () => {
  const { virtual, send } = await setup([FAILED], 4_000);
  await virtual.clock.run(50 * SECOND);
  const ended = send(true);
  await virtual.clock.run(SECOND);
  virtual.core.sender.renew('a', virtual.clock.nowMs() + 60 * SECOND);
  await virtual.clock.run(4 * SECOND);
  expect(ended.end?.next.status).toBe('queued');
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

test('an ended delivery is counted until it is in the log', async () => {
  const { virtual, send } = await setup([DELIVERED]);
  virtual.weather = CALM;
  send();
  expect(virtual.core.sender.running).toBe(1);
  await virtual.clock.run(100);
  expect(virtual.core.sender.running).toBe(0);
  await virtual.core.sender.recorded();
});
