// The second knock in virtual time: when it leaves, with what, and everything that forbids it.

import { expect, test } from 'vitest';
import type { AppSettings } from '../../../src/config/app-settings.ts';
import type { Notification } from '../../../src/core/notification.ts';
import type { ReceiptKey } from '../../../src/core/ports/provider.ts';
import { StoreUnavailableError } from '../../../src/core/ports/store.ts';
import { concludeWake } from '../../../src/core/receipts/conclusion.ts';
import {
  CALM,
  call,
  createVirtualCore,
  type Push,
  type VirtualCore,
  type VirtualCoreOptions,
} from '../../support/virtual-core.ts';

const URL = 'https://nds.example.com';
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const PHONE = 'phone:APA91b';
const KNOCKING: AppSettings = { receipts: true, second_knock: true };

function start(options: VirtualCoreOptions = {}): Promise<VirtualCore> {
  const environment = { NOTIFY_EXTERNAL_URL: URL, ...options.environment };
  return createVirtualCore({ settings: KNOCKING, ...options, environment });
}

let payments = 0;
let questions = 0;

/** A payment for the phone: another one each time. */
function pay(virtual: VirtualCore, given: Partial<Notification> = {}) {
  payments += 1;
  return call(virtual, PHONE, { payload: `{"payment_hash":"${payments}"}`, ...given });
}

function sendReceipt(virtual: VirtualCore, push: Push | undefined, body: object = {}): boolean {
  const id = push?.receipt?.r.slice(`${URL}/r/`.length) ?? '';
  const said = { stage: 'started', n: push?.receipt?.n, ...body };
  return virtual.core.receipts?.take(id, Buffer.from(JSON.stringify(said))) ?? false;
}

/** The phone wakes after so long, a minute after the one before. */
async function wakes(virtual: VirtualCore, afterMs: readonly number[]): Promise<void> {
  for (const wakeMs of afterMs) {
    pay(virtual);
    await virtual.clock.run(40 + wakeMs);
    expect(sendReceipt(virtual, virtual.pushes.at(-1))).toBe(true);
    await virtual.clock.run(2 * MINUTE);
  }
}

/** A question that the phone answers a second later. */
async function askAndReply(virtual: VirtualCore) {
  questions += 1;
  let replyId = '';
  const recipient = {
    target: { app: 'default', platform: 'android', token: PHONE },
    source: 'notify',
  } as const;
  const reply = virtual.core.asker.ask(
    {
      recipient,
      key: `question ${questions}`,
      deadlineMs: 50_000,
      notification: (id) => {
        replyId = id;
        return { type: 'invoice_request', payload: '{}', title: 'Asked', lifetimeMs: 50_000 };
      },
    },
    new AbortController().signal,
  );
  await virtual.clock.run(1_000);
  await virtual.core.exchange.deliver(replyId, Buffer.from('lni1'));
  return await reply;
}

function knocksOf(virtual: VirtualCore): readonly Push[] {
  return virtual.pushes.filter(({ receipt }) => receipt?.n === 2);
}

function results(virtual: VirtualCore): readonly string[] {
  return virtual.events.flatMap((event) => (event.name === 'knock_judged' ? [event.result] : []));
}

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

test('no receipt is waited for longer than six seconds while few wakes are known', async () => {
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

test('without receipts the push carries no address', async () => {
  const virtual = await start({ settings: {} });
  pay(virtual);
  await virtual.clock.run(MINUTE);
  expect(virtual.pushes.map(({ receipt }) => receipt)).toEqual([undefined]);
});

test('a phone that never sent `started` is not knocked, and neither is news', async () => {
  const virtual = await start();
  pay(virtual);
  await virtual.clock.run(2 * MINUTE);
  await wakes(virtual, [100]);
  pay(virtual, { type: 'tx_confirmed', lifetimeMs: DAY });
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toEqual([]);
});

test('waits until the phone has been left alone for 30 s, and knocks only within the useful life', async () => {
  const virtual = await start();
  await wakes(virtual, [100, 100, 100, 100, 100]);
  // The second payment wakes the phone, and its work must not be disturbed for the first one.
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

test('a demoted phone is not knocked for a week', async () => {
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

test('two useless knocks end them for a day', async () => {
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
  virtual.weather = () => ({
    outcome: { kind: 'retry', reason: 'INTERNAL', certainty: 'answered' },
    endsAfterMs: 10,
    isTaken: false,
  });
  for (const other of ['a', 'b', 'c', 'd', 'e']) call(virtual, `other-${other}:APA91b`);
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toEqual([]);
});

test('a restart forgets the knock, and what was recorded as knocked is not knocked again', async () => {
  const virtual = await start();
  await wakes(virtual, [100]);
  pay(virtual);
  await virtual.clock.run(2_000);
  await virtual.restart();
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toEqual([]);
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

test('a stop cancels what is planned, and nothing is watched any more', async () => {
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

test('a phone that fell silent is told once and not knocked, and its next receipt is its return', async () => {
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

test('while receipts in general fell by half nobody is knocked or called silent', async () => {
  const virtual = await start();
  const phones = Array.from({ length: 8 }, (_, number) => `phone-${number}:APA91b`);
  const payAll = () => {
    for (const token of phones) {
      payments += 1;
      call(virtual, token, { payload: `{"payment_hash":"${payments}"}` });
    }
  };
  payAll();
  await virtual.clock.run(100);
  for (const push of virtual.pushes) sendReceipt(virtual, push);
  await virtual.clock.run(2 * MINUTE);
  payAll();
  await virtual.clock.run(2 * MINUTE);
  expect(virtual.core.receipts?.isDeaf).toBe(true);
  const before = knocksOf(virtual).length;
  payAll();
  await virtual.clock.run(2 * MINUTE);
  expect(knocksOf(virtual)).toHaveLength(before);
});

test('news that waited for longer than its address is valid asks for no receipt', async () => {
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

test('what forbids a knock while it is written down keeps it from leaving, and it counts as none', async () => {
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

test('another race on its way to the phone counts like one that the provider took', async () => {
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

test('in a long time without receipts nobody is judged, neither then nor afterwards', async () => {
  const virtual = await start({ settings: { receipts: true } });
  const phones = Array.from({ length: 8 }, (_, number) => `phone-${number}:APA91b`);
  const payAll = (isHeard: boolean) => {
    for (const token of phones) {
      payments += 1;
      call(virtual, token, { payload: `{"payment_hash":"${payments}"}` });
    }
    const from = virtual.pushes.length;
    return virtual.clock.run(100).then(() => {
      for (const push of isHeard ? virtual.pushes.slice(from) : []) sendReceipt(virtual, push);
    });
  };
  for (let round = 0; round < 5; round += 1) {
    await payAll(true);
    await virtual.clock.run(2 * MINUTE);
  }
  for (let round = 0; round < 20; round += 1) {
    await virtual.clock.run(2 * HOUR);
    await payAll(false);
    await virtual.clock.run(2 * MINUTE);
    expect(virtual.core.receipts?.isDeaf, `round ${round}`).toBe(true);
    await virtual.core.receipts?.noteSilent();
  }
  // The way is open again, and all but one wake.
  const silent = phones.pop() ?? '';
  await payAll(true);
  call(virtual, silent);
  await virtual.clock.run(2 * MINUTE);
  expect(virtual.core.receipts?.isDeaf).toBe(false);
  await virtual.core.receipts?.noteSilent();
  expect(virtual.events.map(({ name }) => name)).not.toContain('device_silent');
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
