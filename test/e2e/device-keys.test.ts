// Who may call the registry: the backend's keys everything, an app's key to register and nothing more.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/config.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { refusalOf, send } from '../support/callers.ts';
import {
  callRegistry,
  DEVICES,
  deviceOf,
  faultyFields,
  listDevices,
  readDevice,
  registerPhone,
  successOf,
  wake,
} from '../support/device-calls.ts';
import { APP_KEY, handleOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, type Setup, setup } from '../support/service.ts';

const PHONE = { platform: 'android', token: ANDROID_TOKEN };
const NEW_KEY = 'the-next-backend-key-of-all';
const SECOND_KEY = 'the-key-of-the-second-app';
const BACKEND_KEY = REGISTRY_ENVIRONMENT.NDS_BACKEND_KEYS;

function start(environment: Record<string, string | undefined> = {}): Promise<Setup> {
  return setup({ environment: { ...REGISTRY_ENVIRONMENT, ...environment } });
}

/** Every route of the registry for a device. */
function routes(id: string) {
  return [
    { method: 'POST', body: PHONE },
    { path: '?user=user-a' },
    { path: `/${id}` },
    { method: 'PATCH', path: `/${id}`, body: { app_data: 'taken over' } },
    { method: 'PUT', path: `/${id}/token`, body: { token: 'taken:over' } },
    { method: 'POST', path: `/${id}/handles/notify` },
    { method: 'DELETE', path: `/${id}/handles/notify` },
    { method: 'DELETE', path: `/${id}` },
  ];
}

const ODD_KEYS: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ['no header', {}],
  ['an empty one', { authorization: '' }],
  ['a bare word', { authorization: BACKEND_KEY }],
  ['no key', { authorization: 'Bearer' }],
  ['a blank key', { authorization: 'Bearer  ' }],
  ['two keys', { authorization: `Bearer ${BACKEND_KEY} ${BACKEND_KEY}` }],
  ['another scheme', { authorization: `Basic ${btoa(`nds:${BACKEND_KEY}`)}` }],
  ['a scheme that begins alike', { authorization: `Bearers ${BACKEND_KEY}` }],
  ['a key that is too short', { authorization: `Bearer ${BACKEND_KEY.slice(0, -1)}` }],
  ['a key that is too long', { authorization: `Bearer ${BACKEND_KEY}x` }],
  ['a key in capitals', { authorization: `Bearer ${BACKEND_KEY.toUpperCase()}` }],
  ['a list of keys', { authorization: `Bearer ${BACKEND_KEY},${BACKEND_KEY}` }],
  ['an endless key', { authorization: `Bearer ${'x'.repeat(4_000)}` }],
  ['a key with a tab', { authorization: `Bearer ${BACKEND_KEY}\tx` }],
  ['a key in another header', { 'x-api-key': BACKEND_KEY, cookie: BACKEND_KEY }],
];

test('without a valid key nothing is read, made or changed', async () => {
  const running = await start();
  const device = await registerPhone(running, { user: 'user-a' });
  const before = await readDevice(running, device.id);
  for (const [about, headers] of ODD_KEYS) {
    for (const call of routes(device.id)) {
      const answer = await callRegistry(running, { ...call, key: null, headers });
      expect(refusalOf(answer), `${about} at ${call.method} ${call.path}`).toBe('401 unauthorized');
    }
  }
  const query = await callRegistry(running, {
    path: `?user=user-a&token=${BACKEND_KEY}`,
    key: null,
  });
  expect(refusalOf(query)).toBe('401 unauthorized');
  expect(await listDevices(running, 'user-a')).toEqual([before]);
});

test('takes the scheme in any case, as HTTP has it', async () => {
  const running = await start();
  const { id } = await registerPhone(running);
  const headers = { authorization: `bEARER ${BACKEND_KEY}` };
  const answer = await callRegistry(running, { path: `/${id}`, key: null, headers });
  expect(deviceOf(answer).id).toBe(id);
});

test('an app’s key registers, and cannot read, list, change or delete anything, its own included', async () => {
  const running = await start();
  const ofBackend = await registerPhone(running, { user: 'user-a' });
  const ofApp = await registerPhone(running, {}, APP_KEY);
  const before = [await readDevice(running, ofBackend.id), await readDevice(running, ofApp.id)];
  for (const { id } of [ofBackend, ofApp]) {
    for (const call of routes(id).slice(1)) {
      const answer = await callRegistry(running, { ...call, key: APP_KEY });
      expect(refusalOf(answer), `${call.method} ${call.path}`).toBe('401 unauthorized');
    }
  }
  const after = [await readDevice(running, ofBackend.id), await readDevice(running, ofApp.id)];
  expect(after).toEqual(before);
});

test('every registration by an app’s key is a device with handles of its own', async () => {
  const running = await start();
  const ofBackend = await registerPhone(running, { app_data: 'wallet-1' });
  const ofApp = [
    await registerPhone(running, { app_data: 'wallet-1' }, APP_KEY),
    await registerPhone(running, { app_data: 'wallet-1' }, APP_KEY),
  ];
  const all = [ofBackend, ...ofApp];
  expect(ofApp.map((device) => device.registered_by)).toEqual(['app', 'app']);
  const handles = all.flatMap((device) =>
    Object.keys(device.urls).map((door) => handleOf(device, door)),
  );
  expect(new Set(handles).size).toBe(handles.length);
  expect(new Set(all.map(({ id }) => id)).size).toBe(3);
  // The backend does not get the app's device either.
  expect((await registerPhone(running, { app_data: 'wallet-1' })).id).toBe(ofBackend.id);
  for (const device of all) {
    expect(successOf(await wake(running, device, 'aa')).status).toBe('delivered');
  }
});

test('an app’s key cannot give a device to a user', async () => {
  const running = await start();
  const body = { ...PHONE, user: 'user-a' };
  const answer = await callRegistry(running, { method: 'POST', body, key: APP_KEY });
  expect([refusalOf(answer), faultyFields(answer)]).toEqual(['400 bad_body', ['user']]);
  expect(await listDevices(running, 'user-a')).toEqual([]);
});

test('an app’s key registers only for its own app, without having to name it', async () => {
  const running = await start();
  const file = join(running.folder, 'apps.json');
  const { serviceAccount, url } = running.sandbox.fcm;
  const second = { fcm: { credentials: serviceAccount, endpoint: url } };
  writeFileSync(file, JSON.stringify({ second }));
  const keys = `default=${APP_KEY},second=${SECOND_KEY}`;
  await running.restart({ NDS_APPS_FILE: file, NDS_APP_KEYS: keys });

  expect(
    deviceOf(await callRegistry(running, { method: 'POST', body: PHONE, key: SECOND_KEY })),
  ).toMatchObject({
    app: 'second',
    registered_by: 'app',
  });
  for (const [app, key] of [
    ['second', APP_KEY],
    ['default', SECOND_KEY],
    ['unknown', SECOND_KEY],
  ]) {
    const call = { method: 'POST', body: { ...PHONE, app }, key: key ?? '' };
    expect(refusalOf(await callRegistry(running, call)), app).toBe('401 unauthorized');
  }
  // With the same token, user and app_data, two apps have two devices.
  const one = await register(running, { ...PHONE, user: 'user-a' });
  const two = await register(running, { ...PHONE, user: 'user-a', app: 'second' });
  expect(one.id).not.toBe(two.id);
  expect((await listDevices(running, 'user-a', 'second')).map(({ id }) => id)).toEqual([two.id]);
  // The second app has no APNs.
  const ios = { platform: 'ios', token: IOS_TOKEN, app: 'second' };
  const answer = await callRegistry(running, { method: 'POST', body: ios });
  expect(refusalOf(answer)).toBe('502 provider_not_configured');
});

test('several backend keys are valid at the same time, and a removed key is not', async () => {
  const running = await start();
  const { id } = await registerPhone(running);
  await running.restart({ NDS_BACKEND_KEYS: `${NEW_KEY}, ${BACKEND_KEY}` });
  for (const key of [NEW_KEY, BACKEND_KEY]) {
    expect(deviceOf(await callRegistry(running, { path: `/${id}`, key })).id).toBe(id);
  }
  await running.restart({ NDS_BACKEND_KEYS: NEW_KEY });
  expect(deviceOf(await callRegistry(running, { path: `/${id}`, key: NEW_KEY })).id).toBe(id);
  expect(refusalOf(await callRegistry(running, { path: `/${id}` }))).toBe('401 unauthorized');
});

test('without keys there is no registry', async () => {
  const running = await setup();
  for (const key of [null, BACKEND_KEY, '']) {
    const answer = await callRegistry(running, { method: 'POST', body: PHONE, key });
    expect(refusalOf(answer)).toBe('401 unauthorized');
  }
  const answer = await send(running.service.url, { method: 'GET', path: `${DEVICES}?user=a` });
  expect(refusalOf(answer)).toBe('401 unauthorized');
});

/** What is wrong with a configuration, one line each. */
async function faultsOf(running: Setup, changed: Record<string, string | undefined>) {
  const environment = { ...running.environment, ...changed };
  const error = await prepare(environment, createSystemClock()).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof ConfigError ? error.faults : [];
}

test('registering needs a secret from the configuration, and an address for its URLs', async () => {
  const running = await start();
  const users: readonly (readonly [string, string])[] = [
    ['NDS_BACKEND_KEYS', BACKEND_KEY],
    ['NDS_APP_KEYS', `default=${APP_KEY}`],
    ['NDS_SELF_REGISTRATION', 'on'],
  ];
  const none = { NDS_BACKEND_KEYS: undefined, NDS_APP_KEYS: undefined };
  for (const [name, value] of users) {
    const missing = { NDS_SECRET: undefined, NOTIFY_EXTERNAL_URL: undefined };
    expect(await faultsOf(running, { ...none, ...missing, [name]: value })).toEqual([
      `NDS_SECRET is required by ${name}`,
      `NOTIFY_EXTERNAL_URL is required by ${name}`,
    ]);
  }
});

test('keys that can only be mistakes are refused at the start, without being repeated', async () => {
  const running = await start();
  const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ NDS_BACKEND_KEYS: 'short' }, /^NDS_BACKEND_KEYS must hold keys of 16 or more/],
    [{ NDS_BACKEND_KEYS: `${BACKEND_KEY},short` }, /^NDS_BACKEND_KEYS must hold keys of 16/],
    [{ NDS_BACKEND_KEYS: 'with a blank inside it' }, /^NDS_BACKEND_KEYS must hold keys/],
    [{ NDS_APP_KEYS: APP_KEY }, /^NDS_APP_KEYS must be a list of APP=KEY/],
    [{ NDS_APP_KEYS: `=${APP_KEY}` }, /^NDS_APP_KEYS must be a list of APP=KEY/],
    [
      { NDS_APP_KEYS: `unknown=${APP_KEY}` },
      /^NDS_APP_KEYS: entry 1 names an app that does not exist; there are: default$/,
    ],
    [{ NDS_APP_KEYS: `default=${BACKEND_KEY}` }, /entry 1 must not have a key of NDS_BACKEND_KEYS/],
  ];
  for (const [changed, message] of cases) {
    const faults = await faultsOf(running, changed);
    expect(faults, JSON.stringify(changed)).toHaveLength(1);
    expect(faults[0]).toMatch(message);
    expect(faults[0]).not.toMatch(new RegExp(`${APP_KEY}|${BACKEND_KEY}|short`));
  }
});
