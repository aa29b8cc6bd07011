// What a registration and a change may contain, how much of it, and how many devices there may be. A refusal names the
// faulty field, never its value, and nothing is stored.

import { expect, test } from 'vitest';
import { problemOf, refusalOf } from '../support/callers.ts';
import {
  callRegistry,
  changeDevice,
  deleteDevice,
  deviceOf,
  faultyFields,
  listDevices,
  readDevice,
  registerPhone,
  successOf,
  wake,
} from '../support/device-calls.ts';
import { APP_KEY, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, type Setup, setup } from '../support/service.ts';

const PHONE = { platform: 'android', token: ANDROID_TOKEN };
const USER = 'user-of-a-faulty-body';
const NODE_ID = `02${'ab'.repeat(32)}`;
const STANDARD_KEY = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;

function start(environment: Record<string, string> = {}): Promise<Setup> {
  return setup({ environment: { ...REGISTRY_ENVIRONMENT, ...environment } });
}

/** Faults of the fields that a registration and a change have in common. */
const FAULTS: readonly (readonly [string, object, readonly string[]])[] = [
  ['an empty token', { token: '' }, ['token']],
  ['a token that is a number', { token: 1 }, ['token']],
  ['a token of 4,097 characters', { token: `x:${'y'.repeat(4_095)}` }, ['token']],
  ['a token with a line feed', { token: 'x:faulty\ntoken' }, ['token']],
  ['a token with half a character', { token: 'x:\ud800' }, ['token']],
  ['an empty user', { user: '' }, ['user']],
  ['a user that is a list', { user: [USER] }, ['user']],
  ['a user of 257 characters', { user: 'u'.repeat(257) }, ['user']],
  ['a user with half a character', { user: '\udfff' }, ['user']],
  ['app_data that is null', { app_data: null }, ['app_data']],
  ['app_data of 1,025 characters', { app_data: 'a'.repeat(1_025) }, ['app_data']],
  ['an empty locale', { locale: '' }, ['locale']],
  ['a locale with an underscore', { locale: 'de_CH' }, ['locale']],
  ['a locale that is a header', { locale: 'de-CH,de;q=0.9' }, ['locale']],
  ['a locale of 36 characters', { locale: `en-x-${'a'.repeat(31)}` }, ['locale']],
  ['a node id that is no list', { lsp_node_ids: NODE_ID }, ['lsp_node_ids']],
  ['an uncompressed node id', { lsp_node_ids: [`04${'ab'.repeat(64)}`] }, ['lsp_node_ids.0']],
  ['a short node id', { lsp_node_ids: [NODE_ID, NODE_ID.slice(2)] }, ['lsp_node_ids.1']],
  ['a node id that is no hex', { lsp_node_ids: [`02${'zz'.repeat(32)}`] }, ['lsp_node_ids.0']],
  ['17 node ids', { lsp_node_ids: Array(17).fill(NODE_ID) }, ['lsp_node_ids']],
  ['secrets that are a list', { secrets: ['faulty-secret'] }, ['secrets']],
  ['secrets of one source as a text', { secrets: { resmic: 'faulty-secret' } }, ['secrets.resmic']],
  ['an empty secret', { secrets: { resmic: ['good', ''] } }, ['secrets.resmic.1']],
  ['a secret of 257 characters', { secrets: { resmic: ['s'.repeat(257)] } }, ['secrets.resmic.0']],
  ['5 secrets', { secrets: { resmic: ['1', '2', '3', '4', '5'] } }, ['secrets.resmic']],
  ['secrets of no source', { secrets: { acme: ['faulty-secret'] } }, ['secrets.acme']],
  ['secrets of bLIP-55', { secrets: { lsps5: ['faulty-secret'] } }, ['secrets.lsps5']],
  [
    'secrets of a domain',
    { secrets: { spark_payment_received: ['x'] } },
    ['secrets.spark_payment_received'],
  ],
  [
    'a standard key without its form',
    { secrets: { standard: ['faulty-secret'] } },
    ['secrets.standard.0'],
  ],
  ['a field of nobody', { lsp_nodes: [], Token: 'x' }, ['Token', 'lsp_nodes']],
  ['fields of the answer', { id: 'x', urls: {}, handles: {} }, ['handles', 'id', 'urls']],
  ['several faults', { user: 1, locale: 1, secrets: { a: 1 } }, ['locale', 'secrets.a', 'user']],
];

const REGISTRATION_FAULTS: readonly (readonly [string, object, readonly string[]])[] = [
  ['no platform', { platform: undefined }, ['platform']],
  ['a platform of a browser', { platform: 'web' }, ['platform']],
  ['a platform in capitals', { platform: 'IOS' }, ['platform']],
  ['no token', { token: undefined }, ['token']],
  ['an iOS token of odd length', { platform: 'ios', token: IOS_TOKEN.slice(1) }, ['token']],
  ['an iOS token of 202 digits', { platform: 'ios', token: 'ab'.repeat(101) }, ['token']],
  ['an app that is a number', { app: 1 }, ['app']],
  ['an empty app', { app: '' }, ['app']],
  ['an app of 65 characters', { app: 'a'.repeat(65) }, ['app']],
];

const NO_OBJECTS = [
  '',
  'no json',
  '[]',
  'null',
  '"text"',
  '{"platform":"ios"',
  '\ufeff{}',
  '{"a":1}{}',
];

test('refuses a faulty registration by its fields, and keeps nothing of it', async () => {
  const running = await start();
  for (const [about, faulty, fields] of [...FAULTS, ...REGISTRATION_FAULTS]) {
    const body = { ...PHONE, user: USER, ...faulty };
    const answer = await callRegistry(running, { method: 'POST', body });
    expect([refusalOf(answer), faultyFields(answer)], about).toEqual(['400 bad_body', fields]);
    // The answer's own id is random hex.
    const said = answer.text.replace(/urn:uuid:[0-9a-f-]+/, '');
    expect(said, about).not.toMatch(/faulty|yyy|uuu|aaa|zzz|sss|ababab/);
  }
  for (const body of NO_OBJECTS) {
    const answer = await callRegistry(running, { method: 'POST', body });
    expect([refusalOf(answer), faultyFields(answer)], body).toEqual(['400 bad_body', ['body']]);
  }
  const large = { ...PHONE, app_data: 'x'.repeat(70_000) };
  expect(refusalOf(await callRegistry(running, { method: 'POST', body: large }))).toBe(
    '413 body_too_large',
  );
  expect(await listDevices(running, USER)).toEqual([]);
});

test('refuses a faulty change by its fields, and the device stays as it is', async () => {
  const running = await start();
  const { id } = await registerPhone(running, {
    user: USER,
    secrets: { standard: [STANDARD_KEY] },
  });
  const before = await readDevice(running, id);
  const more: typeof FAULTS = [
    ['another platform', { platform: 'ios' }, ['platform']],
    ['another app', { app: 'another' }, ['app']],
  ];
  for (const [about, body, fields] of [...FAULTS, ...more]) {
    const answer = await callRegistry(running, { method: 'PATCH', path: `/${id}`, body });
    expect([refusalOf(answer), faultyFields(answer)], about).toEqual(['400 bad_body', fields]);
  }
  for (const body of [{}, { user: 'x' }, { token: 'good:token', user: 'x' }, { token: '' }, []]) {
    const answer = await callRegistry(running, { method: 'PUT', path: `/${id}/token`, body });
    expect(refusalOf(answer), JSON.stringify(body)).toBe('400 bad_body');
  }
  expect(await readDevice(running, id)).toEqual(before);
});

test('an iPhone’s new token has to be one', async () => {
  const running = await start();
  const { id } = await registerPhone(running, { platform: 'ios', token: IOS_TOKEN });
  const call = { method: 'PUT', path: `/${id}/token`, body: { token: IOS_TOKEN.slice(1) } };
  const answer = await callRegistry(running, call);
  expect([refusalOf(answer), faultyFields(answer)]).toEqual(['400 bad_body', ['token']]);
});

test('names at most eight faults and the number of the others, and shortens each', async () => {
  const running = await start();
  const names = Array.from({ length: 500 }, (_, index) => [`${index}${'n'.repeat(120)}`, 1]);
  const answer = await callRegistry(running, { method: 'POST', body: Object.fromEntries(names) });
  const fields = faultyFields(answer);
  expect(problemOf(answer).errors?.length).toBeLessThanOrEqual(8);
  expect(problemOf(answer).more_errors).toBeGreaterThan(490);
  for (const field of fields) expect(field.length).toBeLessThanOrEqual(100);
});

test('takes every field at its limit', async () => {
  const running = await start();
  const secrets = Array.from({ length: 4 }, (_, index) => `${index}`.padEnd(256, 's'));
  const body = {
    platform: 'android',
    token: `x:${'y'.repeat(4_094)}`,
    user: '🔑'.repeat(128),
    app_data: 'a'.repeat(1_024),
    locale: 'de-Latn-CH-1996-u-co-phonebk-x-abc',
    lsp_node_ids: Array.from({ length: 16 }, (_, index) => `03${String(index).padStart(64, '0')}`),
    secrets: { resmic: secrets, standard: [STANDARD_KEY] },
  };
  const device = deviceOf(await callRegistry(running, { method: 'POST', body }));
  expect(device).toMatchObject({ user: body.user, lsp_node_ids: body.lsp_node_ids });
  expect(device.secrets).toEqual({ resmic: 4, standard: 1 });
});

test('a user has at most the configured number of devices, whichever way they are added', async () => {
  const running = await start({ NDS_MAX_DEVICES_PER_USER: '3' });
  const phones = ['wallet-1', 'wallet-2', 'wallet-3'];
  for (const app_data of phones) await registerPhone(running, { user: USER, app_data });
  const full = { ...PHONE, user: USER, app_data: 'wallet-4' };
  const answer = await callRegistry(running, { method: 'POST', body: full });
  expect(refusalOf(answer)).toBe('409 too_many_devices');
  expect(problemOf(answer).detail).toBe('A user may have 3 devices (NDS_MAX_DEVICES_PER_USER).');

  const other = await registerPhone(running, { user: 'another', app_data: 'wallet-4' });
  const call = { method: 'PATCH', path: `/${other.id}`, body: { user: USER } };
  expect(refusalOf(await callRegistry(running, call))).toBe('409 too_many_devices');
  expect((await readDevice(running, other.id)).user).toBe('another');

  // Existing devices may be registered and changed again.
  const [first] = await listDevices(running, USER);
  await registerPhone(running, { user: USER, app_data: 'wallet-1' });
  await changeDevice(running, first?.id ?? '', { user: USER, locale: 'fr' });
  expect(await listDevices(running, USER)).toHaveLength(3);
  await deleteDevice(running, first?.id ?? '');
  await changeDevice(running, other.id, { user: USER });
  expect(await listDevices(running, USER)).toHaveLength(3);
});

test('a thousand registrations for one user at once leave no more devices than the limit', async () => {
  const running = await start();
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, (_, index) =>
      running
        .post('/api/v1/devices', JSON.stringify({ ...PHONE, user: USER, app_data: `${index}` }), {
          headers: { authorization: `Bearer ${REGISTRY_ENVIRONMENT.NDS_BACKEND_KEYS}` },
        })
        .then(({ status }) => status),
    ),
  );
  expect(answers.filter((status) => status === 200)).toHaveLength(50);
  expect(answers.filter((status) => status === 409)).toHaveLength(950);
  expect(await listDevices(running, USER)).toHaveLength(50);
});

test('the service takes this many devices and no more, the last of them from the backend', async () => {
  const running = await start({ NDS_MAX_DEVICES: '3' });
  await registerPhone(running, {}, APP_KEY);
  await registerPhone(running, {}, APP_KEY);
  const byApp = await callRegistry(running, { method: 'POST', body: PHONE, key: APP_KEY });
  expect(refusalOf(byApp)).toBe('409 too_many_devices');
  expect(problemOf(byApp).detail).toBe(
    'The service holds 2 devices; the last tenth of NDS_MAX_DEVICES is reserved for the backend.',
  );
  const first = await registerPhone(running, { user: 'a' });
  const byBackend = await callRegistry(running, { method: 'POST', body: PHONE });
  expect(refusalOf(byBackend)).toBe('409 too_many_devices');
  expect(problemOf(byBackend).detail).toBe('The service holds 3 devices (NDS_MAX_DEVICES).');
  expect(successOf(await wake(running, first, 'aa')).status).toBe('delivered');
  expect((await registerPhone(running, { user: 'a' })).id).toBe(first.id);
  await deleteDevice(running, first.id);
  await registerPhone(running, { user: 'b' });
});
