// What a session may do: header and origin of its calls, and each route with each scope.

import { expect, test } from 'vitest';
import { ADMIN_ROUTES } from '../../../src/http/admin/routes.ts';
import { problemOf, refusalOf } from '../../support/callers.ts';
import { registerPhone } from '../../support/device-calls.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { KEYS } from '../../support/operator-calls.ts';
import { callPage, PAGE_ENVIRONMENT, PAGE_KEYS, sessionWith } from '../../support/page-calls.ts';
import { EXTERNAL_URL, setup } from '../../support/service.ts';

async function start(environment: Record<string, string> = {}) {
  const clock = new ManualClock();
  const running = await setup({ clock, environment: { ...PAGE_ENVIRONMENT, ...environment } });
  return { clock, running };
}

test('a call that changes something needs our header and our origin, whatever its body is', async () => {
  const { running } = await start();
  const cookie = await sessionWith(running, PAGE_KEYS.operate);
  const path = '/api/v1/apps/reload';
  const { host } = new URL(running.service.url);
  const call = (headers: Record<string, string | null>) =>
    callPage(running, { method: 'POST', path, cookie, headers });
  const foreign: readonly Record<string, string | null>[] = [
    { 'nds-page': null },
    { origin: null },
    { origin: 'null' },
    { origin: 'https://evil.example.com' },
    { origin: `https://${host}` },
    { origin: 'http://localhost:1' },
    { origin: `${EXTERNAL_URL}.evil.example.com` },
    { origin: 'https://evil.example.com', 'content-type': 'application/json' },
    { origin: 'https://evil.example.com', 'sec-fetch-site': 'same-origin' },
  ];
  for (const headers of foreign) {
    expect(refusalOf(await call(headers)), JSON.stringify(headers)).toBe('403 foreign_page');
  }
  expect((await call({})).status).toBe(200);
});

const UNKNOWN = {
  ':id': '01988000-0000-7000-8000-000000000000',
  ':user': 'nobody',
  ':fingerprint': '0123456789abcdef0123456789abcdef',
  ':door': 'notify',
};

test('every route needs a session whose key has its scope', async () => {
  const { running } = await start();
  const sessions = {
    read: await sessionWith(running, PAGE_KEYS.read),
    operate: await sessionWith(running, PAGE_KEYS.operate),
    register: await sessionWith(running, PAGE_KEYS.register),
    endpoints: await sessionWith(running, PAGE_KEYS.endpoints),
  };
  const routes = ADMIN_ROUTES.filter(({ scope }) => scope !== undefined);
  expect(routes.length).toBeGreaterThan(15);
  for (const { method, path, scope } of routes) {
    const real = Object.entries(UNKNOWN)
      .reduce((made, [name, value]) => made.replace(name, value), path)
      .replace('/admin', '');
    // HEAD, so that the stream ends.
    const asked = { method: path.endsWith('/stream') ? 'HEAD' : method, path: real };
    const name = `${method} ${path}`;
    expect((await callPage(running, asked)).status, name).toBe(401);
    for (const [held, cookie] of Object.entries(sessions)) {
      const { status } = await callPage(running, { ...asked, cookie });
      if (scope === 'read' || scope === held) {
        expect([401, 403], `${name} with ${held}`).not.toContain(status);
      } else expect(status, `${name} with ${held}`).toBe(403);
    }
  }
});

test('devices can be revoked with `register`, which the log is told', async () => {
  const { running } = await start();
  const { id } = await registerPhone(running, { user: 'user-a' }, KEYS.register);
  const cookie = await sessionWith(running, PAGE_KEYS.register);
  const remove = (path: string) => callPage(running, { method: 'DELETE', path, cookie });
  expect((await remove(`/api/v1/devices/${id}/handles/notify`)).status).toBe(200);
  expect((await remove(`/api/v1/devices/${id}`)).status).toBe(200);
  expect(problemOf(await remove(`/api/v1/devices/${id}`)).code).toBe('unknown_device');
  const acted = running.log.lines.filter(({ message }) => message === 'operator_acted');
  expect(acted.slice(1).map(({ fields }) => fields.route)).toEqual([
    '/api/v1/devices/:id/handles/:door',
    '/api/v1/devices/:id',
  ]);
});

test('a service with a file of its own shows no list of machines', async () => {
  const running = await setup({ environment: PAGE_ENVIRONMENT });
  const cookie = await sessionWith(running, PAGE_KEYS.read);
  const { text } = await callPage(running, { path: '/view/now', cookie });
  expect(text).toContain('<dt>in flight</dt>');
  expect(text).not.toContain('machine');
  expect(await (await fetch(`${running.service.url}/readyz`)).json()).not.toHaveProperty('node');
});
