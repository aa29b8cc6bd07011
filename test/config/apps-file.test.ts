// NDS_APPS_FILE: further apps with credentials of their own, and every fault in it by app and field.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type App, loadApps } from '../../src/config/apps.ts';
import { readSettings } from '../../src/config/config.ts';
import { APNS_KEY, BOTH_PROVIDERS, SERVICE_ACCOUNT } from '../support/credentials.ts';
import { temporaryFolder } from '../support/service.ts';

const APNS = {
  key: APNS_KEY,
  key_id: 'ABC123DEFG',
  team_id: 'DEF123GHIJ',
  topic: 'com.example.second',
  environment: 'production',
};

/** Reads NDS_APPS with only these apps. */
function loadInline(apps: object) {
  const faults: string[] = [];
  const loaded = loadApps(readSettings({ NDS_APPS: JSON.stringify(apps) }), faults);
  return { apps: loaded.apps, faults };
}

/** Reads a file with this content, together with the plain variables. */
function load(
  content: unknown,
  environment: Record<string, string> = BOTH_PROVIDERS,
): { readonly apps: readonly App[]; readonly faults: readonly string[] } {
  const path = join(temporaryFolder(), 'apps.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  const faults: string[] = [];
  const settings = readSettings({ ...environment, NDS_APPS_FILE: path });
  return { apps: loadApps(settings, faults).apps, faults };
}

function writeBeside(name: string, content: string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

test('adds the apps of the file to the default one', () => {
  const { apps, faults } = load({
    second: { apns: APNS },
    third: { fcm: { credentials: SERVICE_ACCOUNT, project: 'another' } },
    'both.of-them_4': {
      apns: { ...APNS, key: undefined, key_file: writeBeside('key.p8', APNS_KEY) },
      fcm: { credentials_file: writeBeside('account.json', JSON.stringify(SERVICE_ACCOUNT)) },
    },
  });
  expect(faults).toEqual([]);
  expect(apps.map(({ name }) => name)).toEqual(['default', 'second', 'third', 'both.of-them_4']);
  const [, second, third, both] = apps;
  expect(second?.apns).toMatchObject({
    key: APNS_KEY,
    keyId: 'ABC123DEFG',
    topic: 'com.example.second',
    endpoint: 'https://api.push.apple.com',
  });
  expect(second?.fcm).toBeUndefined();
  expect(third?.fcm).toMatchObject({
    projectId: 'another',
    endpoint: 'https://fcm.googleapis.com',
  });
  expect(both?.apns?.key).toBe(APNS_KEY);
  expect(both?.fcm).toMatchObject({ projectId: 'wallet-test', credentials: SERVICE_ACCOUNT });
});

test('needs no default app when the file has one', () => {
  const { apps, faults } = load({ second: { apns: APNS } }, {});
  expect([apps.map(({ name }) => name), faults]).toEqual([['second'], []]);
});

test('chooses Apple’s address by the environment, unless an endpoint is named', () => {
  const { apps } = load(
    {
      a: { apns: { ...APNS, environment: 'sandbox' } },
      b: { apns: { ...APNS, endpoint: 'https://localhost:2197' } },
    },
    {},
  );
  expect(apps.map(({ apns }) => apns?.endpoint)).toEqual([
    'https://api.sandbox.push.apple.com',
    'https://localhost:2197',
  ]);
});

test('says what is wrong by app and field, and everything at once', () => {
  const secret = 'c2VjcmV0LXNlY3JldA';
  const { faults } = load({
    default: { apns: APNS },
    'bad name': { apns: APNS },
    ['x'.repeat(65)]: { apns: APNS },
    one: { apns: { ...APNS, key_id: secret, environment: secret } },
    two: { apns: { ...APNS, key: 5 }, other: secret },
    three: { fcm: { credentials: secret } },
    four: { apns: { ...APNS, endpoint: 'http://localhost' } },
  });
  const said = faults.join('\n');
  for (const part of ['bad name', 'one.apns.key_id', 'one.apns.environment', 'two.apns.key']) {
    expect(said).toContain(part);
  }
  for (const part of ['three.fcm.credentials', 'four.apns.endpoint', 'other']) {
    expect(said).toContain(part);
  }
  expect(faults.every((fault) => fault.includes('NDS_APPS_FILE'))).toBe(true);
  expect(said).not.toContain(secret);
});

test('says what is missing or unreadable in an app', () => {
  const missing = join(temporaryFolder(), 'missing');
  const { faults } = load({
    default: { apns: APNS },
    none: {},
    keyless: { apns: { ...APNS, key: undefined } },
    lost: {
      apns: { ...APNS, key: undefined, key_file: missing },
      fcm: { credentials_file: missing },
    },
    bare: { fcm: {} },
    nameless: { fcm: { credentials: { ...SERVICE_ACCOUNT, project_id: undefined } } },
  });
  expect(faults).toEqual([
    expect.stringMatching(/default has credentials, and so have the plain variables/),
    expect.stringMatching(/none has neither apns nor fcm/),
    expect.stringMatching(/keyless: apns\.key_file is missing/),
    expect.stringMatching(/lost: apns\.key_file names .*missing.*ENOENT/),
    expect.stringMatching(/lost: fcm\.credentials_file names .*missing.*ENOENT/),
    expect.stringMatching(/bare: fcm\.credentials_file is missing/),
    expect.stringMatching(/nameless: .*project/),
  ]);
});

test('takes only a JSON object of apps', () => {
  for (const content of [
    '',
    '{',
    '[]',
    '"a"',
    'null',
    '{"a":null}',
    '{"a":[]}',
    '{"a":{"apns":[]}}',
  ]) {
    const { apps, faults } = load(content);
    expect(faults.length, content).toBeGreaterThan(0);
    expect(faults.every((fault) => fault.includes('NDS_APPS_FILE'))).toBe(true);
    expect(apps.map(({ name }) => name)).toEqual(['default']);
  }
  expect(load({}).faults).toEqual([]);
});

test('takes the same JSON from NDS_APPS, and names that variable in faults', () => {
  const { apps, faults } = loadInline({ second: { apns: APNS } });
  expect([apps.map(({ name }) => name), faults]).toEqual([['second'], []]);
  const wrong = loadInline({ second: { apns: { ...APNS, key_id: 'short' } } }).faults;
  expect(wrong).toEqual([expect.stringMatching(/^NDS_APPS: second\.apns\.key_id: must be 10/)]);
  const path: string[] = [];
  loadApps(readSettings({ NDS_APPS: './apps.json' }), path);
  expect(path).toEqual(['NDS_APPS is the path of a file: use NDS_APPS_FILE']);
  const both = readSettings({ NDS_APPS: '{}', NDS_APPS_FILE: './apps.json' });
  expect(both.faults).toEqual(['NDS_APPS and NDS_APPS_FILE are both set: remove one of them']);
});

test('`default` may have only settings beside the plain variables, or everything without them', () => {
  const types = ['payment_received'];
  const beside = load({ default: { types } });
  expect(beside.faults).toEqual([]);
  expect(beside.apps).toMatchObject([{ name: 'default', settings: { types } }]);
  expect(beside.apps[0]?.apns?.topic).toBe('com.example.wallet');
  const alone = loadInline({ default: { apns: APNS, types } });
  expect([alone.apps.length, alone.faults]).toEqual([1, []]);
  expect(loadInline({ default: { types } }).faults).toEqual([
    'NDS_APPS: default has neither apns nor fcm',
  ]);
});

test('reads two keys, both environments and application default credentials', () => {
  const { apps, faults } = loadInline({
    app: {
      apns: {
        ...APNS,
        environment: ['production', 'sandbox'],
        second_key: { key: APNS_KEY, key_id: 'SECONDKEY1' },
      },
      fcm: { application_default: true, project: 'wallet-test' },
    },
  });
  expect(faults).toEqual([]);
  expect(apps[0]?.apns).toMatchObject({
    keyId: 'ABC123DEFG',
    secondKey: { key: APNS_KEY, keyId: 'SECONDKEY1' },
    endpoint: 'https://api.push.apple.com',
    sandboxEndpoint: 'https://api.sandbox.push.apple.com',
  });
  expect(apps[0]?.fcm).toMatchObject({ credentials: 'default', projectId: 'wallet-test' });
});

test('reads the settings of an app as the service uses them', () => {
  const { apps, faults } = loadInline({
    app: {
      apns: APNS,
      types: ['payment_received'],
      titles: { payment_received: { EN: 'In', de: 'Ein' }, tx_confirmed: { loc_key: 'TX' } },
      lifetimes: { swap_updated: '12h' },
      priorities: { payment_failed: 'high' },
      keys: { type: 'kind' },
      analytics_label: true,
      token_rate: '10/0.5',
      token_form: false,
    },
  });
  expect(faults).toEqual([]);
  expect(apps[0]?.settings).toEqual({
    types: ['payment_received'],
    titles: {
      payment_received: { byLanguage: new Map(Object.entries({ en: 'In', de: 'Ein' })) },
      tx_confirmed: { locKey: 'TX' },
    },
    lifetimes: { swap_updated: 12 * 3_600_000 },
    priorities: { payment_failed: 'high' },
    keys: { type: 'kind', payload: 'notification_payload', appData: 'app_data', receipt: 'nds' },
    analytics_label: true,
    token_rate: { burst: 10, perSecond: 0.5 },
    token_form: false,
  });
});

test('says what is wrong with a setting of an app', () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ types: [] }, /app\.types/],
    [{ types: ['a payment'] }, /app\.types\.0: must be the name of a type/],
    [
      { titles: { payment_received: {} } },
      /app\.titles\.payment_received: must be a text, texts by/,
    ],
    [{ titles: { payment_received: { english: 5 } } }, /must be a text, texts by language/],
    [{ titles: { payment_received: { 'not a tag': 'x' } } }, /must be a text, texts by language/],
    [{ lifetimes: { payment_received: '8s' } }, /lifetimes\.payment_received: must be above 8s/],
    [{ lifetimes: { payment_received: 60 } }, /app\.lifetimes\.payment_received/],
    [{ priorities: { payment_received: 'low' } }, /must be high or normal/],
    [{ keys: { type: 'from' } }, /app\.keys\.type: is reserved/],
    [{ keys: { payload: 'google.c' } }, /app\.keys\.payload: is reserved/],
    [{ keys: { app_data: 'aps' } }, /app\.keys\.app_data: is reserved/],
    [{ keys: { type: 'app_data' } }, /app\.keys: must be different names/],
    [{ token_rate: '1' }, /app\.token_rate: must be BURST\/PER_SECOND/],
    [{ token_form: 'off' }, /app\.token_form: must be true or false/],
    [{ apns: { ...APNS, environment: ['sandbox', 'sandbox'] } }, /names one environment twice/],
    [{ apns: { ...APNS, environment: 'both' } }, /environment: must be "production", "sandbox" or/],
    [{ apns: { ...APNS, sandbox_endpoint: 'https://localhost' } }, /only for apps with both/],
    [
      { apns: { ...APNS, second_key: { key_id: 'SECONDKEY1' } } },
      /second_key\.key_file is missing/,
    ],
    [{ fcm: { application_default: true } }, /fcm\.project is required/],
    [
      { fcm: { application_default: true, project: 'p', credentials: SERVICE_ACCOUNT } },
      /application_default must stand without credentials/,
    ],
  ];
  for (const [settings, fault] of cases) {
    const { faults } = loadInline({ app: { apns: APNS, ...settings } });
    expect(faults, JSON.stringify(settings)).toEqual([expect.stringMatching(fault)]);
  }
});
