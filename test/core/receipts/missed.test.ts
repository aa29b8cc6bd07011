// Pushes that no receipt answered, in virtual time: which of them become events.

import { expect, test } from 'vitest';
import type { Push, VirtualCore } from '../../support/virtual-core.ts';
import { HOUR, MINUTE, pay, payAll, sendReceipt, start, wakes } from './phone.ts';

const SECOND = 1_000;
const TWELVE = Array.from({ length: 12 }, (_, number) => `phone-${number}:APA91b`);

/** A payment for each of twelve phones, until its time is over. */
async function payTwelve(
  virtual: VirtualCore,
  hear: (push: Push, index: number) => unknown,
): Promise<void> {
  const from = virtual.pushes.length;
  payAll(virtual, TWELVE);
  await virtual.clock.run(100);
  for (const [index, push] of virtual.pushes.slice(from).entries()) await hear(push, index);
  await virtual.clock.run(MINUTE);
}

test('waits a minute beyond the lifetime of the push, and reports once', async () => {
  const virtual = await start();
  const { receipts, core } = virtual;
  pay(virtual);
  await virtual.clock.run(3 * MINUTE);
  await core.receipts?.noteMissed();
  expect(receipts.missed).toEqual([]);

  await wakes(virtual, [100]);
  const told = pay(virtual);
  await virtual.clock.run(MINUTE);
  await core.receipts?.noteMissed();
  await virtual.clock.run(59 * SECOND);
  await core.receipts?.noteMissed();
  expect(receipts.missed).toEqual([]);
  await virtual.clock.run(2 * SECOND);
  await core.receipts?.noteMissed();
  await core.receipts?.noteMissed();
  expect(receipts.missed).toEqual([told.id]);
});

test('a late receipt counts as a receipt', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(90 * SECOND);
  sendReceipt(virtual, virtual.pushes.at(-1));
  await virtual.clock.run(2 * MINUTE);
  await virtual.core.receipts?.noteMissed();
  expect(virtual.receipts.missed).toEqual([]);
});

test('no push is judged while receipts in general do not come, nor if its judgement had to wait for an hour', async () => {
  const virtual = await start({ settings: { receipts: true } });
  const round = (isHeard: (index: number) => boolean) =>
    payTwelve(virtual, (push, index) => {
      if (isHeard(index)) sendReceipt(virtual, push);
    });
  const sweep = async () => {
    await virtual.core.receipts?.noteMissed();
    return virtual.receipts.missed.splice(0).length;
  };
  await round(() => true);
  await round(() => true);
  await virtual.clock.run(2 * MINUTE);
  expect(await sweep()).toBe(0);

  await round(() => false);
  await virtual.clock.run(2 * MINUTE);
  expect(virtual.core.receipts?.isDeaf).toBe(true);
  expect(await sweep()).toBe(0);
  await round(() => true);
  await virtual.clock.run(2 * MINUTE);
  expect(virtual.core.receipts?.isDeaf).toBe(false);
  expect(await sweep()).toBe(0);

  await round((index) => index > 0);
  await virtual.clock.run(2 * MINUTE);
  expect(await sweep()).toBe(1);
  await round((index) => index > 0);
  await virtual.clock.run(2 * HOUR);
  expect(await sweep()).toBe(0);
});

test('without receipts the store is not asked', async () => {
  const virtual = await start({ settings: {} });
  virtual.receipts.noteMissed = () => Promise.reject(new Error('was asked'));
  expect(await virtual.core.receipts?.noteMissed()).toBe(false);
});

test('receipts that come to another machine count, and a store that does not answer proves no silence', async () => {
  const virtual = await start({ settings: { receipts: true } });
  const { core, receipts, clock } = virtual;
  for (const _ of [1, 2]) await payTwelve(virtual, (push) => sendReceipt(virtual, push));
  const receipt = { stage: 'started', n: 1 } as const;
  for (const _ of [1, 2]) {
    await payTwelve(virtual, ({ id: deliveryId }) =>
      receipts.recordReceipt({ deliveryId, receipt, atMs: clock.wallMs(), endsOpen: true }),
    );
    expect(core.receipts?.isDeaf).toBe(false);
  }
  receipts.findWake = () => Promise.reject(new Error('closed'));
  await payTwelve(virtual, () => {});
  expect(core.receipts?.isDeaf).toBe(false);
});

test('a machine that knows that none come forgets what another one would report', async () => {
  const virtual = await start({ settings: { receipts: true } });
  const { core, receipts, clock } = virtual;
  for (const _ of [1, 2]) await payTwelve(virtual, (push) => sendReceipt(virtual, push));
  await payTwelve(virtual, () => {});
  await core.receipts?.noteMissed();
  const atMs = clock.wallMs() + MINUTE;
  const other = { atMs, endedBeforeMs: atMs, judgedFromMs: 0, limit: 100 };
  expect(await receipts.noteMissed(other)).toBe(0);
});
