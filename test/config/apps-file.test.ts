// NDS_APPS_FILE: further apps with credentials of their own, and every fault in it by app and field.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type AppCredentials, loadApps } from '../../src/config/apps.ts';
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

/** Reads a file with this content beside the plain variables. */
function load(
  content: unknown,
  environment: Record<string, string> = BOTH_PROVIDERS,
): { readonly apps: readonly AppCredentials[]; readonly faults: readonly string[] } {
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

test('says what is missing or cannot be read of an app', () => {
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
    expect.stringContaining('must not hold `default`'),
    expect.stringMatching(/none has neither apns nor fcm/),
    expect.stringMatching(/keyless: apns\.key_file is missing/),
    expect.stringMatching(/lost: apns\.key_file names .*missing.*ENOENT/),
    expect.stringMatching(/lost: fcm\.credentials_file names .*missing.*ENOENT/),
    expect.stringMatching(/bare: fcm\.credentials_file is missing/),
    expect.stringMatching(/nameless: .*project/),
  ]);
});

test('takes nothing but a JSON object of apps', () => {
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
