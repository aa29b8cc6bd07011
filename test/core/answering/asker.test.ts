// Questions to a device: which callers wait for the reply, how long, and what ends the wait.

import { expect, test } from 'vitest';
import type { ServiceEvent } from '../../../src/core/ports/observer.ts';
import {
  CALM,
  createVirtualCore,
  notificationOf,
  recipientOf,
  type VirtualCore,
} from '../../support/virtual-core.ts';
import { DELIVERED, REFUSED } from '../sending/samples.ts';

const SECOND = 1_000;
const DEADLINE_MS = 50 * SECOND;
const REPLY = new TextEncoder().encode('{"invoice":"lni1"}');

interface Heard {
  body?: Uint8Array;
  code?: string;
  message?: string;
  atMs?: number;
}

async function setup(environment: Readonly<Record<string, string>> = {}, deadlineMs = DEADLINE_MS) {
  const virtual = await createVirtualCore({ environment });
  const replyIds: string[] = [];
  const ask = (token: string, key = 'question', hungUp = new AbortController()): Heard => {
    const heard: Heard = {};
    const notification = (replyId: string) => {
      replyIds.push(replyId);
      return notificationOf({ type: 'invoice_request', lifetimeMs: DEADLINE_MS });
    };
    const question = { recipient: recipientOf(token), key, deadlineMs, notification };
    virtual.core.asker.ask(question, hungUp.signal).then(
      ({ body }) => Object.assign(heard, { body, atMs: virtual.atMs }),
      ({ code = 'not a ServiceError', message }: Error & { readonly code?: string }) =>
        Object.assign(heard, { code, message, atMs: virtual.atMs }),
    );
    return heard;
  };
  const reply = (replyId = replyIds.at(-1) ?? '') => virtual.core.exchange.deliver(replyId, REPLY);
  return { virtual, ask, reply, replyIds };
}

function endsOf(virtual: VirtualCore): readonly string[] {
  return virtual.events
    .filter((event): event is Extract<ServiceEvent, { name: 'reply_waited' }> => {
      return event.name === 'reply_waited';
    })
    .map(({ end }) => end);
}

test('returns the device’s bytes to the caller, and records that it answered', async () => {
  const { virtual, ask, reply } = await setup();
  const heard = ask('a');
  await virtual.clock.run(3 * SECOND);
  expect(await reply()).toBe(true);
  await virtual.clock.run(0);
  expect(heard.body).toEqual(REPLY);
  expect(endsOf(virtual)).toEqual(['answered']);
  const [row] = virtual.store.rows.values();
  expect(row?.answeredAtMs).toBe(virtual.clock.wallMs());
});

test('takes the reply of a phone that replies before the provider has answered', async () => {
  const { virtual, ask, reply } = await setup();
  virtual.weather = () => ({ outcome: DELIVERED, endsAfterMs: 1_900, isTaken: true });
  const heard = ask('a');
  await virtual.clock.run(500);
  await reply();
  await virtual.clock.run(0);
  expect(heard.atMs).toBe(500);
});

test('the same question while one waits is one push, and every caller gets the reply', async () => {
  const { virtual, ask, reply } = await setup();
  const callers = [ask('a'), ask('a'), ask('a')];
  await virtual.clock.run(SECOND);
  expect(virtual.pushes).toHaveLength(1);
  await reply();
  await virtual.clock.run(0);
  expect(callers.map(({ body }) => body)).toEqual([REPLY, REPLY, REPLY]);
});

test('silence is answered at the deadline of the first caller', async () => {
  const { virtual, ask } = await setup();
  const first = ask('a');
  await virtual.clock.run(20 * SECOND);
  const second = ask('a');
  await virtual.clock.run(40 * SECOND);
  expect([first, second]).toMatchObject([
    { code: 'no_reply', atMs: DEADLINE_MS },
    { code: 'no_reply', atMs: DEADLINE_MS },
  ]);
  expect(endsOf(virtual)).toEqual(['silent']);
});

test('a caller is told that the push was sent only if it was', async () => {
  const { virtual, ask } = await setup({}, 20 * SECOND);
  virtual.weather = () => ({ outcome: REFUSED, endsAfterMs: 20, isTaken: false });
  const unsent = ask('a');
  await virtual.clock.run(20 * SECOND);
  virtual.weather = CALM;
  await virtual.clock.run(20 * SECOND);
  const sent = ask('b');
  await virtual.clock.run(20 * SECOND);
  expect([unsent.code, sent.code]).toEqual(['no_reply', 'no_reply']);
  expect(unsent.message).toContain('did not accept the push');
  expect(sent.message).not.toContain('did not accept the push');
});

test('a reply counts once, and not after its caller has left', async () => {
  const { virtual, ask, reply } = await setup();
  ask('a');
  await virtual.clock.run(SECOND);
  expect([await reply(), await reply(), await reply('unknown')]).toEqual([true, false, false]);
  expect(virtual.core.exchange.size).toBe(0);
});

test('a caller that hangs up frees its place, and the others go on waiting', async () => {
  const { virtual, ask, reply } = await setup();
  const hungUp = new AbortController();
  const gone = ask('a', 'question', hungUp);
  const stays = ask('a');
  await virtual.clock.run(SECOND);
  hungUp.abort();
  await virtual.clock.run(0);
  expect(gone.code).toBe('no_reply');
  expect(virtual.core.asker.waiting).toBe(1);
  await reply();
  await virtual.clock.run(0);
  expect(stays.body).toEqual(REPLY);
});

test('a caller that left before anything was sent causes no push', async () => {
  const { virtual, ask } = await setup();
  const hungUp = new AbortController();
  hungUp.abort();
  expect(ask('a', 'question', hungUp).code).toBeUndefined();
  await virtual.clock.run(60 * SECOND);
  expect(virtual.pushes).toEqual([]);
  expect(virtual.core.exchange.size).toBe(0);
});

test('when the last caller hangs up the push continues, and nothing is held for it', async () => {
  const { virtual, ask } = await setup();
  const hungUp = new AbortController();
  virtual.weather = (push) => ({ ...CALM(push), endsAfterMs: 1_000 });
  ask('a', 'question', hungUp);
  await virtual.clock.run(10);
  hungUp.abort();
  await virtual.clock.run(2 * SECOND);
  expect(endsOf(virtual)).toEqual(['hung_up']);
  expect([virtual.core.asker.waiting, virtual.core.exchange.size]).toEqual([0, 0]);
  expect([...virtual.store.rows.values()].map(({ status }) => status)).toEqual(['delivered']);
});

test('a permanently refused push ends the wait with its reason', async () => {
  const { virtual, ask } = await setup();
  virtual.weather = () => ({
    outcome: { kind: 'unregistered', reason: 'UNREGISTERED' },
    endsAfterMs: 20,
    isTaken: false,
  });
  const heard = ask('a');
  await virtual.clock.run(100);
  expect(heard.code).toBe('token_unregistered');
  expect(endsOf(virtual)).toEqual(['failed']);
});

test('a push that has to wait is tried again while its caller waits', async () => {
  const { virtual, ask, reply } = await setup();
  virtual.weather = (push) =>
    push.atMs < 14 * SECOND ? { outcome: REFUSED, endsAfterMs: 2, isTaken: false } : CALM(push);
  const heard = ask('a');
  await virtual.clock.run(17 * SECOND);
  expect(virtual.pushes.at(-1)).toMatchObject({ isTaken: true });
  await reply();
  await virtual.clock.run(0);
  expect(heard.body).toEqual(REPLY);
});

test('a push that failed while the store fails ends the wait, because it would never be tried again', async () => {
  const { virtual, ask } = await setup();
  virtual.store.trouble = 'full';
  virtual.weather = () => ({ outcome: REFUSED, endsAfterMs: 2, isTaken: false });
  const heard = ask('a');
  await virtual.clock.run(SECOND);
  expect(heard.code).toBe('store_unavailable');
});

test('an adapter that throws ends its question as an error of ours', async () => {
  const { virtual, ask } = await setup();
  virtual.faults.set('prepare', new Error('for the test'));
  const heard = ask('a');
  await virtual.clock.run(SECOND);
  expect(heard.code).toBe('internal');
  expect(virtual.core.exchange.size).toBe(0);
});

test('callers that wait are bounded, in all and for one target', async () => {
  const { virtual, ask } = await setup({ NDS_MAX_REPLY_WAITS: '10' });
  const ofOne = Array.from({ length: 9 }, () => ask('a'));
  const others = ['b', 'c', 'd'].map((token) => ask(token));
  await virtual.clock.run(100);
  expect(ofOne.map(({ code }) => code).filter(Boolean)).toEqual(['rate_limited']);
  expect(others.map(({ code }) => code).filter(Boolean)).toEqual(['overloaded']);
  expect(virtual.core.asker.waiting).toBe(10);
});

test('once closed it takes no more callers, and it is over when the waiting ones have their answers', async () => {
  const { virtual, ask, reply } = await setup();
  const waits = ask('a');
  await virtual.clock.run(SECOND);
  let isOver = false;
  void virtual.core.asker.close().then(() => {
    isOver = true;
  });
  const late = ask('b');
  await virtual.clock.run(SECOND);
  expect([waits.code, late.code, isOver]).toEqual([undefined, 'shutting_down', false]);
  await reply();
  await virtual.clock.run(0);
  expect(isOver).toBe(true);
  await virtual.core.asker.close();
});

test('a drain answers every waiting caller, and every later one', async () => {
  const { virtual, ask } = await setup();
  const waits = ask('a');
  await virtual.clock.run(SECOND);
  virtual.core.asker.drain();
  const late = ask('b');
  await virtual.clock.run(0);
  expect([waits.code, late.code]).toEqual(['shutting_down', 'shutting_down']);
  expect(virtual.clock.timers).toBeLessThanOrEqual(1);
});
