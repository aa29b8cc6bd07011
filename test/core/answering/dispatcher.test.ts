// What a caller is answered, and when.

import { expect, test } from 'vitest';
import type { Outcome } from '../../../src/core/outcome.ts';
import { CALM, call, createVirtualCore, type VirtualCore } from '../../support/virtual-core.ts';
import { DELIVERED, FAILED, REFUSED } from '../sending/samples.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const NEWS = { type: 'swap_updated', lifetimeMs: 24 * HOUR };

function answer(virtual: VirtualCore, outcome: Outcome, endsAfterMs = 20): void {
  const isTaken = outcome.kind === 'delivered';
  virtual.weather = () => ({ outcome, endsAfterMs, isTaken });
}

async function tell(virtual: VirtualCore, token = 'a', given = {}) {
  const told = call(virtual, token, given);
  await virtual.clock.run(100);
  return told;
}

test.each<[string, Outcome, string]>([
  ['dead', { kind: 'unregistered', reason: 'UNREGISTERED' }, 'token_unregistered'],
  ['bad', { kind: 'rejected', reason: 'BadDeviceToken', blame: 'token' }, 'token_rejected'],
  ['not to be sent', { kind: 'rejected', reason: 'X', blame: 'message' }, 'message_rejected'],
  ['ours', { kind: 'misconfigured', reason: 'PERMISSION_DENIED' }, 'provider_misconfigured'],
])(
  'what is %s is answered at once, with the reason and the delivery',
  async (_name, outcome, code) => {
    const virtual = await createVirtualCore();
    answer(virtual, outcome);
    const told = await tell(virtual);
    const reason = 'reason' in outcome ? outcome.reason : undefined;
    expect(told).toMatchObject({ code, atMs: 20, details: { reason } });
    const [id] = virtual.store.rows.keys();
    expect(told.details?.deliveryId).toBe(id);
  },
);

test('delivered is answered as soon as the provider took it, and the row is there', async () => {
  const virtual = await createVirtualCore();
  const told = await tell(virtual);
  expect(told).toMatchObject({ status: 'delivered', atMs: 40 });
  expect(virtual.store.rows.get(told.id ?? '')?.status).toBe('delivered');
});

test('a caller is answered after five seconds at the latest', async () => {
  const virtual = await createVirtualCore();
  answer(virtual, DELIVERED, 60 * SECOND);
  const told = call(virtual, 'a');
  await virtual.clock.run(10 * SECOND);
  expect(told).toMatchObject({ status: 'queued', atMs: 5 * SECOND });
  expect(virtual.core.dispatcher.waiting).toBe(0);
});

test('a push that arrives while the store fails is answered delivered and `logged: false`', async () => {
  const virtual = await createVirtualCore();
  virtual.store.trouble = 'full';
  expect(await tell(virtual)).toMatchObject({ status: 'delivered' });
  virtual.weather = CALM;
  answer(virtual, FAILED);
  expect(await tell(virtual, 'b')).toMatchObject({ code: 'store_unavailable' });
  expect(virtual.store.rows.size).toBe(0);
});

test('two calls at once push once: the repeat waits and gets the first one’s answer', async () => {
  const virtual = await createVirtualCore();
  const first = call(virtual, 'a');
  const repeat = call(virtual, 'a');
  await virtual.clock.run(39);
  expect([first.status, repeat.status]).toEqual([undefined, undefined]);
  await virtual.clock.run(10);
  expect([first.status, repeat.status]).toEqual(['delivered', 'duplicate']);
  expect(repeat.id).toBe(first.id);
  expect(virtual.pushes).toHaveLength(1);
});

test('while a first call is being refused, its repeat is refused, too; a later one is a new call', async () => {
  const virtual = await createVirtualCore();
  answer(virtual, { kind: 'rejected', reason: 'X', blame: 'message' });
  const first = call(virtual, 'a');
  const repeat = call(virtual, 'a');
  await virtual.clock.run(100);
  expect([first.code, repeat.code]).toEqual(['message_rejected', 'message_rejected']);
  virtual.weather = CALM;
  expect((await tell(virtual)).status).toBe('delivered');
});

test('source, type, device or app_data can make two notifications of one event', async () => {
  const virtual = await createVirtualCore();
  const key = { duplicateOf: { key: 'one event', windowMs: 25_000 } };
  const calls = [
    await tell(virtual, 'a', key),
    await tell(virtual, 'b', key),
    await tell(virtual, 'a', { ...key, type: 'lnurlpay_info' }),
    await tell(virtual, 'a', { ...key, deviceId: 'a device' }),
  ];
  expect(calls.map(({ status }) => status)).toEqual(Array(4).fill('delivered'));
  expect(await tell(virtual, 'a', key)).toMatchObject({ status: 'duplicate' });
});

test('a key whose window outlasts a restart is known to the next life', async () => {
  const virtual = await createVirtualCore();
  const given = { ...NEWS, duplicateOf: { key: 'a', windowMs: 24 * HOUR } };
  const first = await tell(virtual, 'a', given);
  await virtual.restart();
  expect(await tell(virtual, 'a', given)).toMatchObject({ status: 'duplicate', id: first.id });
});

test('a repeat of a queued delivery renews its useful life and is answered with its id', async () => {
  const virtual = await createVirtualCore();
  answer(virtual, REFUSED, 2);
  const first = await tell(virtual);
  await virtual.clock.run(30 * SECOND);
  const repeat = await tell(virtual);
  expect(repeat).toMatchObject({ status: 'duplicate', id: first.id });
  await virtual.clock.run(40 * SECOND);
  virtual.weather = CALM;
  await virtual.clock.run(10 * SECOND);
  expect(virtual.pushes.at(-1)).toMatchObject({ isTaken: true });
  expect(virtual.store.rows.size).toBe(1);
});

test('a repeat of queued news has it tried within a second or two', async () => {
  const virtual = await createVirtualCore();
  const given = { ...NEWS, duplicateOf: { key: 'a', windowMs: HOUR } };
  answer(virtual, FAILED);
  const first = await tell(virtual, 'a', given);
  await virtual.clock.run(130 * SECOND);
  virtual.weather = CALM;
  const before = virtual.pushes.length;
  expect(await tell(virtual, 'a', given)).toMatchObject({ status: 'duplicate', id: first.id });
  await virtual.clock.run(2 * SECOND);
  expect(virtual.pushes).toHaveLength(before + 1);
});

test('a caller that was refused because the store was slow repeats what has arrived meanwhile', async () => {
  const virtual = await createVirtualCore();
  const { insert } = virtual.store;
  virtual.store.insert = async (accepted) => {
    await new Promise<void>((resolve) => virtual.clock.after(6 * SECOND, resolve));
    await insert.call(virtual.store, accepted);
  };
  answer(virtual, DELIVERED, 5_500);
  const first = call(virtual, 'a');
  await virtual.clock.run(8 * SECOND);
  expect(first).toMatchObject({ code: 'store_unavailable', atMs: 5 * SECOND });
  expect(await tell(virtual)).toMatchObject({ status: 'duplicate' });
  expect(virtual.pushes).toHaveLength(1);
});

test('what a caller was told is queued is kept although the credentials turn out to be wrong', async () => {
  const virtual = await createVirtualCore();
  answer(virtual, { kind: 'misconfigured', reason: 'PERMISSION_DENIED' }, 6 * SECOND);
  const told = call(virtual, 'a', NEWS);
  await virtual.clock.run(7 * SECOND);
  expect(told).toMatchObject({ status: 'queued', atMs: 5 * SECOND });
  virtual.weather = CALM;
  await virtual.clock.run(70 * SECOND);
  expect(virtual.store.rows.get(told.id ?? '')?.status).toBe('delivered');
});

test('a repeat is answered within five seconds, too, however slow the store is', async () => {
  const virtual = await createVirtualCore();
  answer(virtual, DELIVERED, 60 * SECOND);
  virtual.store.renew = () => new Promise(() => {});
  const first = call(virtual, 'a');
  const repeat = call(virtual, 'a');
  await virtual.clock.run(10 * SECOND);
  expect(first).toMatchObject({ status: 'queued', atMs: 5 * SECOND });
  expect(repeat).toMatchObject({ status: 'duplicate', id: first.id, atMs: 5 * SECOND });
});

test('a repeat of a delivery that ended undelivered is a new call', async () => {
  const virtual = await createVirtualCore();
  answer(virtual, REFUSED, 2);
  const first = await tell(virtual);
  await virtual.clock.run(60 * SECOND);
  virtual.weather = CALM;
  const second = await tell(virtual);
  expect([first.status, second.status]).toEqual(['queued', 'delivered']);
  expect(second.id).not.toBe(first.id);
});

test('a repeat during which the first one fails permanently is no repeat', async () => {
  const virtual = await createVirtualCore();
  answer(virtual, REFUSED, 2);
  await tell(virtual);
  const { renew } = virtual.store;
  // The store is slow, and meanwhile a retry ends the delivery undelivered.
  virtual.store.renew = async (renewal) => {
    const isRenewed = await renew.call(virtual.store, renewal);
    await new Promise<void>((resolve) => virtual.clock.after(2 * SECOND, resolve));
    return isRenewed;
  };
  const refusal = { kind: 'rejected', reason: 'BadDeviceToken', blame: 'token' } as const;
  answer(virtual, refusal);
  const repeat = call(virtual, 'a');
  await virtual.clock.run(5 * SECOND);
  expect(repeat).toMatchObject({ code: 'token_rejected' });
});

test('a repeat is refused in an old outage if a first call would be', async () => {
  const virtual = await createVirtualCore();
  answer(virtual, REFUSED, 2);
  const calls = [];
  for (let n = 0; n < 60; n += 1) {
    calls.push(call(virtual, `t${n}`));
    await virtual.clock.run(SECOND);
  }
  expect(calls[45]).toMatchObject({ status: 'queued' });
  const repeat = await tell(virtual, 't45');
  expect(repeat.details?.deliveryId).toBe(calls[45]?.id);
  expect(repeat.code).toBe('provider_unavailable');
  expect(repeat.details?.retryAfterSeconds).toBe(1);
});

test('a repeat of what was delivered before a restart is a duplicate in an old outage, too', async () => {
  const virtual = await createVirtualCore();
  const given = { duplicateOf: { key: 'a', windowMs: HOUR } };
  const first = await tell(virtual, 'a', given);
  await virtual.restart();
  answer(virtual, REFUSED, 2);
  for (let n = 0; n < 60; n += 1) await tell(virtual, `t${n}`);
  await virtual.clock.run(55 * SECOND);
  expect(await tell(virtual, 'a new one')).toMatchObject({ code: 'provider_unavailable' });
  expect(await tell(virtual, 'a', given)).toMatchObject({ status: 'duplicate', id: first.id });
});

test('quarantined tokens are refused without a push or a row', async () => {
  const virtual = await createVirtualCore();
  answer(virtual, { kind: 'unregistered', reason: 'UNREGISTERED' });
  await tell(virtual);
  const told = await tell(virtual, 'a', { payload: '{"another":1}' });
  expect(told).toMatchObject({ code: 'token_unregistered', details: { reason: 'UNREGISTERED' } });
  expect([virtual.pushes.length, virtual.store.rows.size]).toEqual([1, 1]);
});

test('a token has its rate, and calls refused because of it leave no row', async () => {
  const virtual = await createVirtualCore({ environment: { NDS_TOKEN_RATE: '2/0.1' } });
  const calls = [];
  for (let n = 0; n < 3; n += 1) calls.push(await tell(virtual, 'a', { payload: `{"n":${n}}` }));
  expect(calls.map(({ status, code }) => status ?? code)).toEqual([
    'delivered',
    'delivered',
    'rate_limited',
  ]);
  expect(virtual.store.rows.size).toBe(2);
});

test('a full lane refuses with 503 instead of growing without bound', async () => {
  const virtual = await createVirtualCore({
    environment: { NDS_MAX_IN_FLIGHT: '8', NDS_MAX_QUEUED: '16' },
  });
  answer(virtual, DELIVERED, 1_900);
  const calls = Array.from({ length: 60 }, (_, n) => call(virtual, `t${n}`));
  await virtual.clock.run(0);
  const refused = calls.filter(({ code }) => code === 'overloaded');
  expect(refused.length).toBeGreaterThan(30);
  await virtual.clock.run(120 * SECOND);
  expect(calls.every(({ status, code }) => status !== undefined || code !== undefined)).toBe(true);
});

test('after a drain every new call is refused, and waiting ones can be answered at once', async () => {
  const virtual = await createVirtualCore();
  answer(virtual, DELIVERED, 1_500);
  const waiting = call(virtual, 'a');
  await virtual.clock.run(10);
  virtual.core.dispatcher.drain();
  expect((await tell(virtual, 'b')).code).toBe('shutting_down');
  virtual.core.dispatcher.hurry();
  await virtual.clock.run(0);
  expect(waiting.status).toBe('queued');
});

test('a call that waits for the store when the drain begins is refused, too', async () => {
  const virtual = await createVirtualCore();
  virtual.store.findDuplicate = () =>
    new Promise((resolve) => virtual.clock.after(100, () => resolve(undefined)));
  const told = call(virtual, 'a', { ...NEWS, duplicateOf: { key: 'a', windowMs: HOUR } });
  await virtual.clock.run(50);
  virtual.core.dispatcher.drain();
  await virtual.clock.run(SECOND);
  expect(told.code).toBe('shutting_down');
  expect(virtual.pushes).toEqual([]);
});

test('an app or a provider that is not configured is refused before anything else', async () => {
  const virtual = await createVirtualCore();
  const told = await tell(virtual, 'aa', { provider: 'apns' });
  expect(told.code).toBe('provider_not_configured');
  expect(virtual.store.rows.size).toBe(0);
});
