// The same notification for the same target is pushed once, and a repeat is answered with the outcome of the first.

import { expect, test } from 'vitest';
import { DAY, SECOND, setupDriven } from '../support/driven-service.ts';
import { ANDROID_TOKEN } from '../support/service.ts';

const REFUSED = { kind: 'fcm_error', error: 'INVALID_ARGUMENT', field: 'message.data' } as const;
const FAILING = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;

test('a repeat of a delivered notification gets the first one’s id and causes no push', async () => {
  const { pay, running } = await setupDriven();
  const first = await pay(ANDROID_TOKEN, 'aa');
  const repeat = await pay(ANDROID_TOKEN, 'aa');
  expect(first).toMatchObject({ status: 200, body: { status: 'delivered' } });
  expect(repeat).toMatchObject({ status: 200, body: { id: first.body.id, status: 'duplicate' } });
  expect(running.sandbox.received()).toHaveLength(1);
});

test('a repeat while the first is on its way waits for it and gets its outcome', async () => {
  const { pay, running, clock, untilAsked } = await setupDriven();
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'hang' } });
  const calls = [pay(ANDROID_TOKEN, 'aa'), pay(ANDROID_TOKEN, 'aa')];
  await untilAsked(1);
  calls.push(pay(ANDROID_TOKEN, 'aa'));
  clock.advance(2 * SECOND);
  const answers = await Promise.all(calls);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(answers.map(({ body }) => body.status).sort()).toEqual([
    'delivered',
    'duplicate',
    'duplicate',
  ]);
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  expect(running.sandbox.received()).toHaveLength(1);
});

test('a repeat while the first is on its way is refused if the first one is', async () => {
  const { pay, running, clock, untilAsked } = await setupDriven();
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'hang' } });
  running.sandbox.script({ provider: 'fcm', fault: REFUSED });
  const calls = [pay(ANDROID_TOKEN, 'aa'), pay(ANDROID_TOKEN, 'aa')];
  await untilAsked(1);
  clock.advance(2 * SECOND);
  for (const answer of await Promise.all(calls)) {
    expect(answer).toMatchObject({ status: 422, body: { code: 'message_rejected' } });
  }
});

test('the window of a payment is 25 seconds from receipt, which repeats do not extend', async () => {
  const { pay, clock } = await setupDriven();
  const first = await pay(ANDROID_TOKEN, 'aa');
  clock.advance(24 * SECOND);
  const repeat = await pay(ANDROID_TOKEN, 'aa');
  clock.advance(SECOND);
  const next = await pay(ANDROID_TOKEN, 'aa');
  expect(repeat.body).toEqual({ id: first.body.id, status: 'duplicate' });
  expect(next.body.status).toBe('delivered');
  expect(next.body.id).not.toBe(first.body.id);
});

test('a key of seven days lasts over a restart and ends after seven days', async () => {
  const { announce, running, clock } = await setupDriven();
  const first = await announce('one');
  await (await running.restart()).reach;
  expect((await announce('one')).body).toEqual({ id: first.body.id, status: 'duplicate' });
  await running.service.stop();
  clock.advance(7 * DAY);
  await (await running.restart()).reach;
  expect((await announce('one')).body.status).toBe('delivered');
  expect(running.sandbox.received()).toHaveLength(2);
});

test('a repeat during the last try gives the delivery a new life', async () => {
  const { pay, running, elapse, drift, asked, untilAsked, rows } = await setupDriven();
  running.sandbox.script({ provider: 'fcm', times: Infinity, fault: FAILING });
  const first = await pay(ANDROID_TOKEN, 'aa');
  await elapse(51 * SECOND);
  running.sandbox.clearFaults();
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'hang' } });
  const before = asked();
  await drift(600);
  await untilAsked(before + 1);
  const repeat = await pay(ANDROID_TOKEN, 'aa');
  expect(repeat.body).toEqual({ id: first.body.id, status: 'duplicate' });
  await drift(2 * SECOND);
  await running.sandbox.waitFor(() => true, 1);
  await running.service.settled();
  expect(await rows()).toMatchObject([{ id: first.body.id, status: 'delivered' }]);
});

test('a first try that was refused blocks no second one, however long its window', async () => {
  const { pay, announce, running } = await setupDriven();
  for (const call of [() => pay(ANDROID_TOKEN, 'aa'), () => announce('one')]) {
    running.sandbox.script({ provider: 'fcm', fault: REFUSED });
    expect(await call()).toMatchObject({ status: 422, body: { code: 'message_rejected' } });
    expect(await call()).toMatchObject({ status: 200, body: { status: 'delivered' } });
  }
});

test('a failure that the store has not learnt yet blocks no second try', async () => {
  const { announce, running, store } = await setupDriven();
  running.sandbox.script({ provider: 'fcm', fault: REFUSED });
  const release = store.hold(['settle']);
  const first = await announce('one');
  const second = await announce('one');
  release();
  expect(first).toMatchObject({ status: 422, body: { code: 'message_rejected' } });
  expect(second).toMatchObject({ status: 200, body: { status: 'delivered' } });
});

test('a call that the store could not keep blocks no second try', async () => {
  const { pay, announce, running, store } = await setupDriven();
  store.fail('full');
  for (const call of [() => pay(ANDROID_TOKEN, 'aa'), () => announce('one')]) {
    running.sandbox.script({ provider: 'fcm', fault: FAILING });
    expect(await call()).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
    expect((await call()).body).toMatchObject({ status: 'delivered', logged: false });
    expect((await call()).body).toMatchObject({ status: 'duplicate' });
  }
});

test('a delivery that expires in the queue makes way for a new call', async () => {
  const { announce, running, elapse } = await setupDriven();
  running.sandbox.script({ provider: 'fcm', times: Infinity, fault: FAILING });
  const first = await announce('one');
  await elapse(60 * SECOND);
  running.sandbox.clearFaults();
  const second = await announce('one');
  expect(first.body.status).toBe('queued');
  expect(second.body.status).toBe('delivered');
  expect(second.body.id).not.toBe(first.body.id);
});

test('a store that does not answer delays a push by half a second', async () => {
  const { announce, running, store, clock } = await setupDriven();
  const release = store.hold(['findDuplicate']);
  const timers = clock.timers;
  const answer = announce('one');
  while (clock.timers === timers) await store.idle();
  clock.advance(SECOND / 2);
  expect((await answer).body.status).toBe('delivered');
  expect(running.sandbox.received()).toHaveLength(1);
  release();
});
