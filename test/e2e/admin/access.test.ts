// Who can reach the page: keys, cookies, sessions, limits, networks.

import { expect, test } from 'vitest';
import { refusalOf } from '../../support/callers.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { KEYS, OPERATOR_ENVIRONMENT } from '../../support/operator-calls.ts';
import {
  callPage,
  cookieOf,
  PAGE_ENVIRONMENT,
  PAGE_KEYS,
  sessionWith,
  signIn,
} from '../../support/page-calls.ts';
import { REGISTRY_ENVIRONMENT } from '../../support/registry.ts';
import { EXTERNAL_URL, setup } from '../../support/service.ts';

async function start(environment: Record<string, string> = {}) {
  const clock = new ManualClock();
  const running = await setup({ clock, environment: { ...PAGE_ENVIRONMENT, ...environment } });
  return { clock, running };
}

/** Through a proxy at the public address, which ends TLS. */
const BY_PROXY = { origin: EXTERNAL_URL, host: 'nds.example.com' };

test('the page and its files come without a session, under a strict policy', async () => {
  const { running } = await start();
  const page = await callPage(running, { path: '/' });
  expect(page.status).toBe(200);
  expect(page.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  });
  expect(page.headers['content-security-policy']).toMatch(/^default-src 'self'; /);
  expect(page.text).not.toMatch(/ style=|<style|<script>|https?:\/\//);
  for (const [, path = ''] of page.text.matchAll(/(?:href|src)="(files[^"]+)"/g)) {
    const file = await callPage(running, { path: `/${path}` });
    expect([file.status, file.headers['cache-control']]).toEqual([
      200,
      'public, max-age=31536000, immutable',
    ]);
  }
  const bare = await callPage(running, { path: '' });
  expect([bare.status, bare.headers.location]).toEqual([302, 'admin/']);
});

test('a piece of the page that is opened by itself loads and runs nothing', async () => {
  const { running } = await start();
  const cookie = await sessionWith(running, PAGE_KEYS.read);
  for (const path of ['/view/log', '/view/now', '/view/filters', '/view/callers']) {
    const { status, headers } = await callPage(running, { path, cookie });
    expect([status, headers['x-content-type-options']], path).toEqual([200, 'nosniff']);
    expect(headers['content-security-policy'], path).toMatch(/^default-src 'none'; /);
  }
});

test('a key with `read` signs in, and its session replaces the key', async () => {
  const { running } = await start();
  const answer = await signIn(running, PAGE_KEYS.operate);
  expect(JSON.parse(answer.text)).toEqual({ name: 'oncall', scopes: ['read', 'operate'] });
  const cookie = cookieOf(answer);
  const who = await callPage(running, { path: '/session', cookie });
  expect(JSON.parse(who.text)).toEqual({ name: 'oncall', scopes: ['read', 'operate'] });
  const nobody = await callPage(running, { path: '/session' });
  expect([nobody.status, JSON.parse(nobody.text)]).toEqual([200, { scopes: [] }]);
  expect((await callPage(running, { path: '/api/v1/apps', cookie })).status).toBe(200);
  // The session is only for the page: the API itself takes only keys.
  const direct = await callPage(running, { path: '/../api/v1/apps', cookie });
  expect(refusalOf(direct)).toBe('401 unauthorized');
  const said = JSON.stringify([running.log.lines, running.log.events]);
  expect(said).not.toContain(PAGE_KEYS.operate);
  expect(said).not.toContain(cookie.split('=')[1]);
  expect(running.log.lines.map(({ fields }) => fields)).toContainEqual({
    by: 'oncall',
    method: 'POST',
    route: '/admin/session',
  });
});

test('at the public address the cookie is for https and that host alone', async () => {
  const { running } = await start();
  const [cookie = ''] = (await signIn(running, KEYS.read, BY_PROXY)).headers['set-cookie'] ?? [];
  expect(cookie).toMatch(/^__Host-nds_page=[\w.-]+; /);
  expect(cookie.split('; ').slice(1).toSorted()).toEqual([
    'HttpOnly',
    'Max-Age=43200',
    'Path=/',
    'SameSite=Strict',
    'Secure',
  ]);
  const headers = { host: 'nds.example.com' };
  const session = cookie.split(';')[0];
  expect(
    (await callPage(running, { path: '/view/filters', cookie: session, headers })).status,
  ).toBe(200);
});

test('over plain http a cookie is set and taken within the machine alone', async () => {
  const { running } = await start();
  const [cookie = ''] = (await signIn(running, KEYS.read)).headers['set-cookie'] ?? [];
  expect(cookie).toMatch(/^nds_page=[\w.-]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
  for (const host of ['nds.example.com', '10.0.0.5:8080', 'localhost.example.com']) {
    const plain = { host, origin: `http://${host}` };
    expect(refusalOf(await signIn(running, KEYS.read, plain)), host).toBe('403 foreign_page');
    const session = cookie.split(';')[0];
    const read = await callPage(running, {
      path: '/view/filters',
      cookie: session,
      headers: { host },
    });
    expect(read.status, host).toBeGreaterThanOrEqual(400);
  }
});

test('a session ends after twelve hours, when it was changed, and with its key', async () => {
  const { running, clock } = await start();
  const cookie = await sessionWith(running, PAGE_KEYS.operate);
  const who = (given: string) => callPage(running, { path: '/view/filters', cookie: given });
  const value = cookie.slice('nds_page='.length);
  const [id = '', ends = '', chance = '', signature = ''] = value.split('.');
  const later = (Number.parseInt(ends, 36) + 1_000).toString(36);
  for (const changed of [
    [id, later, chance, signature],
    [id, ends, chance, signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))],
    [id.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')), ends, chance, signature],
    [id, ends, chance],
    [''],
  ]) {
    expect(refusalOf(await who(`nds_page=${changed.join('.')}`))).toBe('401 unauthorized');
  }
  clock.advance(12 * 3_600_000 - 1_000);
  expect((await who(cookie)).status).toBe(200);
  clock.advance(1_000);
  expect(refusalOf(await who(cookie))).toBe('401 unauthorized');
  const fresh = await sessionWith(running, PAGE_KEYS.operate);
  await running.restart();
  expect((await who(fresh)).status).toBe(200);
  await running.restart({ NDS_API_KEYS: OPERATOR_ENVIRONMENT.NDS_API_KEYS });
  expect(refusalOf(await who(fresh))).toBe('401 unauthorized');
});

test('a stream ends with the session that opened it', async () => {
  const { running, clock } = await start();
  const cookie = await sessionWith(running, PAGE_KEYS.read);
  const stream = await fetch(`${running.service.url}/admin/api/v1/stream`, {
    headers: { cookie, 'nds-page': '1' },
  });
  const reader = stream.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  clock.advance(12 * 3_600_000);
  while ((await reader?.read())?.done === false);
  const again = { path: '/api/v1/stream', cookie };
  expect(refusalOf(await callPage(running, again))).toBe('401 unauthorized');
});

test('signing out takes the cookie away', async () => {
  const { running } = await start();
  const cookie = await sessionWith(running, KEYS.read);
  const out = await callPage(running, { method: 'DELETE', path: '/session', cookie });
  expect(out.headers['set-cookie']?.map((text) => text.split(';').slice(0, 2).join(';'))).toEqual([
    '__Host-nds_page=; Max-Age=0',
    'nds_page=; Max-Age=0',
  ]);
});

test('keys without `read`, and unknown keys, cannot sign in', async () => {
  const { running } = await start();
  for (const key of [KEYS.operate, KEYS.register, REGISTRY_ENVIRONMENT.NDS_BACKEND_KEYS, 'x']) {
    const answer = await signIn(running, key);
    expect(refusalOf(answer)).toBe('401 unauthorized');
    expect(answer.headers['set-cookie']).toBeUndefined();
  }
});

test('after five wrong keys a minute from one address, or thirty in all, no key is checked', async () => {
  const { running, clock } = await start({ NDS_TRUSTED_ADDRESS_HEADER: 'Fly-Client-IP' });
  const guess = async (address: string, key = 'x'.repeat(40)) =>
    (await signIn(running, key, { 'fly-client-ip': address })).status;
  const tries = async (address: string, times: number) => {
    const answers: number[] = [];
    for (let count = 0; count < times; count += 1) answers.push(await guess(address));
    return answers;
  };
  // A right key does not count against the limit.
  expect(await guess('192.0.2.1', KEYS.read)).toBe(200);
  expect(await tries('192.0.2.1', 7)).toEqual([401, 401, 401, 401, 401, 429, 429]);
  expect(await guess('192.0.2.1', KEYS.read)).toBe(429);
  for (let other = 2; other <= 6; other += 1) {
    expect(await tries(`192.0.2.${other}`, 5)).toEqual(Array(5).fill(401));
  }
  expect(await guess('192.0.2.7')).toBe(429);
  clock.advance(60_000);
  expect(await guess('192.0.2.1', KEYS.read)).toBe(200);
  expect(await tries('192.0.2.7', 6)).toEqual([401, 401, 401, 401, 401, 429]);
});

test('without a key with `read`, and outside of the networks, there is no page', async () => {
  const { running } = await start({ NDS_API_KEYS: `writer:operate:${KEYS.operate}` });
  const expectNone = async (headers: Record<string, string> = {}) => {
    for (const path of ['', '/', '/files/1/page.js', '/session', '/api/v1/apps']) {
      expect(refusalOf(await callPage(running, { path, headers }))).toBe('404 not_found');
    }
    expect(refusalOf(await signIn(running, KEYS.read, headers))).toBe('404 not_found');
  };
  await expectNone();
  await running.restart({ NDS_ADMIN_NETWORKS: '10.0.0.0/8, 2001:db8::/32' });
  await expectNone();
  await running.restart({
    NDS_ADMIN_NETWORKS: '10.0.0.0/8, 2001:db8::/32',
    NDS_TRUSTED_ADDRESS_HEADER: 'Fly-Client-IP',
    NDS_API_KEYS: PAGE_ENVIRONMENT.NDS_API_KEYS,
  });
  for (const address of ['192.0.2.1', '2001:db9::1', 'nonsense']) {
    await expectNone({ 'fly-client-ip': address });
  }
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::1']) {
    const headers = { 'fly-client-ip': address };
    expect((await callPage(running, { path: '/', headers })).status, address).toBe(200);
  }
});

test('the page is not served at the socket, whose callers have the API', async () => {
  const { running } = await start();
  const socket = `${running.environment.NDS_DATABASE}.sock`;
  expect((await throughSocket(socket, '/api/v1/apps')).status).toBe(200);
  expect((await throughSocket(socket, '/admin/')).status).toBe(404);
});

async function throughSocket(socketPath: string, path: string) {
  const { request } = await import('node:http');
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number }>();
  request({ socketPath, path }, (response) => {
    response.resume();
    response.on('end', () => resolve({ status: response.statusCode ?? 0 }));
  })
    .on('error', reject)
    .end();
  return await promise;
}
