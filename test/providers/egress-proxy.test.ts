import type { Duplex } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { createApnsProvider } from '../../src/providers/apns/apns-provider.ts';
import { createFcmProvider } from '../../src/providers/fcm/fcm-provider.ts';
import { proxyFor } from '../../src/providers/http2/proxy.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { openProxy } from '../support/egress-proxy.ts';
import { messageTo, openSandbox, SEND_OPTIONS, TOKENS, turn } from './support.ts';

async function setup(options: { readonly proxy: URL; readonly noProxy?: string }) {
  const sandbox = await openSandbox();
  const common = { ca: sandbox.ca, clock: createSystemClock(), ...options };
  const { key, keyId, teamId, topic } = sandbox.apns;
  const apns = createApnsProvider({
    ...{ key, keyId, teamId, topic },
    ...common,
    endpoint: sandbox.apns.url,
  });
  const fcm = await createFcmProvider({
    credentials: sandbox.fcm.serviceAccount,
    ...common,
    endpoint: sandbox.fcm.url,
  });
  onTestFinished(async () => {
    await Promise.all([apns.close(), fcm.close()]);
  });
  const authorities = [sandbox.apns.url, sandbox.fcm.url, sandbox.fcm.serviceAccount.token_uri].map(
    (url) => new URL(url).host,
  );
  return {
    sandbox,
    authorities,
    apns,
    fcm,
    sendApns: () => apns.prepare(messageTo('apns', TOKENS.apns)).send(SEND_OPTIONS),
    sendFcm: () => fcm.prepare(messageTo('fcm', TOKENS.fcm)).send(SEND_OPTIONS),
  };
}

it('carries pushes to both providers, and the token request', async () => {
  const { proxy, targets, credentials } = await openProxy();
  proxy.username = 'user';
  proxy.password = 'p%40ss';
  const { authorities, sendApns, sendFcm } = await setup({ proxy });
  expect(await sendApns()).toMatchObject({ kind: 'delivered' });
  expect(await sendFcm()).toMatchObject({ kind: 'delivered' });
  expect(new Set(targets)).toEqual(new Set(authorities));
  expect([...credentials]).toEqual([`Basic ${Buffer.from('user:p@ss').toString('base64')}`]);
});

it('does not use the proxy for hosts in NO_PROXY', async () => {
  const { proxy, targets } = await openProxy();
  const { sendApns, sendFcm } = await setup({ proxy, noProxy: 'localhost, 127.0.0.1' });
  expect(await sendApns()).toMatchObject({ kind: 'delivered' });
  expect(await sendFcm()).toMatchObject({ kind: 'delivered' });
  expect(targets).toEqual([]);
});

it.each([403, 407, 502])('says that the proxy refused when it answers %i', async (status) => {
  const { proxy } = await openProxy((_request, socket) =>
    socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`),
  );
  const { apns, sendApns, sendFcm } = await setup({ proxy });
  const certainty = 'not_processed';
  expect(await sendApns()).toEqual({ kind: 'retry', reason: 'proxy_refused', certainty });
  expect(apns.health()).toEqual({
    ready: false,
    detail: expect.stringMatching(/^proxy_refused: .*HTTPS_PROXY/),
  });
  expect(await sendFcm()).toMatchObject({ kind: 'retry', certainty });
});

it('survives a proxy that closes, or answers what is not HTTP', async () => {
  for (const answer of ['', 'SSH-2.0-x\r\n\r\n']) {
    const { proxy } = await openProxy((_request, socket) => socket.end(answer));
    const { sendApns } = await setup({ proxy });
    expect(await sendApns()).toMatchObject({ kind: 'retry', certainty: 'not_processed' });
  }
});

it('leaves no socket open when the proxy does not answer', async () => {
  const sockets: Duplex[] = [];
  const { proxy } = await openProxy((_request, socket) => sockets.push(socket.resume()));
  const { apns, sendApns } = await setup({ proxy });
  const outcome = sendApns();
  while (sockets.length === 0) await turn();
  const closed = new Promise((resolve) => sockets[0]?.on('end', resolve));
  expect(await outcome).toEqual({
    kind: 'retry',
    reason: 'connect_timeout',
    certainty: 'not_processed',
  });
  await apns.close();
  await closed;
});

it.each([
  ['', true],
  ['*', false],
  ['fcm.googleapis.com', false],
  ['FCM.GoogleAPIs.com', false],
  ['googleapis.com', false],
  ['.googleapis.com', false],
  ['*.googleapis.com', false],
  ['apis.com', true],
  ['example.com,.googleapis.com', false],
  ['example.com fcm.googleapis.com', false],
  ['fcm.googleapis.com:443', false],
  ['fcm.googleapis.com:8443', true],
  [' , ', true],
])('reads NO_PROXY %j', (noProxy, isProxied) => {
  const proxy = new URL('http://proxy:3128');
  const url = new URL('https://fcm.googleapis.com');
  expect(proxyFor(url, { proxy, noProxy })).toBe(isProxied ? proxy : undefined);
});

it('refuses a proxy that it cannot use, without naming its password', async () => {
  const proxy = new URL('socks5://user:secret@proxy:1080');
  await expect(setup({ proxy })).rejects.toThrow(/^HTTPS_PROXY must be http:\/\/host:port[^s]*/);
  await expect(setup({ proxy })).rejects.not.toThrow(/secret/);
});

it('refuses a password that is not percent-encoded before any connection needs it', async () => {
  const proxy = new URL('http://user:se%cret@proxy:3128');
  await expect(setup({ proxy })).rejects.toThrow(/^HTTPS_PROXY must have .* percent-encoded$/);
});
