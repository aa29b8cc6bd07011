// Test pushes: to a token, a handle and a device, of every type, with the way that they took.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { CATALOGUE } from '../../../src/core/notification.ts';
import { testPushAnswer } from '../../../src/http/operator/test-pushes.ts';
import { sortedJson } from '../../../src/sources/json.ts';
import { isNwcRequest } from '../../../src/sources/nostr-event.ts';
import { refusalOf, reply } from '../../support/callers.ts';
import { faultyFields, registerPhone } from '../../support/device-calls.ts';
import { SECOND, setupDriven } from '../../support/driven-service.ts';
import { allSources, loadFixtures } from '../../support/fixtures.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import { handleOf } from '../../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, type Setup } from '../../support/service.ts';

const TO_ANDROID = { token: ANDROID_TOKEN, platform: 'android' };

async function start() {
  return await setupDriven({ environment: OPERATOR_ENVIRONMENT });
}

function ask(running: Setup, body: object | string) {
  return operate(running, { method: 'POST', path: '/test-pushes', body });
}

async function push(running: Setup, body: object) {
  return testPushAnswer.parse(told(await ask(running, body)));
}

test('reaches a token, a handle of any door and a device, and says so', async () => {
  const { running } = await start();
  const details = { platform: 'ios', token: IOS_TOKEN, user: 'user-a', app_data: 'wallet-1' };
  const device = await registerPhone(running, details);
  const attempts = [{ number: 1, latency_ms: 0, outcome: 'delivered' }];
  const common = { status: 'delivered', app: 'default', type: 'payment_received', logged: true };
  const byToken = await push(running, { to: TO_ANDROID });
  expect(byToken).toEqual({ ...common, id: byToken.id, provider: 'fcm', attempts });
  for (const to of [
    { handle: handleOf(device, 'notify') },
    { handle: handleOf(device, 'resmic') },
    { device_id: device.id },
  ]) {
    const result = await push(running, { to });
    const expected = { ...common, provider: 'apns', device_id: device.id, attempts };
    expect(result).toEqual({ id: result.id, ...expected });
  }
  const [first, second] = running.sandbox.received();
  expect(first).toMatchObject({ token: ANDROID_TOKEN });
  expect(second).toMatchObject({ token: IOS_TOKEN, data: { app_data: 'wallet-1' } });
  await running.service.settled();
  const row = await running.service.store.findDeliveries({ id: byToken.id, limit: 1 });
  expect(row).toMatchObject([{ status: 'delivered', source: 'test', door: '/api/v1/test-pushes' }]);
});

/** The fields that every push of a type has, according to its callers' fixtures. */
function fieldsByType(): ReadonlyMap<string, ReadonlySet<string>> {
  const fields = new Map<string, ReadonlySet<string>>();
  for (const { expect: expected } of loadFixtures([...allSources()])) {
    const { push, notification_type: type, notification_payload: payload } = expected;
    if (!push || type === null || payload === null || !Object.hasOwn(CATALOGUE, type)) continue;
    const own = new Set(Object.keys(z.record(z.string(), z.unknown()).parse(JSON.parse(payload))));
    fields.set(type, fields.get(type)?.intersection(own) ?? own);
  }
  return fields;
}

test('sends every type with the fields that its handler expects, or with the given payload', async () => {
  const { running } = await start();
  for (const type of Object.keys(CATALOGUE)) {
    expect((await push(running, { to: TO_ANDROID, type })).status, type).toBe('delivered');
  }
  await push(running, { to: TO_ANDROID, type: 'my_type', payload: { amount: 1, nested: [null] } });
  const pushes = running.sandbox.received().map(({ data }) => data);
  const payloadOf = (type: string) => {
    const data = pushes.find((one) => one.notification_type === type);
    return JSON.parse(data?.notification_payload ?? '');
  };
  expect(pushes.map((data) => data.notification_type)).toEqual([
    ...Object.keys(CATALOGUE),
    'my_type',
  ]);
  expect(payloadOf('payment_received').payment_hash).toMatch(/^[0-9a-f]{64}$/);
  for (const [type, fields] of fieldsByType()) {
    expect(Object.keys(payloadOf(type)), type).toEqual(expect.arrayContaining([...fields]));
  }
  expect(isNwcRequest(JSON.parse(payloadOf('nwc_event').event))).toBe(true);
  for (const data of pushes) {
    const text = data.notification_payload ?? '';
    expect(sortedJson(JSON.parse(text)), data.notification_type).toBe(text);
  }
  expect(payloadOf('my_type')).toEqual({ amount: 1, nested: [null] });
});

test('returns every attempt and the provider’s reason for a push that fails', async () => {
  const { running } = await start();
  const dead = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', times: 1, fault: dead });
  expect(await push(running, { to: TO_ANDROID })).toMatchObject({
    status: 'unregistered',
    reason: 'UNREGISTERED',
    attempts: [{ number: 1, outcome: 'unregistered', reason: 'UNREGISTERED' }],
  });
  // The token is in quarantine by now.
  expect(refusalOf(await ask(running, { to: TO_ANDROID }))).toBe('410 token_unregistered');
  const busy = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
  running.sandbox.script({ provider: 'fcm', times: 1, fault: busy });
  const to = { token: 'another-phone:APA91b', platform: 'android' };
  const queued = await push(running, { to });
  expect(queued).toMatchObject({ status: 'queued', reason: 'UNAVAILABLE', logged: true });
});

test('answers after five seconds that a push is still under way', async () => {
  const { running, clock, drift } = await start();
  running.sandbox.script({ provider: 'fcm', times: Infinity, fault: { kind: 'hang' } });
  let isOver = false;
  const asking = push(running, { to: TO_ANDROID }).finally(() => {
    isOver = true;
  });
  await running.sandbox.waitForRequests(({ provider }) => provider === 'fcm', 1);
  while (!isOver) await drift(100);
  const result = await asking;
  expect(['queued', 'under_way']).toContain(result.status);
  expect(result.attempts.length).toBeGreaterThan(0);
  running.sandbox.clearFaults();
  clock.advance(60 * SECOND);
});

test('waits for the reply of the phone', async () => {
  const { running } = await start();
  const type = 'invoice_request';
  const asking = push(running, { to: TO_ANDROID, type, reply_within_ms: 30_000 });
  const [received] = await running.sandbox.waitFor(() => true, 1);
  expect((await reply(running, received, '{"invoice":"lni1"}')).status).toBe(200);
  expect((await asking).reply).toEqual({ after_ms: 0, bytes: 18 });
});

test('continues without the reply of a silent phone, and takes none later', async () => {
  const { running, clock } = await start();
  const type = 'lnurlpay_info';
  const asking = push(running, { to: TO_ANDROID, type, reply_within_ms: 2_000 });
  const [received] = await running.sandbox.waitFor(() => true, 1);
  await running.service.settled();
  clock.advance(2_000);
  const result = await asking;
  expect(result.status).toBe('delivered');
  expect(result).not.toHaveProperty('reply');
  expect((await reply(running, received, 'late')).status).toBe(404);
});

test('is refused as a caller’s call would be', async () => {
  const { running } = await start();
  const unknownId = '01988000-0000-7000-8000-000000000000';
  const cases: readonly (readonly [object, string])[] = [
    [{ to: { device_id: unknownId } }, '404 unknown_device'],
    [{ to: { handle: 'A'.repeat(22) } }, '404 unknown_handle'],
    [{ to: TO_ANDROID, app: 'another' }, '404 unknown_app'],
    [{ to: TO_ANDROID, payload: { text: 'x'.repeat(5_000) } }, '413 push_too_large'],
  ];
  for (const [body, refusal] of cases) expect(refusalOf(await ask(running, body))).toBe(refusal);
  expect(running.sandbox.received()).toEqual([]);
});

const BAD_BODIES: readonly (readonly [object | string, readonly string[]])[] = [
  ['', ['body']],
  ['[]', ['body']],
  ['{}', ['to']],
  [{ to: ANDROID_TOKEN }, ['to']],
  [{ to: { token: ANDROID_TOKEN } }, ['to']],
  [{ to: { ...TO_ANDROID, device_id: 'x' } }, ['to']],
  [{ to: { token: 'two words', platform: 'android' } }, ['to.token']],
  [{ to: { handle: 'short' } }, ['to.handle']],
  [{ to: { device_id: 'nonsense' } }, ['to.device_id']],
  [{ to: TO_ANDROID, type: 'a payment' }, ['type']],
  [{ to: TO_ANDROID, payload: 'text' }, ['payload']],
  [{ to: TO_ANDROID, reply_within_ms: 60_001 }, ['reply_within_ms']],
  [{ to: TO_ANDROID, title: 'Hello' }, ['title']],
  [{ to: { handle: 'A'.repeat(22) }, app: 'default' }, ['app']],
];

test('names the fields at fault of a bad body, and not their values', async () => {
  const { running } = await start();
  for (const [body, fields] of BAD_BODIES) {
    const answer = await ask(running, body);
    const name = JSON.stringify(body);
    expect(refusalOf(answer), name).toBe('400 bad_body');
    expect(faultyFields(answer), name).toEqual(fields);
    expect(answer.text).not.toContain(ANDROID_TOKEN);
  }
  expect(running.sandbox.received()).toEqual([]);
});
