// Events through a proxy that is configured for them: the proxy gets names, and only those that may be called.

import { createServer } from 'node:https';
import { expect, onTestFinished, test, vi } from 'vitest';
import { sharedIdentity } from '../../sandbox/identity.ts';
import { parseNetwork } from '../../src/endpoints/address.ts';
import { createEventSender } from '../../src/endpoints/event-sender.ts';
import { openProxy } from '../support/egress-proxy.ts';
import { portOf } from '../support/event-receiver.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** One of the names in the stand-ins' certificate. */
const NAME = 'fcm.googleapis.com';
const PUBLIC = { address: '203.0.114.9', family: 4 };
const BODY = '{"type":"test.ping"}';

async function startReceiver() {
  const { ca, certificate, certificateKey } = await sharedIdentity();
  const bodies: string[] = [];
  const server = createServer({ cert: certificate, key: certificateKey }, (request, response) => {
    request.setEncoding('utf8');
    request.on('data', (text: string) => bodies.push(text));
    request.on('end', () => response.end());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { ca, bodies, port: portOf(server) };
}

async function setup(found: readonly { address: string; family: number }[], proxy?: URL) {
  const { ca, bodies, port } = await startReceiver();
  const clock = new ManualClock();
  const loopback = parseNetwork('127.0.0.0/8');
  const sender = createEventSender({
    ...{ clock, ca, proxy, networks: loopback === undefined ? [] : [loopback] },
    resolve: async () => found,
  });
  onTestFinished(() => sender.close());
  const url = `https://${NAME}:${port}/events`;
  return { clock, bodies, port, send: () => sender.send({ url, headers: {}, body: BODY }) };
}

test.each([
  ['a name of the internet', [PUBLIC]],
  ['a name that is unknown here', []],
])('%s is called through the proxy, again over the same tunnel', async (_what, found) => {
  const { proxy, targets, credentials } = await openProxy();
  proxy.username = 'nds';
  proxy.password = 'p%40ss';
  const { send, bodies, port } = await setup(found, proxy);
  expect(await send()).toMatchObject({ kind: 'answered', status: 200 });
  expect(await send()).toMatchObject({ kind: 'answered', status: 200 });
  expect(bodies).toEqual([BODY, BODY]);
  expect(targets).toEqual([`${NAME}:${port}`]);
  expect([...credentials]).toEqual([`Basic ${Buffer.from('nds:p@ss').toString('base64')}`]);
});

test('a name that leads to an internal address is refused, and the proxy gets no request', async () => {
  const { proxy, targets } = await openProxy();
  const { send } = await setup([PUBLIC, { address: '10.0.0.8', family: 4 }], proxy);
  expect(await send()).toEqual({ kind: 'failed', reason: 'address_refused' });
  expect(targets).toEqual([]);
});

test('networks of one’s own are called directly', async () => {
  const { proxy, targets } = await openProxy();
  const { send, bodies } = await setup([{ address: '127.0.0.1', family: 4 }], proxy);
  expect(await send()).toMatchObject({ kind: 'answered', status: 200 });
  expect([bodies, targets]).toEqual([[BODY], []]);
});

test('a proxy from the environment is not used', async () => {
  const { proxy, targets } = await openProxy();
  for (const name of ['HTTPS_PROXY', 'https_proxy']) vi.stubEnv(name, proxy.href);
  for (const name of ['NO_PROXY', 'no_proxy']) vi.stubEnv(name, '');
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const { send, bodies } = await setup([{ address: '127.0.0.1', family: 4 }]);
  expect(await send()).toMatchObject({ kind: 'answered', status: 200 });
  expect([bodies, targets]).toEqual([[BODY], []]);
});

test('a proxy that refuses is a failure, and one that hangs is given up after 15 s', async () => {
  const refusing = await openProxy((_request, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
  });
  const refused = await setup([PUBLIC], refusing.proxy);
  expect(await refused.send()).toEqual({ kind: 'failed', reason: 'connection_lost' });

  const asked = Promise.withResolvers<void>();
  const hanging = await openProxy(() => asked.resolve());
  const { send, clock } = await setup([PUBLIC], hanging.proxy);
  const sending = send();
  await asked.promise;
  clock.advance(15_000);
  expect(await sending).toEqual({ kind: 'failed', reason: 'timeout' });
});
