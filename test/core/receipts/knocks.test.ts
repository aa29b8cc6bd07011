// The second knock in virtual time: when it is sent, with what, and everything that prevents it.

import { expect, onTestFinished, test } from 'vitest';
import type { ReceiptKey } from '../../../src/core/ports/provider.ts';
import { call, type VirtualCore } from '../../support/virtual-core.ts';
import {
  askAndReply,
  DAY,
  knocksOf,
  MINUTE,
  pay,
  payAll,
  results,
  sendReceipt,
  start,
  wakes,
} from './phone.ts';

const FAILING: VirtualCore['weather'] = () => ({
  outcome: { kind: 'retry', reason: 'INTERNAL', certainty: 'answered' },
  endsAfterMs: 10,
  isTaken: false,
});

test('knocks once when the slowest wake so far and a second have passed, and the phone is rescued', async () => {
  const virtual = await start();
  await wakes(virtual, [900, 4_000, 1_000, 1_000, 1_000]);
  const told = pay(virtual);
  await virtual.clock.run(5_030);
  expect(knocksOf(virtual)).toEqual([]);
  await virtual.clock.run(20);
  const [first, knock] = virtual.pushes.slice(-2);
  expect(knock?.atMs).toBe((first?.atMs ?? 0) + 40 + 5_000);
  expect(knock?.id).not.toBe(first?.id);
  expect(knock?.collapseId).toBe(told.id);
  const { n, ...key } = knock?.receipt ?? ({} as ReceiptKey);
  expect(n).toBe(2);
  expect(key).toEqual(first?.receipt);

  sendReceipt(virtual, knock);
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toHaveLength(1);
  expect(results(virtual)).toEqual(['rescued']);
  const wake = await virtual.receipts.findWake(told.id ?? '');
  expect(wake).toMatchObject({ knockOutcome: 'delivered', knockResult: 'rescued' });
});

test('an adapter that throws ends its knock, and nothing else', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  onTestFinished(() => {
    process.off('unhandledRejection', note);
  });
  const virtual = await start();
  await wakes(virtual, [100, 100, 100, 100, 100]);
  pay(virtual);
  await virtual.clock.run(1_000);
  virtual.faults.set('prepare', new Error('a fault for the test'));
  await virtual.clock.run(2 * MINUTE);
  expect(unhandled).toEqual([]);
  expect(knocksOf(virtual)).toEqual([]);
  expect(virtual.events).toContainEqual(
    expect.objectContaining({ name: 'internal_fault', where: 'receipts' }),
  );
  pay(virtual);
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toHaveLength(1);
});

test('a receipt for the first push that comes after the knock makes it late; none makes it useless', async () => {
  const virtual = await start();
  await wakes(virtual, [100, 100, 100, 100, 100]);
  pay(virtual);
  await virtual.clock.run(3_500);
  const [first] = virtual.pushes.slice(-2);
  sendReceipt(virtual, first);
  await virtual.clock.run(2 * MINUTE);
  pay(virtual);
  await virtual.clock.run(2 * MINUTE);
  expect(results(virtual)).toEqual(['late', 'useless']);
});

test('while few wakes are known, it waits at most six seconds for a receipt', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(6_030);
  expect(knocksOf(virtual)).toHaveLength(0);
  await virtual.clock.run(20);
  expect(knocksOf(virtual)).toHaveLength(1);
});

test('without second_knock in the configuration nothing is pushed twice', async () => {
  const virtual = await start({ settings: { receipts: true } });
  await wakes(virtual, [100, 100]);
  pay(virtual);
  await virtual.clock.run(2 * MINUTE);
  expect(virtual.pushes).toHaveLength(3);
});

test('a phone that never sent `started` gets no knock, and neither does news', async () => {
  const virtual = await start();
  pay(virtual);
  await virtual.clock.run(2 * MINUTE);
  await wakes(virtual, [100]);
  pay(virtual, { type: 'tx_confirmed', lifetimeMs: DAY });
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toEqual([]);
});

test('knocks only after 30 s without a sign of life or another race, and only within the useful life', async () => {
  const virtual = await start();
  await wakes(virtual, [100, 100, 100, 100, 100]);
  // The second payment wakes the phone, and a knock for the first one must not disturb its work.
  pay(virtual);
  await virtual.clock.run(2_000);
  pay(virtual);
  await virtual.clock.run(1_000);
  sendReceipt(virtual, virtual.pushes.at(-1));
  await virtual.clock.run(29_900);
  expect(knocksOf(virtual)).toEqual([]);
  await virtual.clock.run(200);
  expect(knocksOf(virtual)).toHaveLength(1);
  await virtual.clock.run(2 * MINUTE);
  // A race of 30 s has no useful life left by then.
  pay(virtual, { type: 'lnurlpay_info', lifetimeMs: 30_000 });
  await virtual.clock.run(500);
  pay(virtual, { type: 'lnurlpay_info', lifetimeMs: 30_000 });
  await virtual.clock.run(500);
  sendReceipt(virtual, virtual.pushes.at(-1));
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toHaveLength(1);
});

test('an answered question cancels the knock and causes none', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  const reply = await askAndReply(virtual);
  expect(Buffer.from(reply.body).toString()).toBe('lni1');
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toEqual([]);
});

test('a demoted phone gets no knock for a week', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(100);
  sendReceipt(virtual, virtual.pushes.at(-1), { priority: 'normal', original: 'high' });
  await virtual.clock.run(6 * DAY);
  pay(virtual);
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toEqual([]);
  expect(virtual.events.map(({ name }) => name)).toContain('device_demoted');
  await virtual.clock.run(DAY);
  pay(virtual);
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toHaveLength(1);
});

test('after two useless knocks there is none for a day', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  for (let payment = 0; payment < 4; payment += 1) {
    pay(virtual);
    await virtual.clock.run(2 * MINUTE);
  }
  expect(results(virtual)).toEqual(['useless', 'useless']);
  await virtual.clock.run(DAY);
  pay(virtual);
  await virtual.clock.run(2 * MINUTE);
  expect(results(virtual)).toHaveLength(3);
});

test('no knock under an open breaker or to a token that is held back', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(3_000);
  virtual.weather = FAILING;
  for (const other of ['a', 'b', 'c', 'd', 'e']) call(virtual, `other-${other}:APA91b`);
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toEqual([]);
});

test('a knock is no probe of a provider that is down', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(1_000);
  virtual.weather = FAILING;
  // They open the breaker, and are over before the knock is due.
  for (const other of ['a', 'b', 'c']) {
    call(virtual, `other-${other}:APA91b`, { lifetimeMs: 12_000 });
  }
  await virtual.clock.run(2 * MINUTE);
  expect(virtual.pushes.length).toBeGreaterThan(10);
  expect(knocksOf(virtual)).toEqual([]);
});

test('news that is being sent to the phone delays no knock', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(2_000);
  pay(virtual, { type: 'tx_confirmed', lifetimeMs: DAY });
  await virtual.clock.run(4_100);
  expect(knocksOf(virtual)).toHaveLength(1);
});

test('a restart forgets the planned knock, and a delivery with a recorded knock gets no other', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(2_000);
  await virtual.restart();
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toEqual([]);
});

test('a stop cancels planned knocks, and nothing is watched any more', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(1_000);
  const before = virtual.clock.timers;
  virtual.core.receipts?.stop();
  expect(virtual.clock.timers).toBe(before - 2);
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toEqual([]);
});

test('while receipts in general fell by half, no phone gets a knock or counts as silent', async () => {
  const virtual = await start();
  const phones = Array.from({ length: 8 }, (_, number) => `phone-${number}:APA91b`);
  payAll(virtual, phones);
  await virtual.clock.run(100);
  for (const push of virtual.pushes) sendReceipt(virtual, push);
  await virtual.clock.run(2 * MINUTE);
  payAll(virtual, phones);
  await virtual.clock.run(2 * MINUTE);
  expect(virtual.core.receipts?.isDeaf).toBe(true);
  const before = knocksOf(virtual).length;
  payAll(virtual, phones);
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toHaveLength(before);
});

test('a reason that comes while the knock is being recorded prevents it, and it does not count', async () => {
  const meanwhile: Record<string, (virtual: VirtualCore) => unknown> = {
    receipt: (virtual) => sendReceipt(virtual, virtual.pushes.at(-1)),
    hold: ({ core, store }) => {
      const tokenHash = [...store.rows.values()].at(-1)?.delivery.tokenHash ?? '';
      const token = { app: 'default', provider: 'fcm', tokenHash } as const;
      core.quarantine.hold(token, { reason: 'TooManyRequests', forMs: MINUTE });
    },
  };
  for (const happen of Object.values(meanwhile)) {
    const virtual = await start();
    await wakes(virtual, [100]);
    const { receipts } = virtual;
    const recordKnock = receipts.recordKnock.bind(receipts);
    receipts.recordKnock = async (knock) => {
      const isRecorded = await recordKnock(knock);
      happen(virtual);
      return isRecorded;
    };
    const told = pay(virtual);
    await virtual.clock.run(2 * MINUTE);
    expect(knocksOf(virtual)).toEqual([]);
    expect(results(virtual)).toEqual([]);
    const wake = await receipts.findWake(told.id ?? '');
    expect([wake?.knockedAtMs, wake?.knockResult]).toEqual([undefined, undefined]);
  }
});

test('another race that is being sent to the phone counts like one that the provider took', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(5_900);
  virtual.weather = () => ({
    outcome: { kind: 'retry', reason: 'timeout', certainty: 'unanswered' },
    endsAfterMs: 2_000,
    isTaken: true,
  });
  pay(virtual);
  await virtual.clock.run(29_000);
  expect(knocksOf(virtual)).toEqual([]);
});
