// What the log stores besides deliveries: the call that each came by and the answer to its caller, and when the log
// itself is incomplete. This needs no transactions of its own, and a kill loses at most a second of it.

import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/sandbox.ts';
import type { LoggedDelivery } from '../../src/core/ports/store.ts';
import { readRecordedRows } from '../stores/sqlite/recorded-rows.ts';
import { startBinary } from '../support/binary.ts';
import { askPhone, reply, send } from '../support/callers.ts';
import { paymentBody, registerPhone, wake } from '../support/device-calls.ts';
import { androidToken, DAY, MINUTE, SECOND, setupDriven } from '../support/driven-service.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import {
  ANDROID_TOKEN,
  IOS_TOKEN,
  notifyPath,
  type Setup,
  sandboxEnvironment,
  setup,
  temporaryFolder,
} from '../support/service.ts';
import { sparkPaymentCall } from '../support/signed-calls.ts';

const UNAVAILABLE = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;

function recorded(running: Setup) {
  return readRecordedRows(running.environment.NDS_DATABASE ?? '');
}

async function newest(running: Setup): Promise<LoggedDelivery | undefined> {
  await running.service.settled();
  return (await running.service.store.findDeliveries({ limit: 1 }))[0];
}

test('a delivery has the call that it came by and the answer to its caller', async () => {
  const clock = new ManualClock();
  const running = await setup({ clock, environment: REGISTRY_ENVIRONMENT });
  const device = await registerPhone(running);
  const answer = await wake(running, device, 'aa');
  expect(answer.headers['request-id']).toBe(answer.headers['delivery-id']);
  expect(await newest(running)).toMatchObject({
    id: answer.headers['delivery-id'],
    deviceId: device.id,
    door: '/n/:handle',
    source: 'notify',
    requestId: answer.headers['request-id'],
    told: 'delivered',
    toldStatus: 200,
    toldAtMs: clock.wallMs(),
    repeats: 0,
  });
});

test('the first answer stays when a repeat is refused', async () => {
  const { running, pay, elapse } = await setupDriven();
  running.sandbox.script({ provider: 'fcm', times: Infinity, fault: UNAVAILABLE });
  await pay(androidToken(1), 'aa');
  await pay(androidToken(2), 'aa');
  await elapse(45 * SECOND);
  const { id } = (await pay(ANDROID_TOKEN, 'bb')).body;
  await elapse(15 * SECOND);
  const repeat = await pay(ANDROID_TOKEN, 'bb');
  expect(repeat).toMatchObject({ status: 503, body: { code: 'provider_unavailable', id } });
  expect(await newest(running)).toMatchObject({ id, told: 'queued', toldStatus: 200 });
  expect(recorded(running).refusals.at(-1)).toMatchObject({ code: 'provider_unavailable' });
});

test('the first answer stays when the delivery ends differently', async () => {
  const { running, pay, elapse, clock } = await setupDriven();
  running.sandbox.script({ provider: 'fcm', times: 2, fault: UNAVAILABLE });
  expect((await pay(ANDROID_TOKEN, 'aa')).body.status).toBe('queued');
  const toldAtMs = clock.wallMs();
  expect(await newest(running)).toMatchObject({ status: 'queued', told: 'queued', toldAtMs });
  await elapse(20 * SECOND);
  expect(await newest(running)).toMatchObject({ status: 'delivered', told: 'queued', toldAtMs });
});

test('for a caller that waited for its device, the log says whether it got a reply', async () => {
  const clock = new ManualClock();
  const running = await setup({ clock });
  const asked = askPhone(running, { token: ANDROID_TOKEN, request: 'lni1' });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  await reply(running, push, '{"invoice":"lni"}');
  expect((await asked.answer).status).toBe(200);
  expect(await newest(running)).toMatchObject({ told: 'replied', toldStatus: 200 });
  const silent = askPhone(running, { token: ANDROID_TOKEN, request: 'lni2' });
  await running.sandbox.waitFor(() => true, 2);
  clock.advance(50_000);
  expect((await silent.answer).status).toBe(504);
  expect(await newest(running)).toMatchObject({ told: 'no_reply', toldStatus: 504 });
});

test('each of a user’s devices has the answer about its own delivery', async () => {
  const domains = { 'pay.example.com': { secrets: ['secret-of-the-domain'] } };
  const environment = { ...REGISTRY_ENVIRONMENT, NDS_SOURCES: JSON.stringify({ domains }) };
  const running = await setup({ environment });
  const user = `02${'ab'.repeat(32)}`;
  const phones = [
    await registerPhone(running, { user }),
    await registerPhone(running, { user, platform: 'ios', token: IOS_TOKEN }),
  ];
  const call = sparkPaymentCall({
    path: '/api/v1/webhooks/spark_payment_received/pay.example.com',
    secret: 'secret-of-the-domain',
    user,
  });
  const dead = { kind: 'reason', reason: 'Unregistered', timestampMs: Date.now() } as const;
  running.sandbox.script({ token: IOS_TOKEN, fault: dead });
  const first = await send(running.service.url, call);
  const second = await send(running.service.url, call);
  expect([first.status, second.status]).toEqual([200, 200]);
  await running.service.settled();
  const deliveries = await running.service.store.findDeliveries({ limit: 10 });
  const told = deliveries.map(({ deviceId, told, toldStatus, requestId, repeats }) => {
    expect(requestId).toBe(first.headers['request-id']);
    return [deviceId === phones[0]?.id ? 'android' : 'ios', told, toldStatus, repeats];
  });
  expect(told.toSorted()).toEqual([
    ['android', 'delivered', 200, 1],
    ['ios', 'token_unregistered', 200, 0],
  ]);
  const { refusals } = recorded(running);
  expect(refusals.map(({ code, deviceId, requestId }) => [code, deviceId, requestId])).toEqual([
    ['token_unregistered', phones[1]?.id, second.headers['request-id']],
    ['duplicate', phones[0]?.id, second.headers['request-id']],
  ]);
});

test('the answer to the caller is written together with the end of its delivery', async () => {
  const clock = new ManualClock();
  const batches: number[] = [];
  const running = await setup({ clock, environment: { NDS_METRICS_ADDRESS: '127.0.0.1:0' } });
  for (let number = 0; number < 5; number += 1) {
    expect((await running.notify(androidToken(number), 'aa')).status).toBe(200);
  }
  await running.service.store.probe();
  for (const event of running.log.events) {
    if (event.name === 'store_batch_ended') batches.push(event.operations);
  }
  const deliveries = await running.service.store.findDeliveries({ limit: 10 });
  expect(deliveries.map(({ told }) => told)).toEqual(Array(5).fill('delivered'));
  // An insert and a settlement for each, the beginning of the log, what the start reads, and the probe.
  const operations = batches.reduce((sum, size) => sum + size, 0);
  expect(operations).toBeLessThanOrEqual(5 * 2 + 6);
});

test('a store that fails loses refusals, counts deliveries without a row, and delays no caller', async () => {
  const { running, pay, store, elapse, clock } = await setupDriven();
  await pay(ANDROID_TOKEN, 'first');
  store.fail('full');
  const began = clock.wallMs();
  for (const number of [1, 2]) {
    expect((await pay(androidToken(number), 'aa')).body).toMatchObject({ logged: false });
  }
  for (const token of ['', '!']) {
    const path = `/notify?platform=android&token=${token}`;
    expect((await send(running.service.url, { path, body: paymentBody('aa') })).status).toBe(400);
  }
  await elapse(3 * SECOND, SECOND);
  store.repair();
  await elapse(SECOND, SECOND);
  await running.service.settled();
  const { refusals, gaps } = recorded(running);
  expect(refusals).toEqual([]);
  expect(gaps.at(-1)).toEqual({
    kind: 'store',
    beganAtMs: began,
    endedAtMs: clock.wallMs(),
    unlogged: 2,
  });
  expect(running.log.events).toContainEqual({ name: 'refusals_dropped', calls: 2 });
});

test('the log says when the process did not run', async () => {
  const clock = new ManualClock();
  const running = await setup({ clock });
  const startedAtMs = clock.wallMs();
  clock.advance(MINUTE);
  await running.service.stop();
  const before = { kind: 'stopped', beganAtMs: 0, endedAtMs: startedAtMs, unlogged: 0 };
  const stopped = { kind: 'stopped', beganAtMs: startedAtMs + MINUTE, unlogged: 0 };
  expect(recorded(running).gaps).toEqual([before, stopped]);
  clock.advance(MINUTE);
  await running.restart();
  const ended = { ...stopped, endedAtMs: startedAtMs + 2 * MINUTE };
  expect(recorded(running).gaps).toEqual([before, ended]);
});

test.each([
  ['a week', 7, {}],
  ['NDS_RETENTION if that is shorter', 2, { NDS_RETENTION: '2d' }],
])('refusals are deleted after %s', async (_, days, environment) => {
  const clock = new ManualClock();
  const running = await setup({ clock, environment });
  await send(running.service.url, { path: '/n/unknown', body: paymentBody('aa') });
  const pass = async (ms: number) => {
    clock.advance(ms);
    // The log is pruned in two steps, and the timer for the next time is set after them.
    for (let steps = 0; steps < 3; steps += 1) await running.service.settled();
  };
  await pass(days * DAY - MINUTE);
  expect(recorded(running).refusals).toHaveLength(1);
  await pass(20 * MINUTE);
  expect(recorded(running).refusals).toEqual([]);
});

test('a kill loses nothing that was committed, and leaves a gap', async () => {
  const folder = temporaryFolder();
  const sandbox = await startSandbox();
  const environment = { ...sandboxEnvironment(sandbox, folder), NDS_SECRET: 'x'.repeat(32) };
  const file = join(folder, 'nds.sqlite');
  const first = await startBinary(environment);
  const path = notifyPath(ANDROID_TOKEN);
  expect((await send(first.url, { path, body: paymentBody('aa') })).status).toBe(200);
  const refused = await send(first.url, { path: '/n/unknown', body: paymentBody('aa') });
  const isWritten = () => readRecordedRows(file).refusals.length > 0;
  while (!isWritten()) await setImmediate();
  first.kill('SIGKILL');
  await first.ended;
  const second = await startBinary(environment);
  const { refusals, gaps } = readRecordedRows(file);
  expect(refusals).toEqual([
    expect.objectContaining({ code: 'unknown_handle', requestId: refused.headers['request-id'] }),
  ]);
  expect(gaps).toHaveLength(2);
  const { beganAtMs = 0, endedAtMs = 0 } = gaps.at(-1) ?? {};
  expect(beganAtMs).toBeGreaterThanOrEqual((refusals[0]?.atMs ?? 0) - 1_500);
  expect(endedAtMs).toBeGreaterThanOrEqual(beganAtMs);
  second.kill('SIGTERM');
  await second.ended;
  await sandbox.close();
});
