// The control route, as a demo or a client in another process uses it.
import { afterEach, expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { alertPayload, apnsHeaders, openClient } from './clients.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function setup() {
  const sandbox = await startSandbox();
  cleanups.push(() => sandbox.close());
  const connect = () => {
    const client = openClient(sandbox.apns.url, sandbox.ca);
    cleanups.unshift(() => client.session.destroy());
    return client;
  };
  const client = connect();
  const headers = apnsHeaders(sandbox);
  const push = (token = 'aa01') =>
    client.request({ ...headers, ':path': `/3/device/${token}` }, alertPayload);
  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(new URL(path, sandbox.controlUrl), {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
  return { sandbox, client, push, call };
}

test('scripts and clears faults', async () => {
  const { push, call } = await setup();
  const fault = { kind: 'reason', reason: 'Unregistered' };
  expect(await call('POST', '/faults', { token: 'aa01', fault })).toMatchObject({ status: 200 });
  expect(await push('aa01')).toMatchObject({ status: 410 });
  expect(await push('aa01')).toMatchObject({ status: 200 });
  await call('POST', '/faults', { times: 'always', fault: { kind: 'html', status: 504 } });
  expect([(await push()).status, (await push()).status]).toEqual([504, 504]);
  expect(await call('DELETE', '/faults')).toMatchObject({ status: 200 });
  expect(await push()).toMatchObject({ status: 200 });
});

test('starts outages, limits streams, and ends what it started', async () => {
  const { sandbox, push, call } = await setup();
  await push();
  const outage = { kind: 'status_503', retryAfterSeconds: 3 };
  expect(await call('POST', '/faults', { outage })).toMatchObject({ status: 200 });
  const reply = await push();
  expect([reply.status, reply.headers['retry-after']]).toEqual([503, '3']);
  await call('POST', '/faults', { provider: 'apns', outage: { kind: 'refused' } });
  expect(await push()).toMatchObject({ status: undefined });
  await call('DELETE', '/faults');
  const again = openClient(sandbox.apns.url, sandbox.ca);
  cleanups.unshift(() => again.session.destroy());
  expect(await again.request(apnsHeaders(sandbox), alertPayload)).toMatchObject({ status: 200 });
  const changed = new Promise((resolve) => again.session.once('remoteSettings', resolve));
  const limit = { provider: 'apns', maxConcurrentStreams: 0 };
  expect(await call('POST', '/streams', limit)).toMatchObject({ status: 200 });
  expect(await changed).toMatchObject({ maxConcurrentStreams: 0 });
});

test.each([
  ['an unknown outage', { outage: { kind: 'rain' } }, 400],
  ['an outage of the token endpoint', { provider: 'oauth', outage: { kind: 'hang' } }, 400],
  ['an unknown kind', { fault: { kind: 'explode' } }, 400],
  ['an unknown field', { fault: { kind: 'hang' }, tokn: 'x' }, 400],
  ['no times at all', { fault: { kind: 'hang' }, times: 0 }, 400],
  [
    'a fault of another provider',
    { provider: 'fcm', fault: { kind: 'reason', reason: 'Shutdown' } },
    409,
  ],
])('refuses a rule with %s', async (_what, rule, status) => {
  const { call } = await setup();
  const reply = await call('POST', '/faults', rule);
  expect(reply).toEqual({ status, body: { error: expect.any(String) } });
});

test('refuses a body that a web page could send without the user’s consent', async () => {
  const { sandbox } = await setup();
  const response = await fetch(new URL('/down', sandbox.controlUrl), {
    method: 'POST',
    body: '{"provider":"apns"}',
  });
  expect(response.status).toBe(415);
});

test('shows what phones got and which requests came', async () => {
  const { push, call } = await setup();
  await push('aa01');
  await push('aa02');
  await push('zz');
  expect(await call('GET', '/phones/aa02')).toMatchObject({
    body: { pushes: [{ token: 'aa02', title: 'Incoming payment' }] },
  });
  expect(await call('GET', '/pushes?limit=1')).toMatchObject({
    body: { pushes: [{ token: 'aa02' }] },
  });
  expect(await call('GET', '/requests')).toMatchObject({
    body: {
      requests: [
        { token: 'aa01', status: 200 },
        { token: 'aa02', status: 200 },
        { token: 'zz', status: 400, reason: 'BadDeviceToken' },
      ],
    },
  });
  expect((await call('GET', '/stats')).body).toMatchObject({
    pushes: 2,
    requests: 3,
    apns: { opened: 1, requests: 3 },
    fcm: { opened: 0 },
  });
  expect(await call('POST', '/reset', {})).toMatchObject({ status: 200 });
  expect((await call('GET', '/pushes')).body).toEqual({ pushes: [] });
});

test('says GOAWAY, and takes a provider down and up again', async () => {
  const { sandbox, client, push, call } = await setup();
  await push();
  const closed = new Promise((resolve) => client.session.once('close', resolve));
  await call('POST', '/goaway', { provider: 'apns', reason: 'Shutdown' });
  await closed;
  await call('POST', '/down', { provider: 'apns', reset: true });
  const refused = openClient(sandbox.apns.url, sandbox.ca);
  const error = await new Promise((resolve) => refused.session.once('error', resolve));
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  await call('POST', '/up', { provider: 'apns' });
  const again = openClient(sandbox.apns.url, sandbox.ca);
  cleanups.unshift(() => again.session.destroy());
  expect(await again.request(apnsHeaders(sandbox), alertPayload)).toMatchObject({ status: 200 });
  expect(await call('POST', '/blackhole', { provider: 'apns' })).toMatchObject({ status: 200 });
});
