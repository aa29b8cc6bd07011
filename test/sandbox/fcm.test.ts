// The FCM stand-in over HTTP/2 and HTTP/1.1: what it takes, what it refuses, and
// Google's error bodies.
import { request as httpsRequest } from 'node:https';
import { afterEach, expect, test } from 'vitest';
import { fcmErrorCodes } from '../../sandbox/fcm/errors.ts';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { fcmBody, fcmHeaders, openClient } from './clients.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function setup() {
  const sandbox = await startSandbox({ now: () => 1_700_000_000_000 });
  const client = openClient(sandbox.fcm.url, sandbox.ca);
  cleanups.push(
    () => client.session.destroy(),
    () => sandbox.close(),
  );
  const headers = await fcmHeaders(sandbox, client);
  const send = (body = fcmBody(), others = {}) => client.request({ ...headers, ...others }, body);
  return { sandbox, client, headers, send };
}

const fcmError = (errorCode: string) => ({
  '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError',
  errorCode,
});

test('takes a data message and keeps what the phone gets', async () => {
  const { sandbox, send } = await setup();
  const reply = await send();
  expect(reply.status).toBe(200);
  const name = `projects/${sandbox.fcm.projectId}/messages/1`;
  expect(JSON.parse(reply.body)).toEqual({ name });
  expect(sandbox.received('phone-1')).toEqual([
    {
      provider: 'fcm',
      platform: 'android',
      token: 'phone-1',
      title: undefined,
      data: { notification_type: 'payment_received' },
      expired: false,
      fcm: {
        name,
        message: JSON.parse(fcmBody()).message,
        androidPriority: 'high',
        ttl: '60s',
      },
      connection: 1,
      receivedAtMs: 1_700_000_000_000,
    },
  ]);
});

test('serves a client without HTTP/2', async () => {
  const { sandbox, headers } = await setup();
  const { authorization, ':path': path } = headers;
  const reply = await new Promise((resolve, reject) => {
    const request = httpsRequest(
      new URL(String(path), sandbox.fcm.url),
      { method: 'POST', ca: sandbox.ca, headers: { authorization: String(authorization) } },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode, body }));
      },
    );
    request.on('error', reject);
    request.end(fcmBody());
  });
  expect(reply).toEqual({
    status: 200,
    body: `{"name":"projects/${sandbox.fcm.projectId}/messages/1"}`,
  });
  expect(sandbox.connections().fcm.perConnection.map(({ protocol }) => protocol)).toEqual([
    'h2',
    'http/1.1',
  ]);
});

test('takes an alert for an iPhone', async () => {
  const { sandbox, send } = await setup();
  const apns = {
    headers: { 'apns-priority': '10', 'apns-expiration': '1700000060' },
    payload: {
      aps: { alert: { title: 'Incoming payment' }, 'mutable-content': 1 },
      app_data: 'x',
    },
  };
  expect(await send(fcmBody({ android: undefined, apns }))).toMatchObject({ status: 200 });
  const late = { ...apns, headers: { 'apns-expiration': '1699999999' } };
  expect(await send(fcmBody({ apns: late }))).toMatchObject({ status: 200 });
  expect(sandbox.received()).toMatchObject([
    {
      platform: 'ios',
      title: 'Incoming payment',
      data: { notification_type: 'payment_received', app_data: 'x' },
      expired: false,
    },
    { platform: 'ios', expired: true },
  ]);
});

test.each([
  { token: 'phone-1' },
  { topic: 'nds-doctor', data: { notification_type: 'nds_doctor' } },
])('takes a validate_only message without giving it to a phone: %j', async (message) => {
  const { sandbox, send } = await setup();
  const body = JSON.stringify({ validate_only: true, message });
  const reply = await send(body);
  expect(JSON.parse(reply.body).name).toMatch(/\/messages\/fake_message_id$/);
  expect(sandbox.received()).toEqual([]);
});

test.each([
  ['a reserved key', { data: { from: 'x' } }, 'message.data[0].key'],
  ['a reserved prefix', { data: { a: '1', 'google.x': 'x' } }, 'message.data[1].key'],
  ['more than 4096 bytes of data', { data: { k: 'x'.repeat(4096) } }, 'message.data'],
  ['no recipient', { token: undefined }, 'message'],
  ['an empty token', { token: '' }, 'message.token'],
  ['two recipients', { topic: 'news' }, 'message'],
  ['a ttl above four weeks', { android: { ttl: '2419201s' } }, 'message.android.ttl'],
  ['a negative ttl', { android: { ttl: '-1s' } }, 'message.android.ttl'],
  [
    'priority 10 without an alert',
    { apns: { headers: { 'apns-priority': '10' }, payload: { aps: {} } } },
    'message.apns.headers.apns-priority',
  ],
  [
    'an expiration in ms',
    { apns: { headers: { 'apns-expiration': '1700000000000' } } },
    'message.apns.headers.apns-expiration',
  ],
  [
    'an APNs payload above 4096 bytes',
    { apns: { payload: { aps: { alert: 'x' }, k: 'x'.repeat(4096) } } },
    'message.apns.payload',
  ],
])('refuses %s with FcmError INVALID_ARGUMENT', async (_what, fields, field) => {
  const { sandbox, send } = await setup();
  const reply = await send(fcmBody(fields));
  expect(reply.status).toBe(400);
  expect(JSON.parse(reply.body).error).toMatchObject({
    code: 400,
    status: 'INVALID_ARGUMENT',
    details: [fcmError('INVALID_ARGUMENT'), { fieldViolations: [{ field }] }],
  });
  expect(sandbox.received()).toEqual([]);
});

test.each([
  ['an unknown field', fcmBody({ sound: 'x' }), 'message'],
  ['an unknown field outside', '{"message":{"token":"t"},"urgent":true}', ''],
  ['a number among the data', fcmBody({ data: { a: '1', b: 2 } }), 'message.data[1].value'],
  ['a ttl without its unit', fcmBody({ android: { ttl: '60' } }), 'message.android.ttl'],
  ['an unknown priority', fcmBody({ android: { priority: 'x' } }), 'message.android.priority'],
  ['no message', '{}', 'message'],
  ['broken JSON', '{"message":', ''],
])('refuses %s as malformed', async (_what, body, field) => {
  const { send } = await setup();
  const reply = await send(body);
  expect(reply.status).toBe(400);
  const { error } = JSON.parse(reply.body);
  expect(error).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' });
  expect(error.details).toHaveLength(1);
  expect(error.details[0]).toMatchObject({
    '@type': 'type.googleapis.com/google.rpc.BadRequest',
    fieldViolations: [{ field }],
  });
});

test.each(['3s', '3.5s', '0s', '2419200s'])('takes a ttl of %s', async (ttl) => {
  const { send } = await setup();
  expect(await send(fcmBody({ android: { ttl } }))).toMatchObject({ status: 200 });
});

test('refuses a wrong or revoked access token without FcmError', async () => {
  const { sandbox, send } = await setup();
  const wrong = await send(fcmBody(), { authorization: 'Bearer nonsense' });
  expect(wrong.status).toBe(401);
  const { error } = JSON.parse(wrong.body);
  expect(error).toMatchObject({ code: 401, status: 'UNAUTHENTICATED' });
  expect(error.details).toBeUndefined();
  sandbox.revokeAccessTokens();
  expect(await send()).toMatchObject({ status: 401 });
});

test.each([
  ['/v1/projects/another-project/messages:send', 403, 'PERMISSION_DENIED'],
  ['/v1/projects/NO/messages:send', 404, 'NOT_FOUND'],
])('refuses the project of %s with a %i without FcmError', async (path, code, status) => {
  const { send } = await setup();
  const reply = await send(fcmBody(), { ':path': path });
  expect(reply.status).toBe(code);
  const { error } = JSON.parse(reply.body);
  expect(error).toEqual({ code, status, message: expect.any(String) });
});

test('answers another path with a page', async () => {
  const { send } = await setup();
  const reply = await send(fcmBody(), { ':path': '/v2/other' });
  expect(reply).toMatchObject({ status: 404, body: expect.stringContaining('<html>') });
});

const statuses: Readonly<Record<string, [number, string]>> = {
  UNSPECIFIED_ERROR: [500, 'INTERNAL'],
  INVALID_ARGUMENT: [400, 'INVALID_ARGUMENT'],
  UNREGISTERED: [404, 'NOT_FOUND'],
  SENDER_ID_MISMATCH: [403, 'PERMISSION_DENIED'],
  QUOTA_EXCEEDED: [429, 'RESOURCE_EXHAUSTED'],
  UNAVAILABLE: [503, 'UNAVAILABLE'],
  INTERNAL: [500, 'INTERNAL'],
  THIRD_PARTY_AUTH_ERROR: [401, 'UNAUTHENTICATED'],
};

test.each(fcmErrorCodes)('answers %s in Google’s form when told to', async (error) => {
  const { sandbox, send } = await setup();
  sandbox.script({ fault: { kind: 'fcm_error', error, retryAfterSeconds: 9 } });
  const reply = await send();
  const [code, status] = statuses[error] ?? [];
  expect(reply.status).toBe(code);
  expect(reply.headers['retry-after']).toBe('9');
  expect(JSON.parse(reply.body)).toEqual({
    error: { code, status, message: expect.any(String), details: [fcmError(error)] },
  });
  expect(sandbox.received()).toEqual([]);
});

test('names the violated field when asked to, and leaves details out when asked to', async () => {
  const { sandbox, send } = await setup();
  const field = 'message.token';
  sandbox.script({ fault: { kind: 'fcm_error', error: 'INVALID_ARGUMENT', field } });
  sandbox.script({ fault: { kind: 'google_error', status: 404 } });
  const named = JSON.parse((await send()).body);
  expect(named.error.details).toMatchObject([
    fcmError('INVALID_ARGUMENT'),
    { fieldViolations: [{ field }] },
  ]);
  const bare = JSON.parse((await send()).body);
  expect(bare.error).toEqual({ code: 404, status: 'NOT_FOUND', message: expect.any(String) });
});

test('refuses and resets streams and says GOAWAY over HTTP/2', async () => {
  const { sandbox, client, send } = await setup();
  sandbox.script({ provider: 'fcm', fault: { kind: 'refused_stream' } });
  sandbox.script({ provider: 'fcm', fault: { kind: 'reset', accepted: true } });
  sandbox.script({ provider: 'fcm', fault: { kind: 'goaway' } });
  const closed = new Promise((resolve) => client.session.once('close', resolve));
  const codes = [(await send()).code, (await send()).code];
  expect(codes).toEqual([7, 8]);
  expect(await send()).toMatchObject({ status: 200 });
  await closed;
  expect(sandbox.received()).toHaveLength(2);
});

test('answers with the date of its own clock', async () => {
  const { send } = await setup();
  const reply = await send(JSON.stringify({ message: { token: 'phone-1' } }));
  expect(reply.headers.date).toBe('Tue, 14 Nov 2023 22:13:20 GMT');
});
