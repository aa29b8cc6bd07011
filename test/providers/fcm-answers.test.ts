// Every answer of FCM and its meaning, as the sandbox gives it over the wire, and the pure table for the rest.

import { expect, it } from 'vitest';
import type { Fault } from '../../sandbox/faults.ts';
import { fcmRemedyFor, readFcmAnswer } from '../../src/providers/fcm/response.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { openProvider, openSandbox } from './support.ts';

const ANSWERS: readonly [string, Fault, object][] = [
  [
    'UNREGISTERED',
    { kind: 'fcm_error', error: 'UNREGISTERED' },
    { kind: 'unregistered', reason: 'UNREGISTERED' },
  ],
  [
    'a 404 without details: the project, never the token',
    { kind: 'google_error', status: 404 },
    { kind: 'misconfigured', reason: 'NOT_FOUND' },
  ],
  ['an HTML 404', { kind: 'html', status: 404 }, { kind: 'misconfigured', reason: 'NOT_FOUND' }],
  [
    'SENDER_ID_MISMATCH',
    { kind: 'fcm_error', error: 'SENDER_ID_MISMATCH' },
    { kind: 'rejected', reason: 'SENDER_ID_MISMATCH', blame: 'sender' },
  ],
  [
    'INVALID_ARGUMENT with nothing but FcmError: as a rule a malformed token',
    { kind: 'fcm_error', error: 'INVALID_ARGUMENT' },
    { kind: 'rejected', reason: 'malformed_token', blame: 'token' },
  ],
  [
    'a 400 without details, as for a message that is too large',
    { kind: 'google_error', status: 400 },
    { kind: 'rejected', reason: 'INVALID_ARGUMENT', blame: 'message' },
  ],
  [
    'INVALID_ARGUMENT that names the token',
    { kind: 'fcm_error', error: 'INVALID_ARGUMENT', field: 'message.token' },
    { kind: 'rejected', reason: 'INVALID_ARGUMENT', blame: 'token' },
  ],
  [
    'INVALID_ARGUMENT that names something else',
    { kind: 'fcm_error', error: 'INVALID_ARGUMENT', field: 'message.data[0].key' },
    { kind: 'rejected', reason: 'INVALID_ARGUMENT', blame: 'message' },
  ],
  [
    'THIRD_PARTY_AUTH_ERROR',
    { kind: 'fcm_error', error: 'THIRD_PARTY_AUTH_ERROR' },
    { kind: 'rejected', reason: 'THIRD_PARTY_AUTH_ERROR', blame: 'sender' },
  ],
  [
    'a 403 without details',
    { kind: 'google_error', status: 403 },
    { kind: 'misconfigured', reason: 'PERMISSION_DENIED' },
  ],
  [
    'QUOTA_EXCEEDED that does not say whose',
    { kind: 'fcm_error', error: 'QUOTA_EXCEEDED', retryAfterSeconds: 30 },
    { kind: 'retry', reason: 'QUOTA_EXCEEDED', certainty: 'throttled', retryAfterMs: 30_000 },
  ],
  [
    'QUOTA_EXCEEDED for the device',
    { kind: 'fcm_error', error: 'QUOTA_EXCEEDED', quota: 'device', retryAfterSeconds: 60 },
    { kind: 'retry', reason: 'QUOTA_EXCEEDED', certainty: 'throttled_token', retryAfterMs: 60_000 },
  ],
  [
    'QUOTA_EXCEEDED for a topic',
    { kind: 'fcm_error', error: 'QUOTA_EXCEEDED', quota: 'topic' },
    { kind: 'retry', reason: 'QUOTA_EXCEEDED', certainty: 'throttled_token' },
  ],
  [
    'QUOTA_EXCEEDED for the project',
    { kind: 'fcm_error', error: 'QUOTA_EXCEEDED', quota: 'project' },
    { kind: 'retry', reason: 'QUOTA_EXCEEDED', certainty: 'throttled_project' },
  ],
  [
    'a 429 without details',
    { kind: 'google_error', status: 429 },
    { kind: 'retry', reason: 'status_429', certainty: 'throttled' },
  ],
  [
    'INTERNAL',
    { kind: 'fcm_error', error: 'INTERNAL' },
    { kind: 'retry', reason: 'INTERNAL', certainty: 'answered' },
  ],
  [
    'UNAVAILABLE',
    { kind: 'fcm_error', error: 'UNAVAILABLE' },
    { kind: 'retry', reason: 'UNAVAILABLE', certainty: 'answered' },
  ],
  [
    'UNSPECIFIED_ERROR with 500',
    { kind: 'fcm_error', error: 'UNSPECIFIED_ERROR' },
    { kind: 'retry', reason: 'status_500', certainty: 'answered' },
  ],
  [
    'UNSPECIFIED_ERROR with 403',
    { kind: 'fcm_error', error: 'UNSPECIFIED_ERROR', status: 403 },
    { kind: 'misconfigured', reason: 'PERMISSION_DENIED' },
  ],
  [
    'UNREGISTERED with another status',
    { kind: 'fcm_error', error: 'UNREGISTERED', status: 400 },
    { kind: 'rejected', reason: 'INVALID_ARGUMENT', blame: 'message' },
  ],
  [
    'a 413',
    { kind: 'google_error', status: 413 },
    { kind: 'rejected', reason: 'status_413', blame: 'message' },
  ],
  [
    'an empty 200',
    { kind: 'empty', status: 200 },
    { kind: 'retry', reason: 'answer_unreadable', certainty: 'unanswered' },
  ],
];

it.each(ANSWERS)('translates %s, over the wire', async (_name, fault, expected) => {
  const sandbox = await openSandbox();
  const { send } = await openProvider('fcm', sandbox);
  sandbox.script({ provider: 'fcm', fault });
  expect(await send()).toEqual(expected);
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

it('reads a body that is not what Google documents by the status', () => {
  const bodies = ['', '<html>', 'null', '[]', '{"error":7}', '{"error":{"details":[7,{}]}}'];
  for (const body of bodies) {
    expect(readFcmAnswer({ status: 503, headers: {}, body }, 0)).toEqual({
      kind: 'retry',
      reason: 'status_503',
      certainty: 'answered',
    });
    expect(readFcmAnswer({ status: 404, headers: {}, body }, 0)).toMatchObject({
      kind: 'misconfigured',
    });
  }
});

it('passes on no text of the provider', () => {
  const body = '{"name":"projects/p/messages/with spaces"}';
  expect(readFcmAnswer({ status: 200, headers: {}, body }, 0)).toEqual({ kind: 'delivered' });
  const unknown = JSON.stringify({
    error: {
      details: [
        {
          '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError',
          errorCode: 'token xyz is odd',
        },
      ],
    },
  });
  expect(readFcmAnswer({ status: 500, headers: {}, body: unknown }, 0)).toMatchObject({
    reason: 'status_500',
  });
});

it('explains what the operator has to do', () => {
  expect(fcmRemedyFor('NOT_FOUND')).toMatch(/project id/);
  expect(fcmRemedyFor('constructor')).toBeUndefined();
  expect(fcmRemedyFor('THIRD_PARTY_AUTH_ERROR')).toBeUndefined();
});

it.each([
  [{ quotaMetric: 'fcm.googleapis.com/send_requests' }, 'throttled_project'],
  [{ subject: 'project:p', description: 'Device message rate exceeded' }, 'throttled_token'],
  [{ subject: 7, description: null }, 'throttled'],
])('reads whose quota it is from %j', (violation, certainty) => {
  const error = {
    details: [{ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [violation] }],
  };
  expect(readFcmAnswer({ status: 429, headers: {}, body: JSON.stringify({ error }) }, 0)).toEqual({
    kind: 'retry',
    reason: 'status_429',
    certainty,
  });
});

it('reports Google’s clock every ten seconds, from refusals, too', async () => {
  const clock = new ManualClock(Date.now());
  const dates: number[] = [];
  const sandbox = await openSandbox();
  const { send } = await openProvider('fcm', sandbox, {
    clock,
    onServerDate: (unixMs) => dates.push(unixMs),
  });
  await send();
  await send();
  expect(dates).toHaveLength(1);
  clock.advance(10_000);
  sandbox.script({ provider: 'fcm', fault: { kind: 'empty' } });
  await send();
  expect(dates).toHaveLength(2);
  for (const unixMs of dates) expect(Math.abs(unixMs - Date.now())).toBeLessThan(10_000);
});

it('ignores the date of an answer that was read late', async () => {
  const clock = new ManualClock(Date.now());
  const dates: number[] = [];
  const sandbox = await openSandbox();
  const { send } = await openProvider('fcm', sandbox, {
    clock,
    onServerDate: (unixMs) => dates.push(unixMs),
  });
  await send();
  expect(dates).toHaveLength(1);
  const answer = send({ timeoutMs: 10_000 });
  clock.advance(2_001);
  expect(await answer).toMatchObject({ kind: 'delivered' });
  expect(dates).toHaveLength(1);
});

it('keeps the message id of Google’s delivery data, without the project', () => {
  const body = '{"name":"projects/my-wallet/messages/0:1500415314455276%31bd1c96f9fd7ecd"}';
  expect(readFcmAnswer({ status: 200, headers: {}, body }, 0)).toEqual({
    kind: 'delivered',
    messageId: '0:1500415314455276%31bd1c96f9fd7ecd',
  });
});
