// Pushes that no receipt answered, in virtual time: of which of them the vendor is told.

import { expect, test } from 'vitest';
import { HOUR, MINUTE, pay, payAll, sendReceipt, start, wakes } from './phone.ts';

const SECOND = 1_000;

test('waits a minute beyond the lifetime of the push, and tells once', async () => {
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

test('a receipt that comes late is one', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(90 * SECOND);
  sendReceipt(virtual, virtual.pushes.at(-1));
  await virtual.clock.run(2 * MINUTE);
  await virtual.core.receipts?.noteMissed();
  expect(virtual.receipts.missed).toEqual([]);
});

test('nobody is judged while receipts in general do not come, nor by what could not be said for an hour', async () => {
  const virtual = await start({ settings: { receipts: true } });
  const phones = Array.from({ length: 12 }, (_, number) => `phone-${number}:APA91b`);
  const round = async (isHeard: (index: number) => boolean) => {
    const from = virtual.pushes.length;
    payAll(virtual, phones);
    await virtual.clock.run(100);
    for (const [index, push] of virtual.pushes.slice(from).entries()) {
      if (isHeard(index)) sendReceipt(virtual, push);
    }
    await virtual.clock.run(MINUTE);
  };
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
