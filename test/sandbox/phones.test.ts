// The phones of the stand-ins: what they do with a push, and that the service draws the right conclusion for each
// fault.

import { expect, test } from 'vitest';
import { judge } from '../../bench/wake/judge.ts';
import { FAULTS, type Fault } from '../../sandbox/phones/faults.ts';
import { type Behaviour, Phone } from '../../sandbox/phones/phone.ts';
import { concludeWake, describeWake } from '../../src/core/receipts/conclusion.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { call, createVirtualCore } from '../support/virtual-core.ts';

const URL = 'https://nds.example.com';
const MINUTE = 60_000;
/** The useful life of payment_received: a minute less the phone's own 8 s. */
const USEFUL_MS = 52_000;
const draw = () => 0.5;

/** If the phone sends receipts, it wakes once without a fault; then it gets a push with the fault. */
async function conclude(fault: Fault) {
  const virtual = await createVirtualCore({
    settings: { receipts: true },
    environment: { NOTIFY_EXTERNAL_URL: URL },
  });
  const { clock } = virtual;
  const phone = new Phone({
    nowMs: () => clock.nowMs(),
    after: (ms, task) => void clock.after(ms, task),
    post: (address, body) => {
      const id = address.slice(`${URL}/r/`.length);
      virtual.core.receipts?.take(id, Buffer.from(JSON.stringify(body)));
    },
  });
  const push = async (behaviour: Behaviour, payment: string) => {
    const told = call(virtual, 'phone:APA91b', { payload: `{"payment_hash":"${payment}"}` });
    await clock.run(100);
    const receipt = virtual.pushes.at(-1)?.receipt;
    if (receipt !== undefined) phone.arrive(receipt, behaviour);
    await clock.run(2 * MINUTE);
    return told.id ?? '';
  };
  if (fault.isSender) await push({ wakeMs: 1_000 }, 'before');
  const deliveryId = await push(fault.behaviour({ usefulMs: USEFUL_MS, draw }), 'now');
  const wake = await virtual.receipts.findWake(deliveryId);
  if (wake === undefined) throw new Error('the push asked for no receipt');
  return { fault, conclusion: concludeWake(wake), words: describeWake(wake) };
}

test.each(FAULTS)('the conclusion about a phone with the fault "$name" is right', async (fault) => {
  const judged = await conclude(fault);
  const row = judge([judged]).find((each) => each.fault === fault);
  expect(row).toMatchObject({ total: 1, right: 1 });
});

test('faults that look the same from outside are described in the same words', async () => {
  const silent = FAULTS.filter(({ conclusion }) => conclusion === 'no_receipt');
  expect(silent.length).toBeGreaterThan(2);
  const words = new Set<string>();
  for (const fault of silent) words.add((await conclude(fault)).words);
  expect(words.size).toBe(1);
});

function setup() {
  const clock = new ManualClock();
  const posted: { readonly address: string; readonly body: object }[] = [];
  const phone = new Phone({
    nowMs: () => clock.nowMs(),
    after: (ms, task) => void clock.after(ms, task),
    post: (address, body) => posted.push({ address, body }),
  });
  return { clock, phone, posted };
}

test('a phone runs one extension at a time, and others wait', () => {
  const { clock, phone } = setup();
  const startMs = clock.nowMs();
  phone.arrive({ r: 'one' }, { wakeMs: 1_000, workMs: 3_000 });
  phone.arrive({ r: 'two' }, { wakeMs: 2_000, workMs: 3_000 });
  clock.advance(3_500);
  expect(phone.isWorking).toBe(true);
  clock.advance(10_000);
  expect(phone.runs.map(({ startedAtMs }) => startedAtMs - startMs)).toEqual([1_000, 4_000]);
  expect(phone.runs.map(({ isHeldUp }) => isHeldUp)).toEqual([false, false]);
});

test('a repeat is shown as it was, ends at once and says that it is one', () => {
  const { clock, phone, posted } = setup();
  phone.arrive({ r: 'one' }, { wakeMs: 1_000, workMs: 3_000 });
  clock.advance(9_000);
  phone.arrive({ r: 'one', n: 2 }, { wakeMs: 1_000, workMs: 3_000 });
  clock.advance(9_000);
  expect(phone.runs.map(({ isShown }) => isShown)).toEqual([true, false]);
  expect(posted.map(({ body }) => body)).toEqual([
    { stage: 'started', t: 0, n: 1 },
    { stage: 'connected', t: 1_500, n: 1 },
    { stage: 'done', t: 3_000, n: 1 },
    { stage: 'started', t: 0, n: 2 },
  ]);
});
