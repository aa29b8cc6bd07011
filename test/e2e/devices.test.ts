// The registry as the vendor's backend uses it: devices are made, read, found by their user, changed and deleted; and
// which registrations are of the same device.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { refusalOf } from '../support/callers.ts';
import {
  callRegistry,
  changeDevice,
  deleteDevice,
  deviceOf,
  listDevices,
  readDevice,
  registerPhone,
  successOf,
  wake,
} from '../support/device-calls.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { APP_KEY, handleOf, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, EXTERNAL_URL, IOS_TOKEN, type Setup, setup } from '../support/service.ts';

const START_MS = Date.parse('2025-08-01T12:00:00Z');
const NODE_ID = `02${'ab'.repeat(32)}`;
const UNKNOWN_ID = '01988000-0000-7000-8000-000000000000';
const USER = 'user-a';

const DETAILS = {
  platform: 'ios',
  token: IOS_TOKEN,
  user: USER,
  app_data: 'wallet-1',
  locale: 'de-CH',
  lsp_node_ids: [NODE_ID],
  secrets: { resmic: ['old secret', 'new secret'], spark_ssp: ['spark secret'] },
};

const devicePage = z.object({
  devices: z.array(z.object({ id: z.string() })),
  next: z.string().optional(),
});

async function start(): Promise<Setup & { readonly clock: ManualClock }> {
  const clock = new ManualClock(START_MS);
  const running = await setup({ clock, environment: REGISTRY_ENVIRONMENT });
  await running.service.reach;
  return Object.assign(running, { clock });
}

test('returns all fields of a registered device except its token and its secrets', async () => {
  const running = await start();
  const answer = await callRegistry(running, { method: 'POST', body: DETAILS });
  const device = deviceOf(answer);
  const { id, urls, ...others } = device;
  expect(others).toEqual({
    app: 'default',
    platform: 'ios',
    user: USER,
    app_data: 'wallet-1',
    locale: 'de-CH',
    lsp_node_ids: [NODE_ID],
    secrets: { resmic: 2, spark_ssp: 1 },
    registered_by: 'backend',
    created_at: '2025-08-01T12:00:00.000Z',
    seen_at: '2025-08-01T12:00:00.000Z',
  });
  for (const url of Object.values(urls)) expect(url.startsWith(`${EXTERNAL_URL}/`)).toBe(true);
  expect(answer.text).not.toMatch(/9f2c0a7b|old secret|new secret|spark secret/);
  expect(await readDevice(running, id)).toEqual(device);
  expect(await listDevices(running, USER)).toEqual([device]);
});

test('lists the devices of one user, newest first, and no others', async () => {
  const running = await start();
  const first = await registerPhone(running, { user: USER });
  const second = await registerPhone(running, { user: USER, platform: 'ios', token: IOS_TOKEN });
  await registerPhone(running, { user: 'user-b' });
  await registerPhone(running);
  const ids = (await listDevices(running, USER)).map(({ id }) => id);
  expect(ids).toEqual([second.id, first.id]);
  expect(await listDevices(running, 'USER-A')).toEqual([]);
  expect(await listDevices(running, USER, 'another-app')).toEqual([]);
  expect(refusalOf(await callRegistry(running, { path: '?user=' }))).toBe('400 bad_query');
});

test('finds a user by any text, however it has to be written in a URL', async () => {
  const running = await start();
  for (const user of ['+49 170&app=x', 'ключ/кошелёк', '%41', 'a\u0000b', '🔑'.repeat(128)]) {
    const { id } = await registerPhone(running, { user });
    expect((await listDevices(running, user)).map((device) => device.id)).toEqual([id]);
  }
});

test('sends to the new token as soon as a device has one, under the same URLs', async () => {
  const running = await start();
  const device = await registerPhone(running, { user: USER });
  const token = 'fresh:APA91bTokenAfterTheUpdate';
  const call = { method: 'PUT', path: `/${device.id}/token`, body: { token } };
  const changed = deviceOf(await callRegistry(running, call));
  expect(changed.urls).toEqual(device.urls);
  await wake(running, device, 'aa');
  expect(running.sandbox.received().map((push) => push.token)).toEqual([token]);
});

test('after a token rotation the device counts as alive again', async () => {
  const running = await start();
  const device = await registerPhone(running);
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  expect(refusalOf(await wake(running, device, 'aa'))).toBe('410 token_unregistered');
  await running.service.settled();
  expect(await readDevice(running, device.id)).toHaveProperty('dead_since');

  running.clock.advance(60_000);
  const token = 'fresh:APA91bTokenAfterReinstall';
  const changed = await changeDevice(running, device.id, { token });
  expect(changed).not.toHaveProperty('dead_since');
  expect(changed.seen_at).toBe('2025-08-01T12:01:00.000Z');
  expect(successOf(await wake(running, device, 'aa')).status).toBe('delivered');
});

test('changes only the fields of the request', async () => {
  const running = await start();
  const body = { ...DETAILS, token: IOS_TOKEN };
  const device = deviceOf(await callRegistry(running, { method: 'POST', body }));
  const otherNode = `03${'cd'.repeat(32)}`;
  const steps: readonly (readonly [object, object])[] = [
    [{ locale: 'en' }, { locale: 'en' }],
    [{ user: 'user-b' }, { user: 'user-b' }],
    [{ app_data: '' }, { app_data: '' }],
    [{ lsp_node_ids: [otherNode.toUpperCase()] }, { lsp_node_ids: [otherNode] }],
    [{ secrets: { standard: [] } }, { secrets: { standard: 0 } }],
    [{}, {}],
  ];
  let expected = device;
  for (const [changes, change] of steps) {
    expected = { ...expected, ...change };
    expect(await changeDevice(running, device.id, changes)).toEqual(expected);
    expect(await readDevice(running, device.id)).toEqual(expected);
  }
  expect(await listDevices(running, USER)).toEqual([]);
  expect(await listDevices(running, 'user-b')).toEqual([expected]);
});

test('changes that come at the same moment all take effect', async () => {
  const running = await start();
  const { id, urls } = await registerPhone(running, { user: USER });
  const revocation = { method: 'DELETE', path: `/${id}/handles/resmic` };
  const [, , revoked] = await Promise.all([
    changeDevice(running, id, { locale: 'fr' }),
    changeDevice(running, id, { lsp_node_ids: [NODE_ID] }),
    callRegistry(running, revocation),
    changeDevice(running, id, { app_data: 'wallet-2' }),
  ]);
  expect(revoked.status).toBe(200);
  const { resmic, ...others } = urls;
  expect(await readDevice(running, id)).toMatchObject({
    user: USER,
    locale: 'fr',
    lsp_node_ids: [NODE_ID],
    app_data: 'wallet-2',
  });
  expect((await readDevice(running, id)).urls).toEqual(others);
  expect(resmic).toBeDefined();
});

test('a device that becomes another one is refused, and stays as it is', async () => {
  const running = await start();
  const one = await registerPhone(running, { user: USER, app_data: 'wallet-1' });
  const other = await registerPhone(running, { user: USER, app_data: 'wallet-2' });
  const before = await readDevice(running, other.id);
  const call = { method: 'PATCH', path: `/${other.id}`, body: { app_data: 'wallet-1' } };
  expect(refusalOf(await callRegistry(running, call))).toBe('409 device_exists');
  expect(await readDevice(running, other.id)).toEqual(before);
  expect((await readDevice(running, one.id)).app_data).toBe('wallet-1');
});

test('a device that the backend registers again keeps its URLs, and its details are taken over', async () => {
  const running = await start();
  const device = deviceOf(await callRegistry(running, { method: 'POST', body: DETAILS }));
  running.clock.advance(86_400_000);
  const { locale: _locale, secrets: _secrets, ...rest } = DETAILS;
  const again = { ...rest, lsp_node_ids: [], secrets: { standard: [] } };
  const known = deviceOf(await callRegistry(running, { method: 'POST', body: again }));
  const { locale: _gone, ...kept } = device;
  expect(known).toEqual({
    ...kept,
    lsp_node_ids: [],
    secrets: { standard: 0 },
    seen_at: '2025-08-02T12:00:00.000Z',
  });
  expect(await listDevices(running, USER)).toEqual([known]);
});

test('the same device registered many times at once is one device', async () => {
  const running = await start();
  const all = await Promise.all(
    Array.from({ length: 20 }, () => registerPhone(running, { user: USER })),
  );
  expect(new Set(all.map(({ id }) => id)).size).toBe(1);
  expect(new Set(all.map((device) => handleOf(device, 'notify'))).size).toBe(1);
  expect(await listDevices(running, USER)).toHaveLength(1);
});

test('a registration by the backend ends a quarantine, one by an app does not', async () => {
  const running = await start();
  const device = await registerPhone(running);
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  expect((await wake(running, device, 'aa')).status).toBe(410);
  await running.service.settled();

  const ofApp = await registerPhone(running, {}, APP_KEY);
  expect((await wake(running, ofApp, 'bb')).status).toBe(410);
  expect((await wake(running, device, 'bb')).status).toBe(410);
  expect(running.sandbox.requests().filter(({ provider }) => provider === 'fcm')).toHaveLength(1);

  await registerPhone(running);
  expect(successOf(await wake(running, device, 'bb')).status).toBe('delivered');
  await running.restart();
  expect(successOf(await wake(running, device, 'cc')).status).toBe('delivered');
});

test('two wallets on one phone are two devices, each with its own URLs and duplicates', async () => {
  const running = await start();
  const wallets = [
    await registerPhone(running, { user: USER, app_data: 'wallet-1' }),
    await registerPhone(running, { user: USER, app_data: 'wallet-2' }),
    await registerPhone(running, { user: USER, app_data: '' }),
    await registerPhone(running, { user: USER }),
    await registerPhone(running, { user: 'user-b' }),
    await registerPhone(running),
  ];
  expect(new Set(wallets.map(({ id }) => id)).size).toBe(wallets.length);
  for (const wallet of wallets) {
    expect(successOf(await wake(running, wallet, 'aa')).status).toBe('delivered');
    expect(successOf(await wake(running, wallet, 'aa')).status).toBe('duplicate');
  }
  const pushes = running.sandbox.received(ANDROID_TOKEN);
  const received = pushes.map(({ data }) => data.app_data);
  expect(received).toEqual(['wallet-1', 'wallet-2', '', undefined, undefined, undefined]);
});

test('a deleted device is gone: unknown by id, in its user’s list and at its doors', async () => {
  const running = await start();
  const device = await registerPhone(running, { user: USER });
  await deleteDevice(running, device.id);
  const paths = [`/${device.id}`, `/${UNKNOWN_ID}`, '/not-an-id', `/${device.id.toUpperCase()}`];
  for (const path of paths) {
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const body = method === 'PATCH' ? { body: {} } : {};
      const answer = await callRegistry(running, { method, path, ...body });
      expect(refusalOf(answer), `${method} ${path}`).toBe('404 unknown_device');
    }
  }
  expect(await listDevices(running, USER)).toEqual([]);
  expect(refusalOf(await wake(running, device, 'aa'))).toBe('404 unknown_handle');
  const again = await registerPhone(running, { user: USER });
  expect(again.id).not.toBe(device.id);
  expect(handleOf(again, 'notify')).not.toBe(handleOf(device, 'notify'));
});

test('takes only the methods of its routes', async () => {
  const running = await start();
  const { id } = await registerPhone(running);
  const allowed: readonly (readonly [string, string])[] = [
    ['', 'POST, GET, HEAD'],
    [`/${id}`, 'GET, HEAD, PATCH, DELETE'],
    [`/${id}/token`, 'PUT'],
    [`/${id}/handles/notify`, 'POST, DELETE'],
  ];
  for (const [path, allow] of allowed) {
    const answer = await callRegistry(running, { method: 'OPTIONS', path });
    expect(refusalOf(answer), path).toBe('405 method_not_allowed');
    expect(answer.headers.allow).toBe(allow);
  }
});

test('lists all devices page by page, newest first, when no user is named', async () => {
  const running = await start();
  const ids: string[] = [];
  for (let number = 0; number < 5; number += 1) {
    ids.unshift((await registerPhone(running, { user: `user-${number}` })).id);
  }
  const page = async (path: string) => {
    const answer = await callRegistry(running, { path });
    return devicePage.parse(JSON.parse(answer.text));
  };
  const first = await page('?limit=2');
  const second = await page(`?limit=2&cursor=${first.next}`);
  const third = await page(`?limit=2&cursor=${second.next}`);
  expect([first, second, third].map(({ devices }) => devices.map(({ id }) => id))).toEqual([
    ids.slice(0, 2),
    ids.slice(2, 4),
    ids.slice(4),
  ]);
  expect(third.next).toBeUndefined();
  expect((await page('?app=default')).devices).toHaveLength(5);
  expect((await page('?app=another')).devices).toEqual([]);
  for (const path of ['?limit=0', '?cursor=x', '?users=a', '?limit=1&limit=2']) {
    expect(refusalOf(await callRegistry(running, { path })), path).toBe('400 bad_query');
  }
});
