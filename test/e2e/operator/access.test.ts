// Who may call which of the operators' routes: a key for each scope, no key, wrong keys, and none configured.

import { expect, test } from 'vitest';
import { SCOPES } from '../../../src/core/operating/scopes.ts';
import { OPERATOR_ROUTES } from '../../../src/http/operator/routes.ts';
import { type Answer, problemOf, refusalOf, send } from '../../support/callers.ts';
import { callRegistry, registerPhone } from '../../support/device-calls.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { KEYS, OPERATOR_ENVIRONMENT, operate } from '../../support/operator-calls.ts';
import { APP_KEY, REGISTRY_ENVIRONMENT } from '../../support/registry.ts';
import { type Setup, setup } from '../../support/service.ts';

const UNKNOWN = {
  id: '01988000-0000-7000-8000-000000000000',
  user: 'nobody',
  fingerprint: '0123456789abcdef0123456789abcdef',
};

function pathOf(pattern: string): string {
  const { id, user, fingerprint } = UNKNOWN;
  const path = pattern.replace(':id', id).replace(':user', user);
  return path.replace(':fingerprint', fingerprint).replace('/api/v1', '');
}

/** HEAD instead of GET, so that the stream ends. */
function call(running: Setup, route: (typeof OPERATOR_ROUTES)[number], key: string | null) {
  const method = route.path.endsWith('/stream') ? 'HEAD' : route.method;
  return operate(running, { method, path: pathOf(route.path), key });
}

test('every route needs a key with its scope', async () => {
  const running = await setup({ environment: OPERATOR_ENVIRONMENT });
  for (const route of OPERATOR_ROUTES) {
    const name = `${route.method} ${route.path}`;
    for (const scope of SCOPES) {
      const { status } = await call(running, route, KEYS[scope]);
      if (scope === route.scope) expect(status, `${name} with ${scope}`).not.toBe(403);
      else expect(status, `${name} with ${scope}`).toBe(403);
    }
    expect((await call(running, route, KEYS.all)).status, name).not.toBe(403);
    expect((await call(running, route, null)).status, name).toBe(401);
    expect((await call(running, route, APP_KEY)).status, name).toBe(401);
  }
});

test('a missing scope is named, but not the keys that have it', async () => {
  const running = await setup({ environment: OPERATOR_ENVIRONMENT });
  const answer = await operate(running, { path: '/deliveries', key: KEYS.operate });
  expect(refusalOf(answer)).toBe('403 insufficient_scope');
  expect(problemOf(answer).detail).toBe('This call needs a key with the scope `read`.');
  const said = JSON.stringify([running.log.lines, running.log.events, answer.text]);
  for (const key of Object.values(KEYS)) expect(said).not.toContain(key);
});

test('without a key for them the routes do not exist', async () => {
  const running = await setup({ environment: REGISTRY_ENVIRONMENT });
  const unknown = await operate(running, { path: '/nothing', key: null });
  const withoutInstance = ({ text }: Answer) => text.replace(/urn:uuid:[^"]*/, '');
  for (const route of OPERATOR_ROUTES.filter(({ scope }) => scope !== 'register')) {
    for (const method of [route.method, 'PUT']) {
      for (const key of [null, REGISTRY_ENVIRONMENT.NDS_BACKEND_KEYS]) {
        const answer = await operate(running, { method, path: pathOf(route.path), key });
        expect(withoutInstance(answer), `${method} ${route.path}`).toBe(withoutInstance(unknown));
      }
    }
  }
  const routes = running.log.events.filter(({ name }) => name === 'request_answered');
  expect(new Set(routes.map((event) => 'route' in event && event.route))).toEqual(new Set(['*']));
});

test('a method that a route does not have is 405', async () => {
  const running = await setup({ environment: OPERATOR_ENVIRONMENT });
  const answer = await operate(running, { method: 'PUT', path: '/quarantine' });
  expect(refusalOf(answer)).toBe('405 method_not_allowed');
  expect(answer.headers.allow).toBe('GET, HEAD');
});

test('too many wrong keys are 429, but a right one is still accepted', async () => {
  const clock = new ManualClock();
  const running = await setup({
    clock,
    environment: { ...OPERATOR_ENVIRONMENT, NDS_TRUSTED_ADDRESS_HEADER: 'Fly-Client-IP' },
  });
  const guess = (address: string, key = 'x'.repeat(40)) =>
    send(running.service.url, {
      method: 'GET',
      path: '/api/v1/apps',
      headers: { authorization: `Bearer ${key}`, 'fly-client-ip': address },
    });
  const codes: number[] = [];
  for (let tries = 0; tries < 105; tries += 1) codes.push((await guess('192.0.2.1')).status);
  expect(codes).toEqual([...Array(100).fill(401), ...Array(5).fill(429)]);
  expect((await guess('192.0.2.1')).headers['retry-after']).toBe('1');
  expect((await guess('192.0.2.1', KEYS.read)).status).toBe(200);
  expect((await guess('192.0.2.2')).status).toBe(401);
  clock.advance(1_000);
  expect((await guess('192.0.2.1')).status).toBe(401);
});

test('devices can be read with `read`, but not their URLs, and changed only with `register`', async () => {
  const running = await setup({ environment: OPERATOR_ENVIRONMENT });
  const device = await registerPhone(running, { user: 'user-a' }, KEYS.register);
  const full = JSON.parse((await callRegistry(running, { path: `/${device.id}` })).text);
  const { urls: _, ...shown } = full;
  const read = (path: string) => callRegistry(running, { path, key: KEYS.read });
  expect(JSON.parse((await read(`/${device.id}`)).text)).toEqual(shown);
  expect(JSON.parse((await read('?user=user-a')).text)).toEqual({ devices: [shown] });
  expect(JSON.parse((await read('')).text)).toEqual({ devices: [shown] });
  const withUrls = await callRegistry(running, { path: '', key: KEYS.register });
  expect(JSON.parse(withUrls.text)).toEqual({ devices: [full] });
  for (const key of [KEYS.read, KEYS.operate]) {
    const change = { method: 'PATCH', path: `/${device.id}`, body: {}, key };
    expect(refusalOf(await callRegistry(running, change))).toBe('403 insufficient_scope');
    const registered = callRegistry(running, { method: 'POST', key, body: { platform: 'ios' } });
    expect((await registered).status).toBeGreaterThanOrEqual(400);
  }
});

test('a call that changes something is logged with its caller, but without whom it concerned', async () => {
  const running = await setup({ environment: OPERATOR_ENVIRONMENT });
  await registerPhone(running, { user: 'secret-user' });
  await operate(running, { method: 'DELETE', path: '/users/secret-user', key: KEYS.operate });
  await operate(running, { path: '/apps' });
  await operate(running, { path: '/endpoints', key: KEYS.endpoints });
  const acted = running.log.lines.filter(({ message }) => message === 'operator_acted');
  expect(acted.map(({ fields }) => fields)).toEqual([
    { by: 'operator', method: 'DELETE', route: '/api/v1/users/:user' },
  ]);
});
