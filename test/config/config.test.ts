// The configuration: which values each variable takes, and that all faults are reported at once, in words that reveal
// no secret.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  ConfigError,
  type Environment,
  parseConfig,
  readSettings,
} from '../../src/config/config.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { APNS_KEY, BOTH_PROVIDERS, SERVICE_ACCOUNT } from '../support/credentials.ts';
import { temporaryFolder } from '../support/service.ts';

/** The faults of a start with this environment; none if it would start. */
async function faultsOf(environment: Environment): Promise<readonly string[]> {
  try {
    const { providers } = await prepare(environment, createSystemClock());
    await Promise.all(providers.map(({ provider }) => provider.close()));
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) expect(error.message).toContain(fault);
    return error.faults;
  }
}

function file(name: string, content: string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

test('every default is a value that its own variable takes', () => {
  for (const setting of SETTINGS) {
    const written = setting.schema.safeParse(setting.defaultText);
    expect(written.success, setting.name).toBe(true);
    if (setting.example !== undefined) {
      expect(setting.schema.safeParse(setting.example).success, setting.name).toBe(true);
    }
  }
  expect(readSettings({}).faults).toEqual([]);
  expect(parseConfig({})).toMatchObject({
    port: 8_080,
    database: './data/nds.sqlite',
    answerDeadlineMs: 5_000,
    attemptTimeoutMs: 2_000,
    replyDeadlineMs: 50_000,
    retentionMs: 30 * 86_400_000,
    maxReplyWaits: 10_000,
    tokenRate: { burst: 120, perSecond: 2 },
    lifetimesMs: {},
    titles: {},
    httpAddress: undefined,
    externalUrl: undefined,
  });
});

test('every variable has one name, and an empty one counts as absent', () => {
  const names = SETTINGS.map((setting) => setting.name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^[A-Z][A-Z0-9_]*$/.test(name))).toEqual([]);
  const blank = Object.fromEntries(names.map((name, index) => [name, ' '.repeat(index % 3)]));
  expect(parseConfig(blank)).toEqual(parseConfig({}));
});

test('names every fault at once: values, files, keys, parts', async () => {
  const folder = temporaryFolder();
  const faults = await faultsOf({
    PORT: '65536',
    NOTIFY_EXTERNAL_URL: 'nds.example.com',
    NDS_SECRET: 'too short',
    NDS_RETENTION: '30',
    NDS_MAX_IN_FLIGHT: '0',
    NDS_TOKEN_RATE: '60',
    NDS_LIFETIMES: 'payment_received=1y',
    NDS_TITLES: '{"payment_received":1}',
    NDS_LOG_LEVEL: 'loud',
    APNS_KEY_ID: 'short',
    APNS_TOPIC: 'com.example.wallet',
    APNS_KEY_FILE: join(folder, 'missing.p8'),
    GOOGLE_APPLICATION_CREDENTIALS: folder,
    NDS_PROVIDER_CA_FILE: join(folder, 'missing.pem'),
    NDS_APPS_FILE: join(folder, 'missing.json'),
    NDS_SOURCES: '{',
    NDS_BACKEND_KEYS: 'short',
  });
  for (const name of [
    'PORT',
    'NOTIFY_EXTERNAL_URL',
    'NDS_SECRET',
    'NDS_RETENTION',
    'NDS_MAX_IN_FLIGHT',
    'NDS_TOKEN_RATE',
    'NDS_LIFETIMES',
    'NDS_TITLES',
    'NDS_LOG_LEVEL',
    'APNS_KEY_ID',
    'APNS_TEAM_ID',
    'APNS_ENVIRONMENT',
    'APNS_KEY_FILE',
    'GOOGLE_APPLICATION_CREDENTIALS',
    'NDS_PROVIDER_CA_FILE',
    'NDS_APPS_FILE',
    'NDS_SOURCES',
    'NDS_BACKEND_KEYS',
  ]) {
    expect(
      faults.filter((fault) => fault.includes(name)),
      name,
    ).not.toEqual([]);
  }
  expect(faults.filter((fault) => fault.includes('missing.p8'))).toHaveLength(1);
});

test('says what to set when no provider is configured, and only then', async () => {
  const [fault, ...others] = await faultsOf({});
  expect(others).toEqual([]);
  for (const name of ['APNS_KEY_FILE', 'APNS_ENVIRONMENT', 'GOOGLE_APPLICATION_CREDENTIALS']) {
    expect(fault).toContain(name);
  }
  expect(fault).toContain('npm run demo');
  expect(await faultsOf(BOTH_PROVIDERS)).toEqual([]);
});

test('names the missing parts of an incomplete APNs configuration', async () => {
  const { GOOGLE_APPLICATION_CREDENTIALS_JSON: _, ...apns } = BOTH_PROVIDERS;
  expect(await faultsOf(apns)).toEqual([]);
  for (const name of Object.keys(apns)) {
    const faults = await faultsOf({ ...apns, [name]: undefined });
    expect(faults, name).toEqual([expect.stringContaining(name)]);
  }
});

test('starts with the unchanged environment of breez/notify', async () => {
  const environment = {
    NOTIFY_HTTP_ADDRESS: ':8080',
    NOTIFY_EXTERNAL_URL: 'https://notify.example.com/',
    GOOGLE_CLOUD_PROJECT: 'wallet-test',
  };
  const json = JSON.stringify(SERVICE_ACCOUNT);
  for (const credentials of [
    { GOOGLE_APPLICATION_CREDENTIALS_JSON: json },
    { GOOGLE_APPLICATION_CREDENTIALS: file('account.json', json) },
  ]) {
    expect(await faultsOf({ ...environment, ...credentials })).toEqual([]);
  }
  expect(parseConfig(environment).externalUrl).toBe('https://notify.example.com');
});

test('takes a key whose line breaks are escaped, as some consoles store it', async () => {
  const spelledOut = APNS_KEY.replaceAll('\n', '\\n');
  expect(await faultsOf({ ...BOTH_PROVIDERS, APNS_KEY: spelledOut })).toEqual([]);
});

test('says what is wrong with a credential and repeats nothing of it', async () => {
  const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQ';
  const pem = (label: string) => `-----BEGIN ${label}-----\n${secret}\n-----END ${label}-----\n`;
  const account = (changed: object) => JSON.stringify({ ...SERVICE_ACCOUNT, ...changed });
  const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ APNS_KEY: secret }, /APNs key is not PEM/],
    [{ APNS_KEY: pem('PRIVATE KEY') }, /APNs key cannot be read/],
    [{ APNS_KEY: pem('CERTIFICATE') }, /APNs key is not a PKCS#8/],
    [{ APNS_KEY: SERVICE_ACCOUNT.private_key }, /APNs key/],
    [{ GOOGLE_APPLICATION_CREDENTIALS_JSON: `{"private_key":"${secret}"` }, /is not valid JSON/],
    [{ GOOGLE_APPLICATION_CREDENTIALS_JSON: `"${secret}"` }, /must hold a JSON object/],
    [
      { GOOGLE_APPLICATION_CREDENTIALS_JSON: account({ client_email: undefined }) },
      /lacks client_email/,
    ],
    [
      { GOOGLE_APPLICATION_CREDENTIALS_JSON: account({ private_key: pem('PRIVATE KEY') }) },
      /no RSA key/,
    ],
    [{ GOOGLE_APPLICATION_CREDENTIALS_JSON: account({ type: secret }) }, /type that is none of/],
    [
      { GOOGLE_APPLICATION_CREDENTIALS_JSON: account({ project_id: undefined }) },
      /GOOGLE_CLOUD_PROJECT/,
    ],
    [{ GOOGLE_APPLICATION_CREDENTIALS_JSON: `{"apiKey":"${secret}","project_id":"a"}` }, /web app/],
    [
      {
        GOOGLE_APPLICATION_CREDENTIALS: file('bad.json', `{"key":"${secret}"`),
        GOOGLE_APPLICATION_CREDENTIALS_JSON: '',
      },
      /not valid JSON/,
    ],
    [{ NDS_SECRET: 'c2VjcmV0' }, /^NDS_SECRET must have at least 16 characters$/],
    [{ NDS_BACKEND_KEYS: 'c2VjcmV0' }, /NDS_BACKEND_KEYS/],
    [{ NDS_APP_KEYS: `${secret}` }, /NDS_APP_KEYS/],
    [{ NDS_SOURCES: `{"secrets":"${secret}"}` }, /NDS_SOURCES/],
    [{ NDS_SOURCES: `{"secrets":${secret}` }, /NDS_SOURCES/],
  ];
  for (const [changed, expected] of cases) {
    const faults = await faultsOf({ ...BOTH_PROVIDERS, ...changed });
    expect(
      faults.filter((fault) => expected.test(fault)),
      String(expected),
    ).not.toEqual([]);
    const said = faults.join('\n');
    expect(said, String(expected)).not.toContain('c2VjcmV0');
    expect(said).not.toContain(SERVICE_ACCOUNT.private_key.split('\n')[1]);
  }
});

test('says which file cannot be read and why', async () => {
  const folder = join(temporaryFolder(), 'folder');
  mkdirSync(folder);
  const missing = join(folder, 'missing');
  for (const [name, others] of [
    ['APNS_KEY_FILE', { APNS_KEY: undefined }],
    ['GOOGLE_APPLICATION_CREDENTIALS', { GOOGLE_APPLICATION_CREDENTIALS_JSON: undefined }],
    ['NDS_APPS_FILE', {}],
    ['NDS_SOURCES_FILE', {}],
    ['NDS_PROVIDER_CA_FILE', {}],
  ] as const) {
    for (const path of [missing, folder]) {
      const faults = await faultsOf({ ...BOTH_PROVIDERS, ...others, [name]: path });
      expect(
        faults.filter((fault) => fault.startsWith(name)),
        name,
      ).toHaveLength(1);
      expect(faults.join('\n')).toContain(path);
    }
  }
});

test('refuses addresses that nothing can listen at or be added to', () => {
  const good: readonly (readonly [string, string])[] = [
    ['NOTIFY_HTTP_ADDRESS', ':8080'],
    ['NOTIFY_HTTP_ADDRESS', 'localhost:0'],
    ['NOTIFY_HTTP_ADDRESS', '[::1]:65535'],
    ['NOTIFY_HTTP_ADDRESS', '[::ffff:127.0.0.1]:80'],
    ['NOTIFY_EXTERNAL_URL', 'http://localhost:8080'],
    ['NOTIFY_EXTERNAL_URL', 'https://example.com/nds/'],
    ['APNS_ENDPOINT', 'https://api.push.apple.com:2197/'],
    ['FCM_ENDPOINT', 'https://127.0.0.1:8443'],
    ['HTTPS_PROXY', 'http://user:a%25b@proxy:3128'],
  ];
  const bad: readonly (readonly [string, string])[] = [
    ['NOTIFY_HTTP_ADDRESS', '8080'],
    ['NOTIFY_HTTP_ADDRESS', ':65536'],
    ['NOTIFY_HTTP_ADDRESS', '::1:8080'],
    ['NOTIFY_HTTP_ADDRESS', 'http://localhost:8080'],
    ['PORT', '-1'],
    ['PORT', '80a'],
    ['NOTIFY_EXTERNAL_URL', 'ftp://example.com'],
    ['NOTIFY_EXTERNAL_URL', 'https://example.com/?a=b'],
    ['NOTIFY_EXTERNAL_URL', 'https://example.com/#top'],
    ['NOTIFY_EXTERNAL_URL', 'https://user:password@example.com'],
    ['APNS_ENDPOINT', 'http://api.push.apple.com'],
    ['APNS_ENDPOINT', 'https://api.push.apple.com/3/device'],
    ['FCM_ENDPOINT', 'fcm.googleapis.com'],
    ['HTTPS_PROXY', 'socks5://proxy:1080'],
    ['HTTPS_PROXY', 'http://user:a%b@proxy:3128'],
    ['NDS_ENDPOINT_PROXY', 'http://a%b:password@proxy:3128'],
    ['NDS_TRUSTED_ADDRESS_HEADER', 'X Forwarded For'],
  ];
  for (const [name, value] of good) expect(readSettings({ [name]: value }).faults).toEqual([]);
  for (const [name, value] of bad) {
    const { faults } = readSettings({ [name]: value });
    expect(faults, value).toEqual([expect.stringMatching(new RegExp(`^${name} must `))]);
  }
});
