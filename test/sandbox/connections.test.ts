// What happens to whole connections: GOAWAY, a provider that is down, half-dead connections, and a close that leaves
// nothing open.
import { randomUUID } from 'node:crypto';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { createIdentity } from '../../sandbox/identity.ts';
import { type SandboxOptions, startSandbox } from '../../sandbox/sandbox.ts';
import { alertPayload, apnsHeaders, type Client, openClient } from './clients.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function setup(options: SandboxOptions = {}) {
  const sandbox = await startSandbox(options);
  cleanups.push(() => sandbox.close());
  const headers = apnsHeaders(sandbox);
  const connect = () => {
    const client = openClient(sandbox.apns.url, sandbox.ca);
    cleanups.unshift(() => client.session.destroy());
    const push = (token = 'aa01') =>
      client.request({ ...headers, ':path': `/3/device/${token}` }, alertPayload);
    return { ...client, push };
  };
  return { sandbox, connect };
}

const closed = ({ session }: Client): Promise<void> =>
  new Promise((resolve) => {
    session.once('close', () => resolve());
  });

/** The error code of a TCP connect, or `connected`. */
function probe(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connectTcp(Number(port), hostname, () => {
      socket.destroy();
      resolve('connected');
    });
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  });
}

test('says GOAWAY on every connection and lets the streams in flight finish', async () => {
  const { sandbox, connect } = await setup();
  const [one, two] = [connect(), connect()];
  await Promise.all([one.push(), two.push()]);
  sandbox.script({ token: 'aa02', fault: { kind: 'delay', delayMs: 20 } });
  const inFlight = one.push('aa02');
  await sandbox.waitFor(({ token }) => token === 'aa02', 1);
  const reasons = [one, two].map(
    ({ session }) =>
      new Promise<string>((resolve) => {
        session.once('goaway', (_code, _last, debug) => resolve(String(debug)));
      }),
  );
  const ends = [closed(one), closed(two)];
  sandbox.goAway('apns', { reason: 'Shutdown' });
  expect(await Promise.all(reasons)).toEqual(['{"reason":"Shutdown"}', '{"reason":"Shutdown"}']);
  expect(await inFlight).toMatchObject({ status: 200 });
  await Promise.all(ends);
  expect(sandbox.connections().apns).toMatchObject({ opened: 2, goAwaysSent: 2 });
  expect(await connect().push()).toMatchObject({ status: 200 });
});

test('refuses connections while it is down and takes them on the same port after', async () => {
  const { sandbox, connect } = await setup();
  const before = connect();
  await before.push();
  await sandbox.refuseConnections('apns', true);
  expect(await probe(sandbox.apns.url)).toBe('ECONNREFUSED');
  expect(await probe(sandbox.fcm.url)).toBe('connected');
  expect(await before.push()).toMatchObject({ status: 200 });
  await sandbox.refuseConnections('apns', false);
  expect(await connect().push()).toMatchObject({ status: 200 });
});

test('resets open connections when it goes down, if asked to', async () => {
  const { sandbox, connect } = await setup();
  const client = connect();
  await client.push();
  sandbox.script({ fault: { kind: 'hang' } });
  const hanging = client.push('aa02');
  await sandbox.waitForRequests(({ reason }) => reason === 'hang', 1);
  const end = closed(client);
  await sandbox.refuseConnections('apns', true, { reset: true });
  expect(await hanging).toMatchObject({ status: undefined });
  await end;
});

test('lets existing connections go silent while new ones work', async () => {
  const { sandbox, connect } = await setup();
  const old = connect();
  await old.push();
  sandbox.blackhole('apns');
  const answered: string[] = [];
  old.session.ping(() => answered.push('ping'));
  const lost = old.push('aa02').then((reply) => {
    answered.push('push');
    return reply;
  });
  // A whole handshake and a push take longer than a PING on an open connection would.
  expect(await connect().push('aa03')).toMatchObject({ status: 200 });
  expect(answered).toEqual([]);
  expect(old.session.closed).toBe(false);
  old.session.destroy();
  expect(await lost).toMatchObject({ status: undefined });
  expect(sandbox.received('aa02')).toEqual([]);
});

test('swallows an answer that was due after the connection went silent', async () => {
  const { sandbox, connect } = await setup();
  const old = connect();
  await old.push();
  sandbox.script({ token: 'aa02', fault: { kind: 'delay', delayMs: 10 } });
  sandbox.script({ token: 'aa03', fault: { kind: 'delay', delayMs: 30 } });
  let answered = false;
  const lost = old.push('aa02').then(() => {
    answered = true;
  });
  await sandbox.waitFor(({ token }) => token === 'aa02', 1);
  sandbox.blackhole('apns');
  const fresh = connect();
  await fresh.push();
  await fresh.push('aa03');
  expect(answered).toBe(false);
  old.session.destroy();
  await lost;
});

test('counts the requests of each connection', async () => {
  const { sandbox, connect } = await setup();
  const [one, two] = [connect(), connect()];
  await one.push();
  await one.push();
  await two.push();
  expect(sandbox.connections().apns).toMatchObject({
    opened: 2,
    open: 2,
    requests: 3,
    perConnection: [
      { number: 1, protocol: 'h2', open: true, requests: 2 },
      { number: 2, protocol: 'h2', open: true, requests: 1 },
    ],
  });
});

test('resolves a wait for pushes with earlier and later ones', async () => {
  const { sandbox, connect } = await setup();
  const client = connect();
  await client.push('aa01');
  const waiting = sandbox.waitFor(({ token }) => token !== 'aa02', 2);
  await client.push('aa02');
  await client.push('aa03');
  expect((await waiting).map(({ token }) => token)).toEqual(['aa01', 'aa03']);
});

test('calls listeners for each push until they stop', async () => {
  const { sandbox, connect } = await setup();
  const client = connect();
  const heard: string[] = [];
  const stop = sandbox.onPush(({ token }) => heard.push(token));
  await client.push('aa01');
  stop();
  await client.push('aa02');
  expect(heard).toEqual(['aa01']);
});

test('keeps a limited number of pushes and counts the rest', async () => {
  const { sandbox, connect } = await setup({ keepPushes: 2, keepRequests: 0 });
  const client = connect();
  for (const token of ['aa01', 'aa02', 'aa03']) await client.push(token);
  expect(sandbox.received().map(({ token }) => token)).toEqual(['aa02', 'aa03']);
  expect(sandbox.requests()).toEqual([]);
  expect(sandbox.stats()).toMatchObject({ pushes: 3, requests: 3 });
});

test('forgets pushes, requests and faults on reset', async () => {
  const { sandbox, connect } = await setup();
  const client = connect();
  sandbox.script({ times: Infinity, fault: { kind: 'hang' } });
  sandbox.script({ token: 'aa01', fault: { kind: 'delay', delayMs: 0 } });
  await client.push('aa01');
  sandbox.reset();
  expect(sandbox.received()).toEqual([]);
  expect(sandbox.requests()).toEqual([]);
  expect(await client.push()).toMatchObject({ status: 200 });
});

test('is trusted only through its own authority', async () => {
  const { sandbox } = await setup();
  const stranger = await createIdentity();
  const client = openClient(sandbox.apns.url, stranger.ca);
  const error = await new Promise((resolve) => client.session.once('error', resolve));
  expect(error).toMatchObject({ code: expect.stringMatching(/CERT|SIGNATURE|ISSUER/) });
});

test.each([
  ['apns', 'api.push.apple.com'],
  ['apns', 'api.sandbox.push.apple.com'],
  ['fcm', 'fcm.googleapis.com'],
  ['fcm', 'oauth2.googleapis.com'],
] as const)('answers for %s under the name %s', async (provider, servername) => {
  const { sandbox } = await setup();
  const { hostname: host, port } = new URL(sandbox[provider].url);
  const socket = connectTls({ host, port: Number(port), ca: sandbox.ca, servername });
  cleanups.unshift(() => void socket.destroy());
  await new Promise((resolve, reject) =>
    socket.once('secureConnect', resolve).once('error', reject),
  );
  expect(socket.authorized).toBe(true);
});

test('speaks HTTP/2 with a client of APNs that offers no ALPN', async () => {
  const { sandbox } = await setup();
  const { hostname: host, port } = new URL(sandbox.apns.url);
  const socket = connectTls({ host, port: Number(port), ca: sandbox.ca, servername: 'localhost' });
  const session = connectHttp2(sandbox.apns.url, { createConnection: () => socket });
  cleanups.unshift(() => session.destroy());
  const stream = session.request(apnsHeaders(sandbox));
  stream.end(alertPayload);
  const status = await new Promise((resolve, reject) => {
    stream.on('response', (headers) => resolve(headers[':status'])).on('error', reject);
  });
  expect([socket.alpnProtocol, status]).toEqual([false, 200]);
});

test('listens on the loopback address that it is given, and on no other', async () => {
  const { sandbox } = await setup({ apnsHost: '127.0.0.2', fcmHost: '127.0.0.3' });
  expect(new URL(sandbox.apns.url).hostname).toBe('127.0.0.2');
  expect(await probe(sandbox.fcm.url)).toBe('connected');
  expect(await probe(sandbox.fcm.url.replace('127.0.0.3', '127.0.0.1'))).toBe('ECONNREFUSED');
  const { hostname: host, port } = new URL(sandbox.fcm.url);
  const socket = connectTls({ host, port: Number(port), ca: sandbox.ca });
  cleanups.unshift(() => void socket.destroy());
  await new Promise((resolve, reject) =>
    socket.once('secureConnect', resolve).once('error', reject),
  );
  await expect(startSandbox({ fcmHost: '0.0.0.0' })).rejects.toThrow(/not a loopback address/);
});

test('leaves no port open when another one is taken', async () => {
  const { sandbox } = await setup();
  const apnsPort = Number(new URL(sandbox.apns.url).port);
  await expect(startSandbox({ fcmPort: apnsPort })).rejects.toThrow(/EADDRINUSE/);
});

const active = (kind: string): string[] =>
  process.getActiveResourcesInfo().filter((name) => name.startsWith(kind));

test('closes with hanging and delayed streams open and leaves no handle open', async () => {
  const timers = active('Timeout');
  const sandbox = await startSandbox();
  const client = openClient(sandbox.apns.url, sandbox.ca);
  const headers = apnsHeaders(sandbox);
  const push = (token: string) =>
    client.request({ ...headers, ':path': `/3/device/${token}` }, alertPayload);
  await push('aa01');
  sandbox.script({ token: 'aa02', fault: { kind: 'hang' } });
  sandbox.script({ token: 'aa03', fault: { kind: 'delay', delayMs: 60_000 } });
  const open = [push('aa02'), push('aa03')];
  await sandbox.waitForRequests(() => true, 3);
  const awaited = sandbox.waitFor(({ token }) => token === randomUUID(), 1);
  const end = closed(client);
  await Promise.all([sandbox.close(), expect(awaited).rejects.toThrow(/the sandbox closed/)]);
  expect(await Promise.all(open)).toMatchObject([{ status: undefined }, { status: undefined }]);
  await end;
  // Closed handles leave the list in the loop's next turn.
  await new Promise((resolve) => setImmediate(resolve));
  expect(active('TCP')).toEqual([]);
  expect(active('Timeout').length).toBeLessThanOrEqual(timers.length);
});
