// The APNs stand-in against a bare HTTP/2 client: what it takes, what it refuses and
// with which of Apple's reasons.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { constants, type OutgoingHttpHeaders } from 'node:http2';
import { afterEach, expect, test } from 'vitest';
import { type SandboxOptions, startSandbox } from '../../sandbox/sandbox.ts';
import { alertPayload, apnsHeaders, openClient, signProviderToken } from './clients.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function setup(options: SandboxOptions = {}) {
  const sandbox = await startSandbox(options);
  const connect = () => {
    const client = openClient(sandbox.apns.url, sandbox.ca);
    cleanups.unshift(() => client.session.destroy());
    return client;
  };
  cleanups.push(() => sandbox.close());
  const client = connect();
  const inOrder = apnsHeaders(sandbox);
  const push = (headers: OutgoingHttpHeaders = {}, body = alertPayload) =>
    client.request({ ...inOrder, ...headers }, body);
  return { sandbox, client, connect, push };
}

const bytes = (size: number): string => {
  const aps = { alert: { title: 't' } };
  const frame = JSON.stringify({ aps, filler: '' }).length;
  return JSON.stringify({ aps, filler: 'x'.repeat(size - frame) });
};

test('takes an alert, echoes its id and keeps what the phone gets', async () => {
  const { sandbox, push } = await setup({ now: () => 1_700_000_000_000 });
  const id = randomUUID();
  const reply = await push({
    'apns-id': id,
    'apns-expiration': '1700000060',
    'apns-collapse-id': 'c1',
  });
  expect(reply).toMatchObject({ status: 200, body: '', headers: { 'apns-id': id } });
  expect(sandbox.received('aabb01')).toEqual([
    {
      provider: 'apns',
      platform: 'ios',
      token: 'aabb01',
      title: 'Incoming payment',
      data: {
        notification_type: 'payment_received',
        notification_payload: '{"payment_hash":"00"}',
      },
      expired: false,
      apns: {
        id,
        topic: sandbox.apns.topic,
        pushType: 'alert',
        priority: 10,
        expiration: 1_700_000_060,
        collapseId: 'c1',
        payload: JSON.parse(alertPayload),
      },
      connection: 1,
      receivedAtMs: 1_700_000_000_000,
    },
  ]);
  expect(sandbox.received('aabb02')).toEqual([]);
});

test('gives an id to a push that came without one', async () => {
  const { push } = await setup();
  const { headers } = await push();
  expect(headers['apns-id']).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

const refusals: readonly [string, number, string, OutgoingHttpHeaders, string?][] = [
  ['another method', 405, 'MethodNotAllowed', { ':method': 'PUT' }],
  ['another path', 404, 'BadPath', { ':path': '/4/device/aabb' }],
  ['no token', 400, 'MissingDeviceToken', { ':path': '/3/device/' }],
  ['a token that is not hex', 400, 'BadDeviceToken', { ':path': '/3/device/xyz1' }],
  ['half a byte of token', 400, 'BadDeviceToken', { ':path': '/3/device/abc' }],
  ['a query behind the token', 400, 'BadDeviceToken', { ':path': '/3/device/aabb?a=1' }],
  ['a header twice', 400, 'DuplicateHeaders', { 'apns-collapse-id': ['a', 'b'] }],
  ['no topic', 400, 'MissingTopic', { 'apns-topic': '' }],
  ['a topic that is no bundle id', 400, 'BadTopic', { 'apns-topic': 'not a bundle id' }],
  ['a foreign topic', 400, 'TopicDisallowed', { 'apns-topic': 'com.example.other' }],
  ['an unknown push type', 400, 'InvalidPushType', { 'apns-push-type': 'loud' }],
  ['an alert with nothing to show', 400, 'InvalidPushType', {}, '{"aps":{"mutable-content":1}}'],
  [
    'a background push with an alert',
    400,
    'InvalidPushType',
    { 'apns-push-type': 'background', 'apns-priority': '5' },
    '{"aps":{"content-available":1,"alert":"x"}}',
  ],
  [
    'a background push with priority 10',
    400,
    'BadPriority',
    { 'apns-push-type': 'background' },
    '{"aps":{"content-available":1}}',
  ],
  ['an unknown priority', 400, 'BadPriority', { 'apns-priority': '7' }],
  ['an expiration with a fraction', 400, 'BadExpirationDate', { 'apns-expiration': '17.5' }],
  ['an expiration in ms', 400, 'BadExpirationDate', { 'apns-expiration': '1700000000000' }],
  ['65 bytes of collapse id', 400, 'BadCollapseId', { 'apns-collapse-id': 'x'.repeat(65) }],
  ['an upper-case id', 400, 'BadMessageId', { 'apns-id': randomUUID().toUpperCase() }],
  ['an empty body', 400, 'PayloadEmpty', {}, ''],
  ['a body that is no JSON', 400, 'PayloadEmpty', {}, '{"aps":'],
  ['4097 bytes', 413, 'PayloadTooLarge', {}, bytes(4097)],
  ['a body far too large', 413, 'PayloadTooLarge', {}, bytes(400_000)],
];

test.each(refusals)('refuses %s with %i %s', async (_what, status, reason, headers, body) => {
  const { sandbox, push } = await setup();
  const reply = await push(headers, body);
  expect(reply.status).toBe(status);
  expect(JSON.parse(reply.body)).toEqual({ reason });
  expect(reply.headers['apns-id']).toBeDefined();
  expect(sandbox.received()).toEqual([]);
  expect(sandbox.requests()).toMatchObject([{ provider: 'apns', status, reason, scripted: false }]);
});

test.each([
  ['4096 bytes', {}, bytes(4096)],
  ['64 bytes of collapse id', { 'apns-collapse-id': 'x'.repeat(64) }, alertPayload],
  ['a token of another length', { ':path': `/3/device/${'ab'.repeat(80)}` }, alertPayload],
  [
    'a background push',
    { 'apns-push-type': 'background', 'apns-priority': '5' },
    '{"aps":{"content-available":1}}',
  ],
])('takes %s', async (_what, headers, body) => {
  const { push } = await setup();
  expect(await push(headers, body)).toMatchObject({ status: 200 });
});

test('marks a push whose expiration has passed by the given clock', async () => {
  const { sandbox, push } = await setup({ now: () => 1_700_000_000_000 });
  await push({ 'apns-expiration': '1699999999' });
  await push({ 'apns-expiration': '1700000001' });
  await push({ 'apns-expiration': '0' });
  expect(sandbox.received().map(({ expired }) => expired)).toEqual([true, false, false]);
});

test('refuses a push without a provider token', async () => {
  const { sandbox, client } = await setup();
  const { authorization: _left, ...headers } = apnsHeaders(sandbox);
  const reply = await client.request(headers, alertPayload);
  expect(reply).toMatchObject({ status: 403, body: '{"reason":"MissingProviderToken"}' });
});

const now = (): number => Math.floor(Date.now() / 1000);
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

test.each([
  ['of another key', { key: stranger }, 'InvalidProviderToken'],
  ['with another key id', { kid: 'OTHERKEY01' }, 'InvalidProviderToken'],
  ['of another team', { iss: 'OTHERTEAM1' }, 'InvalidProviderToken'],
  ['from the future', { iat: now() + 600 }, 'InvalidProviderToken'],
  ['older than an hour', { iat: now() - 3601 }, 'ExpiredProviderToken'],
])('refuses a provider token %s', async (_what, parts, reason) => {
  const { sandbox, push } = await setup();
  const reply = await push({ authorization: `bearer ${signProviderToken(sandbox, parts)}` });
  expect(reply.status).toBe(403);
  expect(JSON.parse(reply.body)).toEqual({ reason });
});

test('refuses a second provider token on a connection within 20 minutes', async () => {
  const { sandbox, push, connect } = await setup();
  const first = { authorization: `bearer ${signProviderToken(sandbox)}` };
  const second = { authorization: `bearer ${signProviderToken(sandbox)}` };
  expect(await push(first)).toMatchObject({ status: 200 });
  expect(await push(second)).toMatchObject({
    status: 429,
    body: '{"reason":"TooManyProviderTokenUpdates"}',
  });
  expect(await push(first)).toMatchObject({ status: 200 });
  const elsewhere = await connect().request({ ...apnsHeaders(sandbox), ...second }, alertPayload);
  expect(elsewhere.status).toBe(200);
});

test('takes a new provider token after it called the old one expired', async () => {
  const { sandbox, push } = await setup();
  sandbox.script({ fault: { kind: 'reason', reason: 'ExpiredProviderToken' } });
  expect(await push()).toMatchObject({ status: 403 });
  const renewed = { authorization: `bearer ${signProviderToken(sandbox)}` };
  expect(await push(renewed)).toMatchObject({ status: 200 });
});

test('allows one stream until the first valid push and refuses the others', async () => {
  const { sandbox, client, push } = await setup();
  // Sent before the settings arrive, as by a client that does not know the limit yet.
  const replies = await Promise.all(Array.from({ length: 20 }, () => push()));
  const codes = replies.map(({ code }) => code);
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(codes.filter((code) => code === constants.NGHTTP2_REFUSED_STREAM)).toHaveLength(19);
  expect(client.session.remoteSettings.maxConcurrentStreams).toBe(1000);
  expect(sandbox.received()).toHaveLength(1);
  expect(sandbox.connections().apns).toMatchObject({ opened: 1, open: 1 });
});

test('keeps to one stream when no push was valid', async () => {
  const { client, push } = await setup();
  await push({ 'apns-topic': 'com.example.other' });
  expect(client.session.remoteSettings.maxConcurrentStreams).toBe(1);
});

test('raises the limit to the given number of streams', async () => {
  const { client, push } = await setup({ maxConcurrentStreams: 7 });
  const raised = new Promise((resolve) => {
    client.session.on('remoteSettings', (settings) => {
      if (settings.maxConcurrentStreams === 7) resolve(true);
    });
  });
  await push();
  expect(await raised).toBe(true);
});

test('closes a connection that sends too many bad tokens and says why', async () => {
  const { sandbox, client, push, connect } = await setup({ closeAfterBadTokens: 2 });
  const goaway = new Promise<string>((resolve) => {
    client.session.once('goaway', (_code, _last, debug) => resolve(String(debug)));
  });
  const closed = new Promise((resolve) => client.session.once('close', resolve));
  await push({ ':path': '/3/device/zz' });
  expect(await push({ ':path': '/3/device/zz' })).toMatchObject({ status: 400 });
  expect(await goaway).toBe('{"reason":"BadDeviceToken"}');
  await closed;
  expect(sandbox.connections().apns).toMatchObject({ invalidTokens: 2, goAwaysSent: 1 });
  const next = await connect().request(apnsHeaders(sandbox), alertPayload);
  expect(next.status).toBe(200);
});

test('answers that the token of a proof is unknown, but answers a proof’s other faults first', async () => {
  const { sandbox, push } = await setup();
  const proof = { ':path': `/3/device/${'5e'.repeat(32)}`, 'apns-collapse-id': 'nds-doctor' };
  const reply = await push(proof);
  expect(reply).toMatchObject({ status: 400, body: '{"reason":"BadDeviceToken"}' });
  expect(await push({ ...proof, 'apns-topic': 'com.example.other' })).toMatchObject({
    body: '{"reason":"TopicDisallowed"}',
  });
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'ServiceUnavailable' } });
  expect(await push(proof)).toMatchObject({ status: 503 });
  expect(sandbox.received()).toEqual([]);
});

test('answers PING', async () => {
  const { client, push } = await setup();
  await push();
  const error = await new Promise((resolve) => client.session.ping(resolve));
  expect(error).toBeNull();
});
