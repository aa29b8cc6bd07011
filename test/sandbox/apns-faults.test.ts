// Scripted faults on the APNs stand-in, seen by a bare HTTP/2 client.
import { constants } from 'node:http2';
import { afterEach, expect, test } from 'vitest';
import { apnsReasons } from '../../sandbox/apns/reasons.ts';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { alertPayload, apnsHeaders, openClient } from './clients.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function setup() {
  const sandbox = await startSandbox({ now: () => 1_700_000_000_000 });
  const client = openClient(sandbox.apns.url, sandbox.ca);
  cleanups.push(
    () => client.session.destroy(),
    () => sandbox.close(),
  );
  const headers = apnsHeaders(sandbox);
  const push = (token = 'aa01') =>
    client.request({ ...headers, ':path': `/3/device/${token}` }, alertPayload);
  return { sandbox, client, push };
}

test.each(Object.entries(apnsReasons))(
  'answers %s with %i when told to',
  async (reason, status) => {
    const { sandbox, push } = await setup();
    sandbox.script({ fault: { kind: 'reason', reason } });
    const reply = await push();
    expect(reply.status).toBe(status);
    expect(JSON.parse(reply.body)).toEqual(
      status === 410 ? { reason, timestamp: 1_700_000_000_000 } : { reason },
    );
    expect(sandbox.received()).toEqual([]);
    expect(sandbox.requests()).toMatchObject([{ token: 'aa01', status, reason, scripted: true }]);
  },
);

test('gives a 410 the timestamp that was scripted', async () => {
  const { sandbox, push } = await setup();
  sandbox.script({ fault: { kind: 'reason', reason: 'Unregistered', timestampMs: 42 } });
  expect((await push()).body).toBe('{"reason":"Unregistered","timestamp":42}');
});

test('takes a reason outside Apple’s table only with a status', async () => {
  const { sandbox, push } = await setup();
  expect(() => sandbox.script({ fault: { kind: 'reason', reason: 'Novel' } })).toThrow();
  sandbox.script({ fault: { kind: 'reason', reason: 'Novel', status: 418 } });
  expect(await push()).toMatchObject({ status: 418, body: '{"reason":"Novel"}' });
});

test('sends Retry-After with a fault', async () => {
  const { sandbox, push } = await setup();
  sandbox.script({ fault: { kind: 'reason', reason: 'TooManyRequests', retryAfterSeconds: 7 } });
  expect((await push()).headers['retry-after']).toBe('7');
});

test('uses a fault up after its times and then answers as usual', async () => {
  const { sandbox, push } = await setup();
  sandbox.script({ times: 2, fault: { kind: 'reason', reason: 'ServiceUnavailable' } });
  const statuses = [(await push()).status, (await push()).status, (await push()).status];
  expect(statuses).toEqual([503, 503, 200]);
});

test('keeps a fault with unlimited times until the faults are cleared', async () => {
  const { sandbox, push } = await setup();
  sandbox.script({ times: Infinity, fault: { kind: 'reason', reason: 'ServiceUnavailable' } });
  for (let round = 0; round < 5; round += 1) expect((await push()).status).toBe(503);
  sandbox.clearFaults();
  expect((await push()).status).toBe(200);
});

test('gives a fault for one token only to that token, and before one for any', async () => {
  const { sandbox, push } = await setup();
  sandbox.script({ times: Infinity, fault: { kind: 'reason', reason: 'Shutdown' } });
  sandbox.script({ token: 'aa02', fault: { kind: 'reason', reason: 'Unregistered' } });
  expect((await push('aa01')).status).toBe(503);
  expect((await push('aa02')).status).toBe(410);
  expect((await push('aa02')).status).toBe(503);
});

test('ignores a fault meant for the other provider', async () => {
  const { sandbox, push } = await setup();
  sandbox.script({ provider: 'fcm', fault: { kind: 'html' } });
  sandbox.script({ fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  expect((await push()).status).toBe(200);
  expect(() =>
    sandbox.script({ provider: 'apns', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } }),
  ).toThrow(/fcm_error cannot come from apns/);
});

test('does not use up a fault on a push that it refuses by itself', async () => {
  const { sandbox, push } = await setup();
  sandbox.script({ fault: { kind: 'reason', reason: 'Shutdown' } });
  expect((await push('zz')).status).toBe(400);
  expect((await push('aa01')).status).toBe(503);
});

test('answers a delayed push after it was taken', async () => {
  const { sandbox, push } = await setup();
  const order: string[] = [];
  sandbox.onPush(() => order.push('taken'));
  sandbox.script({ fault: { kind: 'delay', delayMs: 20 } });
  const reply = push().then((answer) => {
    order.push('answered');
    return answer;
  });
  expect(await reply).toMatchObject({ status: 200 });
  expect(order).toEqual(['taken', 'answered']);
});

test.each([false, true])('never answers a hanging push, taken: %s', async (accepted) => {
  const { sandbox, client, push } = await setup();
  sandbox.script({ token: 'aa02', fault: { kind: 'hang', accepted } });
  await push('aa01');
  const hanging = push('aa02');
  const [request] = await sandbox.waitForRequests(({ token }) => token === 'aa02', 1);
  expect(request).toMatchObject({ status: undefined, reason: 'hang', scripted: true });
  expect(sandbox.received('aa02')).toHaveLength(accepted ? 1 : 0);
  expect(await push('aa03')).toMatchObject({ status: 200 });
  client.session.destroy();
  expect(await hanging).toMatchObject({ status: undefined });
});

test.each([false, true])('resets a stream and leaves the others, taken: %s', async (accepted) => {
  const { sandbox, push } = await setup();
  await push();
  sandbox.script({
    token: 'aa02',
    fault: { kind: 'reset', accepted, code: constants.NGHTTP2_INTERNAL_ERROR },
  });
  const [reset, other] = await Promise.all([push('aa02'), push('aa03')]);
  expect(reset).toMatchObject({ status: undefined, code: constants.NGHTTP2_INTERNAL_ERROR });
  expect(other).toMatchObject({ status: 200 });
  expect(sandbox.received('aa02')).toHaveLength(accepted ? 1 : 0);
});

test('resets the whole connection', async () => {
  const { sandbox, client, push } = await setup();
  const closed = new Promise((resolve) => client.session.once('close', resolve));
  sandbox.script({ fault: { kind: 'reset', scope: 'connection', accepted: true } });
  expect(await push()).toMatchObject({ status: undefined });
  await closed;
  expect(sandbox.received()).toHaveLength(1);
  expect(sandbox.connections().apns).toMatchObject({ opened: 1, open: 0 });
});

test('refuses a stream', async () => {
  const { sandbox, push } = await setup();
  sandbox.script({ fault: { kind: 'refused_stream' } });
  expect(await push()).toMatchObject({
    status: undefined,
    code: constants.NGHTTP2_REFUSED_STREAM,
  });
  expect(sandbox.received()).toEqual([]);
});

test('says GOAWAY and still answers the streams that it took', async () => {
  const { sandbox, client, push } = await setup();
  await push();
  const goaway = new Promise((resolve) => {
    client.session.once('goaway', (code, last, debug) => resolve([code, last, String(debug)]));
  });
  sandbox.script({ token: 'aa02', fault: { kind: 'delay', delayMs: 10 } });
  sandbox.script({ token: 'aa03', fault: { kind: 'goaway', reason: 'Shutdown' } });
  const replies = await Promise.all([push('aa02'), push('aa03')]);
  expect(replies).toMatchObject([{ status: 200 }, { status: 200 }]);
  expect(await goaway).toEqual([0, 5, '{"reason":"Shutdown"}']);
  expect(sandbox.received()).toHaveLength(3);
});

test('says GOAWAY with a last id below a stream, which was then certainly not processed', async () => {
  const { sandbox, client, push } = await setup();
  await push();
  const goaway = new Promise((resolve) => {
    client.session.once('goaway', (_code, last) => resolve(last));
  });
  sandbox.script({ token: 'aa02', fault: { kind: 'delay', delayMs: 10 } });
  sandbox.script({ token: 'aa03', fault: { kind: 'goaway', processed: false } });
  const [before, above] = await Promise.all([push('aa02'), push('aa03')]);
  expect(before).toMatchObject({ status: 200 });
  expect(above).toMatchObject({ status: undefined, code: constants.NGHTTP2_REFUSED_STREAM });
  expect(await goaway).toBe(3);
  expect(sandbox.received('aa03')).toEqual([]);
});

test('answers with broken JSON, a page or nothing', async () => {
  const { sandbox, push } = await setup();
  sandbox.script({ fault: { kind: 'bad_json', status: 400 } });
  sandbox.script({ fault: { kind: 'html' } });
  sandbox.script({ fault: { kind: 'empty' } });
  const broken = await push();
  expect(broken.status).toBe(400);
  expect(() => JSON.parse(broken.body)).toThrow(SyntaxError);
  expect(await push()).toMatchObject({ status: 502, body: expect.stringContaining('<html>') });
  expect(await push()).toMatchObject({ status: 503, body: '' });
});
