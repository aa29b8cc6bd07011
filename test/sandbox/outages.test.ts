// Outages of a whole provider, stream limits on open connections, faults for a share of the requests, and numbers that
// no correct server sends.
import { afterEach, expect, test } from 'vitest';
import {
  OUTAGE_KINDS,
  type Outage,
  type SandboxOptions,
  startSandbox,
} from '../../sandbox/sandbox.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { alertPayload, apnsHeaders, fcmBody, fcmHeaders, openClient } from './clients.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function setup(options: SandboxOptions = {}) {
  const sandbox = await startSandbox(options);
  cleanups.push(() => sandbox.close());
  const open = (url: string) => {
    const client = openClient(url, sandbox.ca);
    cleanups.unshift(() => client.session.destroy());
    return client;
  };
  const connectApns = () => {
    const client = open(sandbox.apns.url);
    const headers = apnsHeaders(sandbox);
    const push = (token = 'aa01') =>
      client.request({ ...headers, ':path': `/3/device/${token}` }, alertPayload);
    return { ...client, push };
  };
  const connectFcm = async () => {
    const client = open(sandbox.fcm.url);
    const headers = await fcmHeaders(sandbox, client);
    return { ...client, push: () => client.request(headers, fcmBody()) };
  };
  return { sandbox, connectApns, connectFcm };
}

const isAnswered = ([kind]: [Outage['kind'], number | undefined]) => kind !== 'hang';

const statuses: [Outage['kind'], number | undefined][] = [
  ['refused', undefined],
  ['status_500', 500],
  ['html_502', 502],
  ['status_503', 503],
  ['status_429', 429],
  ['reset_connection', undefined],
  ['reset_stream', undefined],
  ['hang', undefined],
];

test('has a test for every kind of outage', () => {
  expect(statuses.map(([kind]) => kind)).toEqual(OUTAGE_KINDS);
});

test.each(statuses.filter(isAnswered))(
  'fails every push of an outage with %s',
  async (kind, status) => {
    const { sandbox, connectApns, connectFcm } = await setup();
    await connectApns().push();
    const fcm = await connectFcm();
    for (const provider of ['apns', 'fcm'] as const) {
      await sandbox.startOutage(provider, { kind, retryAfterSeconds: 7 });
    }
    const replies = [await connectApns().push(), await fcm.push()];
    for (const reply of replies) {
      expect(reply.status).toBe(status);
      if (status !== undefined) expect(reply.headers['retry-after']).toBe('7');
    }
    for (const provider of ['apns', 'fcm'] as const) await sandbox.endOutage(provider);
    expect((await connectApns().push()).status).toBe(200);
    expect((await (await connectFcm()).push()).status).toBe(200);
    expect(sandbox.received()).toHaveLength(3);
  },
);

test('sends Retry-After in an outage only if asked to', async () => {
  const { sandbox, connectApns } = await setup();
  await sandbox.startOutage('apns', { kind: 'status_503' });
  const { status, headers } = await connectApns().push();
  expect([status, headers['retry-after']]).toEqual([503, undefined]);
});

test('answers PING while it answers no push', async () => {
  const { sandbox, connectApns } = await setup();
  const client = connectApns();
  await client.push();
  await sandbox.startOutage('apns', { kind: 'hang', accepted: true });
  void client.push('aa02');
  await sandbox.waitForRequests(({ reason }) => reason === 'hang', 1);
  const answered = new Promise<Error | null>((resolve) => client.session.ping(resolve));
  expect(await answered).toBeNull();
  expect(sandbox.received('aa02')).toHaveLength(1);
});

test('uses up no scripted fault while an outage lasts, and leaves the other provider working', async () => {
  const { sandbox, connectApns, connectFcm } = await setup();
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'Unregistered' } });
  await sandbox.startOutage('apns', { kind: 'status_500' });
  const apns = connectApns();
  expect((await apns.push()).status).toBe(500);
  expect((await (await connectFcm()).push()).status).toBe(200);
  sandbox.clearFaults();
  expect((await apns.push()).status).toBe(500);
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'Unregistered' } });
  await sandbox.endOutage('apns');
  expect((await apns.push()).status).toBe(410);
});

test('leaves a provider down that was taken down by `refuseConnections`', async () => {
  const { sandbox, connectApns } = await setup();
  await sandbox.refuseConnections('apns', true);
  await sandbox.startOutage('apns', { kind: 'status_500' });
  await sandbox.endOutage('apns');
  expect(await connectApns().push()).toMatchObject({ status: undefined });
});

test('allows no more streams on an open connection, and more on a new one', async () => {
  const { sandbox, connectApns } = await setup();
  const client = connectApns();
  await client.push();
  const changed = new Promise<number | undefined>((resolve) => {
    client.session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      if (maxConcurrentStreams === 0) resolve(maxConcurrentStreams);
    });
  });
  sandbox.limitStreams('apns', 0);
  expect(await changed).toBe(0);
  expect(await connectApns().push('aa02')).toMatchObject({ status: 200 });
});

test('keeps the limit of a connection whose first push comes after it', async () => {
  const { sandbox, connectApns } = await setup();
  const client = connectApns();
  await new Promise((resolve) => client.session.once('connect', resolve));
  await client.push('zz');
  sandbox.limitStreams('apns', 3);
  await client.push();
  await client.push();
  expect(client.session.remoteSettings.maxConcurrentStreams).toBe(3);
});

test.each([
  [0.25, [200, 200, 200, 503, 200, 200, 200, 503]],
  [0.5, [200, 503, 200, 503, 200, 503, 200, 503]],
  [1, [503, 503, 503, 503, 503, 503, 503, 503]],
])('gives a fault to a share of %d of the requests', async (share, expected) => {
  const { sandbox, connectApns } = await setup();
  const { push } = connectApns();
  sandbox.script({ share, times: Infinity, fault: { kind: 'reason', reason: 'Shutdown' } });
  const statuses: (number | undefined)[] = [];
  for (let count = 0; count < expected.length; count += 1) statuses.push((await push()).status);
  expect(statuses).toEqual(expected);
});

test('resets 85 of 100 streams when the share is 0.85', async () => {
  const { sandbox, connectApns } = await setup();
  const { push } = connectApns();
  await push();
  sandbox.script({ share: 0.85, times: Infinity, fault: { kind: 'reset' } });
  const replies = await Promise.all(Array.from({ length: 100 }, () => push()));
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(15);
});

test.each([
  ['9223372036854775807', '9223372036854775807'],
  [1e308, '1e+308'],
  [-1e19, '-10000000000000000000'],
  ['"never"', '"never"'],
])('puts %s into the timestamp of a 410', async (timestampMs, text) => {
  const { sandbox, connectApns } = await setup();
  sandbox.script({ fault: { kind: 'reason', reason: 'Unregistered', timestampMs } });
  const reply = await connectApns().push();
  expect(reply).toMatchObject({
    status: 410,
    body: `{"reason":"Unregistered","timestamp":${text}}`,
  });
});

test.each([3_000, 14_000])('answers %i ms late by the clock that it is given', async (delayMs) => {
  const clock = new ManualClock();
  const { sandbox, connectApns } = await setup({ after: (ms, task) => clock.after(ms, task) });
  const { push } = connectApns();
  sandbox.script({ token: 'aa02', fault: { kind: 'delay', delayMs } });
  const late = push('aa02');
  await sandbox.waitFor(({ token }) => token === 'aa02', 1);
  clock.advance(delayMs - 1);
  expect(clock.timers).toBe(1);
  clock.advance(1);
  expect(await late).toMatchObject({ status: 200 });
});

test.each(['device', 'topic', 'project'] as const)('names the quota of a %s', async (quota) => {
  const { sandbox, connectFcm } = await setup();
  sandbox.script({ fault: { kind: 'fcm_error', error: 'QUOTA_EXCEEDED', quota } });
  const reply = await (await connectFcm()).push();
  expect(reply.status).toBe(429);
  expect(JSON.parse(reply.body).error.details).toEqual([
    expect.objectContaining({ errorCode: 'QUOTA_EXCEEDED' }),
    {
      '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
      violations: [
        { subject: expect.stringMatching(`^${quota}:`), description: expect.any(String) },
      ],
    },
  ]);
});
