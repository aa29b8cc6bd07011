// Receipts in virtual time: what they end, what they cannot change, and which phones the service calls silent.

import { expect, test } from 'vitest';
import { StoreUnavailableError } from '../../../src/core/ports/store.ts';
import { concludeWake } from '../../../src/core/receipts/conclusion.ts';
import { CALM, call } from '../../support/virtual-core.ts';
import {
  askAndReply,
  DAY,
  HOUR,
  knocksOf,
  MINUTE,
  pay,
  payAll,
  sendReceipt,
  start,
  wakes,
} from './phone.ts';

test('without receipts the push carries no address', async () => {
  const virtual = await start({ settings: {} });
  pay(virtual);
  await virtual.clock.run(MINUTE);
  expect(virtual.pushes.map(({ receipt }) => receipt)).toEqual([undefined]);
});

test('a receipt for a push whose fate is uncertain ends the delivery, and nothing more is sent', async () => {
  const virtual = await start();
  virtual.weather = () => ({
    outcome: { kind: 'retry', reason: 'timeout', certainty: 'unanswered' },
    endsAfterMs: 2_000,
    isTaken: true,
  });
  // During its first attempt, and while it waits for its next one.
  for (const atMs of [500, 4_500]) {
    const told = pay(virtual);
    const before = virtual.pushes.length;
    await virtual.clock.run(atMs);
    const sent = virtual.pushes.length - before;
    sendReceipt(virtual, virtual.pushes.at(-1));
    await virtual.clock.run(2 * MINUTE);
    expect(virtual.pushes.length - before).toBe(sent);
    const [row] = await virtual.store.findDeliveries({ id: told.id ?? '', limit: 1 });
    expect(row).toMatchObject({ status: 'delivered', reason: 'receipt' });
  }
});

test('a receipt changes no final status', async () => {
  const virtual = await start();
  virtual.weather = () => ({
    outcome: { kind: 'rejected', reason: 'INVALID_ARGUMENT', blame: 'message' },
    endsAfterMs: 10,
    isTaken: false,
  });
  const told = pay(virtual);
  await virtual.clock.run(100);
  const [row] = [...virtual.store.rows.values()];
  expect(sendReceipt(virtual, virtual.pushes.at(-1))).toBe(true);
  await virtual.clock.run(100);
  expect(told.code).toBeDefined();
  expect(row?.status).toBe('rejected');
});

test('a phone that wakes within a lifetime that a repeat renewed is not late', async () => {
  const virtual = await start();
  virtual.weather = () => ({
    outcome: { kind: 'retry', reason: 'INTERNAL', certainty: 'answered' },
    endsAfterMs: 10,
    isTaken: false,
  });
  const payment = { payload: '{"payment_hash":"repeated"}' };
  const told = pay(virtual, payment);
  await virtual.clock.run(40_000);
  const repeat = pay(virtual, payment);
  await virtual.clock.run(10_000);
  expect(repeat).toMatchObject({ status: 'duplicate', id: told.id });
  virtual.weather = CALM;
  await virtual.clock.run(20_000);
  sendReceipt(virtual, virtual.pushes.at(-1));
  await virtual.clock.run(100);
  const wake = await virtual.receipts.findWake(told.id ?? '');
  expect(wake?.receipts[0]?.atMs).toBeGreaterThan((wake?.receivedAtMs ?? 0) + 60_000);
  expect(wake && concludeWake(wake).kind).toBe('woke');
});

test('a phone that becomes silent is reported once and gets no knock, and its next receipt is its return', async () => {
  const virtual = await start();
  const names = () =>
    virtual.events.map(({ name }) => name).filter((name) => /^device_/.test(name));
  await wakes(virtual, [100]);
  for (let push = 0; push < 5; push += 1) {
    pay(virtual);
    await virtual.clock.run(7 * 60 * MINUTE);
    await virtual.core.receipts?.noteSilent();
  }
  expect(names()).toEqual(['device_silent']);
  const before = knocksOf(virtual).length;
  pay(virtual);
  await virtual.clock.run(10_000);
  expect(knocksOf(virtual)).toHaveLength(before);
  sendReceipt(virtual, virtual.pushes.at(-1));
  await virtual.clock.run(MINUTE);
  await virtual.core.receipts?.noteSilent();
  expect(names()).toEqual(['device_silent', 'device_returned']);
});

test('news that waited longer than its address is valid asks for no receipt', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  virtual.weather = () => ({
    outcome: { kind: 'retry', reason: 'INTERNAL', certainty: 'answered' },
    endsAfterMs: 10,
    isTaken: false,
  });
  const told = pay(virtual, { type: 'tx_confirmed', lifetimeMs: DAY });
  await virtual.clock.run(HOUR);
  virtual.weather = CALM;
  await virtual.clock.run(5 * MINUTE);
  const push = virtual.pushes.at(-1);
  expect(push).toMatchObject({ isTaken: true, receipt: undefined });
  expect(await virtual.receipts.findWake(told.id ?? '')).toMatchObject({ isAsked: false });
});

test('during a long time without receipts no phone is judged, neither then nor afterwards', async () => {
  const virtual = await start({ settings: { receipts: true } });
  const phones = Array.from({ length: 8 }, (_, number) => `phone-${number}:APA91b`);
  const payEach = (isHeard: boolean) => {
    payAll(virtual, phones);
    const from = virtual.pushes.length;
    return virtual.clock.run(100).then(() => {
      for (const push of isHeard ? virtual.pushes.slice(from) : []) sendReceipt(virtual, push);
    });
  };
  for (let round = 0; round < 5; round += 1) {
    await payEach(true);
    await virtual.clock.run(2 * MINUTE);
  }
  for (let round = 0; round < 20; round += 1) {
    await virtual.clock.run(2 * HOUR);
    await payEach(false);
    await virtual.clock.run(2 * MINUTE);
    expect(virtual.core.receipts?.isDeaf, `round ${round}`).toBe(true);
    await virtual.core.receipts?.noteSilent();
  }
  // Receipts arrive again, from all phones except one.
  const silent = phones.pop() ?? '';
  await payEach(true);
  call(virtual, silent);
  await virtual.clock.run(2 * MINUTE);
  expect(virtual.core.receipts?.isDeaf).toBe(false);
  await virtual.core.receipts?.noteSilent();
  expect(virtual.events.map(({ name }) => name)).not.toContain('device_silent');
});

test('no phone is called silent while receipts in general fell by half', async () => {
  const virtual = await start({ settings: { receipts: true } });
  const others = Array.from({ length: 8 }, (_, number) => `phone-${number}:APA91b`);
  const payOthers = async (areHeard: boolean) => {
    const from = virtual.pushes.length;
    payAll(virtual, others);
    await virtual.clock.run(100);
    for (const push of areHeard ? virtual.pushes.slice(from) : []) sendReceipt(virtual, push);
    await virtual.clock.run(2 * MINUTE);
    await virtual.core.receipts?.noteSilent();
  };
  const silent = () => virtual.events.filter(({ name }) => name === 'device_silent').length;
  await wakes(virtual, [100]);
  await payOthers(true);
  for (let push = 0; push < 5; push += 1) {
    pay(virtual);
    await virtual.clock.run(7 * HOUR);
  }
  await payOthers(false);
  expect(virtual.core.receipts?.isDeaf).toBe(true);
  expect(silent()).toBe(0);
  await payOthers(true);
  expect(virtual.core.receipts?.isDeaf).toBe(false);
  expect(silent()).toBe(1);
});

test('a phone that replies to questions and sends no receipts for them is not silent', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  for (let question = 0; question < 6; question += 1) {
    const { deliveryId = '' } = await askAndReply(virtual);
    await virtual.clock.run(MINUTE);
    const wake = await virtual.receipts.findWake(deliveryId);
    expect(wake && concludeWake(wake)).toEqual({ kind: 'woke' });
    await virtual.clock.run(7 * HOUR);
    await virtual.core.receipts?.noteSilent();
  }
  expect(virtual.events.map(({ name }) => name)).not.toContain('device_silent');
});

test('a receipt that the store cannot take ends the delivery when it works again', async () => {
  const virtual = await start();
  virtual.weather = () => ({
    outcome: { kind: 'retry', reason: 'timeout', certainty: 'unanswered' },
    endsAfterMs: 2_000,
    isTaken: true,
  });
  const told = pay(virtual);
  await virtual.clock.run(4_500);
  const sent = virtual.pushes.length;
  const trouble = new StoreUnavailableError('full');
  virtual.store.trouble = 'full';
  const { recordReceipt } = virtual.receipts;
  virtual.receipts.recordReceipt = () => Promise.reject(trouble);
  sendReceipt(virtual, virtual.pushes.at(-1));
  await virtual.clock.run(500);
  virtual.receipts.recordReceipt = recordReceipt.bind(virtual.receipts);
  virtual.store.trouble = undefined;
  await virtual.clock.run(2 * MINUTE);
  expect(virtual.pushes).toHaveLength(sent);
  const [row] = await virtual.store.findDeliveries({ id: told.id ?? '', limit: 1 });
  expect(row).toMatchObject({ status: 'delivered', reason: 'receipt' });
});
