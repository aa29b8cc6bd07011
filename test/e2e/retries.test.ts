// Failures that may pass are retried as long as that is useful; final outcomes end the delivery at once; every attempt
// is logged.

import { expect, test } from 'vitest';
import { HOUR, iosToken, SECOND, setupDriven } from '../support/driven-service.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath } from '../support/service.ts';

const UNAVAILABLE = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;

async function setup(environment: Record<string, string> = {}) {
  const driven = await setupDriven({ environment });
  return {
    ...driven,
    sandbox: driven.running.sandbox,
    /** The row of the only delivery. */
    row: async () => {
      const rows = await driven.rows();
      expect(rows).toHaveLength(1);
      return rows[0];
    },
    /** Seconds from receipt to each request at the stand-in. */
    askedAfter: () => {
      const pushes = driven.running.sandbox
        .requests()
        .filter(({ provider }) => provider !== 'oauth');
      const firstMs = pushes[0]?.receivedAtMs ?? 0;
      return pushes.map(({ receivedAtMs }) => (receivedAtMs - firstMs) / SECOND);
    },
  };
}

test('gaps grow from one to fifteen seconds, and no attempt starts in a payment’s last eight seconds', async () => {
  const { pay, sandbox, elapse, askedAfter, row } = await setup();
  sandbox.script({ provider: 'fcm', times: Infinity, fault: { ...UNAVAILABLE } });
  const answer = await pay(ANDROID_TOKEN, 'aa');
  expect(answer).toMatchObject({ status: 200, body: { status: 'queued' } });
  await elapse(70 * SECOND, 100);
  const times = askedAfter();
  expect(times.length).toBeGreaterThanOrEqual(4);
  expect(Math.max(...times)).toBeLessThanOrEqual(52);
  const expired = await row();
  expect(expired).toMatchObject({ id: answer.body.id, status: 'expired' });
  expect(expired?.attempts.map(({ number }) => number)).toEqual(times.map((_, index) => index + 1));
});

test('a queued delivery goes out as soon as its gap is over', async () => {
  const { pay, sandbox, elapse, row } = await setup();
  sandbox.script({ provider: 'fcm', fault: { ...UNAVAILABLE } });
  const answer = await pay(ANDROID_TOKEN, 'aa');
  await elapse(1_300, 100);
  const [push] = await sandbox.waitFor(() => true, 1);
  await elapse(100);
  expect(push?.token).toBe(ANDROID_TOKEN);
  expect(await row()).toMatchObject({
    id: answer.body.id,
    status: 'delivered',
    attempts: [
      { number: 1, outcome: 'retry', reason: 'UNAVAILABLE' },
      { number: 2, outcome: 'delivered' },
    ],
  });
});

test.each([
  [5, 5],
  [55, 10],
])('a provider’s Retry-After of %i s is respected up to %i s', async (seconds, waitedS) => {
  const { pay, sandbox, elapse, askedAfter } = await setup();
  const fault = { ...UNAVAILABLE, retryAfterSeconds: seconds };
  sandbox.script({ provider: 'fcm', fault });
  expect((await pay(ANDROID_TOKEN, 'aa')).body.status).toBe('queued');
  await elapse(15 * SECOND, 500);
  await sandbox.waitFor(() => true, 1);
  const [, second] = askedAfter();
  expect(second).toBeGreaterThanOrEqual(waitedS);
  expect(second).toBeLessThanOrEqual(waitedS + 1);
});

test('if no further attempt can help, the caller is answered 503 with the time for a repeat', async () => {
  const { pay, sandbox, row, asked } = await setup({ NDS_LIFETIMES: 'payment_received=8400ms' });
  sandbox.script({ provider: 'fcm', fault: UNAVAILABLE });
  const answer = await pay(ANDROID_TOKEN, 'aa');
  expect(answer).toMatchObject({ status: 503, retryAfter: '8', body: { code: 'expired' } });
  expect(await row()).toMatchObject({ id: answer.body.id, status: 'expired' });
  // A repeat is a new delivery.
  expect((await pay(ANDROID_TOKEN, 'aa')).body.status).toBe('delivered');
  expect(asked()).toBe(2);
});

test('a call for a token that the provider holds back too long is answered 429 and logged as expired', async () => {
  const { pay, sandbox, elapse, row, asked } = await setup();
  const fault = { kind: 'fcm_error', error: 'QUOTA_EXCEEDED', retryAfterSeconds: 55 } as const;
  sandbox.script({ provider: 'fcm', fault });
  const answer = await pay(ANDROID_TOKEN, 'aa');
  expect(answer).toMatchObject({
    status: 429,
    body: { code: 'token_throttled', reason: 'QUOTA_EXCEEDED' },
  });
  expect(answer.retryAfter).toBe('55');
  await elapse(50 * SECOND, SECOND);
  expect(asked()).toBe(1);
  expect(await row()).toMatchObject({
    status: 'expired',
    reason: 'QUOTA_EXCEEDED',
    attempts: [{ number: 1 }],
  });
});

test('a hanging attempt ends after two seconds and is tried once more at once, with the same ids', async () => {
  const { pay, sandbox, clock, untilAsked, row } = await setup();
  sandbox.script({ provider: 'apns', fault: { kind: 'hang', accepted: true } });
  const answer = pay(IOS_TOKEN, 'aa');
  await untilAsked(1);
  clock.advance(2 * SECOND);
  expect((await answer).body.status).toBe('delivered');
  const [first, second] = sandbox.received();
  expect(second?.apns?.id).toBe((await answer).body.id);
  expect(first?.apns?.id).toBe(second?.apns?.id);
  expect(first?.apns?.collapseId).toBe(second?.apns?.collapseId);
  expect(second?.apns?.collapseId).toBeDefined();
  expect((await row())?.attempts).toMatchObject([
    { number: 1, outcome: 'retry', latencyMs: 2_000 },
    { number: 2, outcome: 'delivered' },
  ]);
});

test('a refused stream is tried once more at once', async () => {
  const { pay, sandbox } = await setup();
  sandbox.script({ provider: 'apns', fault: { kind: 'refused_stream' } });
  expect((await pay(IOS_TOKEN, 'aa')).body.status).toBe('delivered');
  expect(sandbox.received()).toHaveLength(1);
});

test('a caller is answered after five seconds at the latest', async () => {
  const { running, sandbox, clock, pay, untilAsked } = await setup();
  await running.restart({ NDS_ATTEMPT_TIMEOUT: '4s' });
  sandbox.script({ provider: 'apns', times: Infinity, fault: { kind: 'hang' } });
  const answer = pay(IOS_TOKEN, 'aa');
  await untilAsked(1);
  clock.advance(4 * SECOND);
  await untilAsked(2);
  clock.advance(SECOND);
  expect(await answer).toMatchObject({ status: 200, body: { status: 'queued' } });
});

test('a permanent outcome of a later try ends the delivery', async () => {
  const { pay, sandbox, elapse, row, asked } = await setup();
  sandbox.script({ provider: 'fcm', fault: { ...UNAVAILABLE } });
  sandbox.script({
    provider: 'fcm',
    fault: { kind: 'fcm_error', error: 'INVALID_ARGUMENT', field: 'message.data' },
  });
  expect((await pay(ANDROID_TOKEN, 'aa')).body.status).toBe('queued');
  await elapse(1_300, 100);
  await sandbox.waitForRequests(({ reason }) => reason === 'INVALID_ARGUMENT', 1);
  await elapse(60 * SECOND, SECOND);
  expect(asked()).toBe(2);
  expect(await row()).toMatchObject({ status: 'rejected', reason: 'INVALID_ARGUMENT' });
});

test('a swap’s news are tried for a day', async () => {
  const { running, sandbox, elapse, row, clock } = await setup();
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'InternalServerError' } });
  sandbox.script({
    provider: 'apns',
    fault: { kind: 'reason', reason: 'ServiceUnavailable', retryAfterSeconds: 6 * 3_600 },
  });
  const body = JSON.stringify({ event: 'swap.update', data: { id: 's', status: 'paid' } });
  await running.post(notifyPath(iosToken(1)), body);
  await elapse(20 * SECOND, SECOND);
  await sandbox.waitForRequests(({ reason }) => reason === 'ServiceUnavailable', 1);
  await elapse(SECOND);
  await running.service.stop();
  clock.advance(6 * HOUR);
  await running.restart();
  await elapse(2 * SECOND);
  const [push] = await sandbox.waitFor(() => true, 1);
  expect(push?.data.notification_type).toBe('swap_updated');
  await elapse(SECOND);
  expect(await row()).toMatchObject({ status: 'delivered', attempts: [{}, {}, {}] });
});
