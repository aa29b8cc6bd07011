// Every secret in every variable: keys are often put into the variables for their paths, and the start must not repeat
// any of them.

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { explain } from '../../src/cli/explain.ts';
import { looksLikePath } from '../../src/config/files.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { APNS_KEY, BOTH_PROVIDERS, SERVICE_ACCOUNT } from '../support/credentials.ts';
import { startProgram } from '../support/program.ts';
import fc from '../support/properties.ts';
import { temporaryFolder } from '../support/service.ts';

const PASSWORD = 'S3cretPassw0rdS3cret';
const JSON_TEXT = JSON.stringify(SERVICE_ACCOUNT);

/** What an operator may paste, by its kind. */
const SECRETS: Readonly<Record<string, string>> = {
  'APNs key': APNS_KEY,
  'APNs key on one line': APNS_KEY.replaceAll('\n', ' '),
  'APNs key with \\n': APNS_KEY.replaceAll('\n', '\\n'),
  'APNs key in quotes': `"${APNS_KEY}"`,
  'APNs key in base64': Buffer.from(APNS_KEY).toString('base64'),
  'middle of the APNs key': APNS_KEY.split('\n')[1] ?? '',
  'service account': JSON_TEXT,
  'service account over lines': JSON.stringify(SERVICE_ACCOUNT, undefined, 2),
  'service account in quotes': `'${JSON_TEXT}'`,
  'service account escaped': JSON.stringify(JSON_TEXT),
  'service account in base64': Buffer.from(JSON_TEXT).toString('base64'),
  sources: JSON.stringify({ secrets: { default: { resmic: [PASSWORD] } } }),
  'sources over lines': `{\n  "domains": { "a.example": { "secrets": ["${PASSWORD}"] } }\n}`,
  apps: JSON.stringify({ beta: { fcm: { credentials: SERVICE_ACCOUNT } } }),
  'PostgreSQL URL': `postgres://nds:${PASSWORD}@db.internal:5432/nds`,
  'PostgreSQL URL without its scheme': `nds:${PASSWORD}@db.internal:5432/nds`,
  'web address with a password': `https://nds:${PASSWORD}@nds.example.com`,
  password: PASSWORD,
  'password in hex': randomBytes(32).toString('hex'),
  'password in base64': randomBytes(32).toString('base64'),
  'password in base64url': randomBytes(32).toString('base64url'),
  'Standard Webhooks key': `whsec_${randomBytes(24).toString('base64')}`,
  'app key': `default=${PASSWORD}`,
  'two keys': `${PASSWORD}A=,${PASSWORD}B==`,
  'Google access token': `ya29.${randomBytes(60).toString('base64url')}`,
  JWT: `eyJhbGciOiJFUzI1NiJ9.${randomBytes(40).toString('base64url')}.${randomBytes(64).toString('base64url')}`,
};

/** The parts of a secret that must not be printed: every run of characters that only it has. */
function partsOf(secret: string): readonly string[] {
  const runs = secret.match(/[A-Za-z0-9+/_-]{16,}/g) ?? [];
  const known = [JSON.stringify(Object.keys(SERVICE_ACCOUNT)), 'APPLICATION', SERVICE_ACCOUNT.type];
  return runs.filter((run) => !known.some((text) => text.includes(run)));
}

async function outputOf(environment: Record<string, string>): Promise<string> {
  try {
    const { providers } = await prepare(environment, createSystemClock());
    await Promise.all(providers.map(({ provider }) => provider.close()));
    return '';
  } catch (error) {
    return explain(error);
  }
}

for (const [what, secret] of Object.entries(SECRETS)) {
  test(`no variable repeats it: ${what}`, async () => {
    const parts = partsOf(secret);
    expect(parts).not.toEqual([]);
    for (const { name } of SETTINGS) {
      for (const others of [{}, BOTH_PROVIDERS]) {
        const output = await outputOf({ ...others, [name]: secret });
        for (const part of parts) expect(output, `${name}: ${part}`).not.toContain(part);
      }
    }
  });
}

test('the real program repeats nothing either, on any stream', async () => {
  const { PORT: _, ...everywhere } = Object.fromEntries(
    SETTINGS.map(({ name }) => [name, APNS_KEY]),
  );
  const { code, stdout, stderr } = await startProgram({
    args: ['serve'],
    environment: everywhere,
    folder: temporaryFolder(),
  }).ended;
  expect(code).toBe(1);
  expect(stderr).toContain('NDS_PROVIDER_CA_FILE holds the content itself');
  for (const part of partsOf(APNS_KEY)) expect(stdout + stderr).not.toContain(part);
});

test('says which variable the content belongs to', async () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['APNS_KEY_FILE', APNS_KEY, 'use APNS_KEY'],
    ['GOOGLE_APPLICATION_CREDENTIALS', `'${JSON_TEXT}'`, 'use GOOGLE_APPLICATION_CREDENTIALS_JSON'],
    ['NDS_SOURCES_FILE', SECRETS.sources ?? '', 'use NDS_SOURCES'],
    ['NDS_APPS_FILE', SECRETS.apps ?? '', 'use NDS_APPS'],
    ['NDS_PROVIDER_CA_FILE', '-----BEGIN CERTIFICATE-----', 'write it to a file'],
  ];
  for (const [name, content, remedy] of cases) {
    expect(await outputOf({ [name]: content })).toContain(
      `${name} holds the content itself where a path belongs: ${remedy}`,
    );
  }
});

test('a database must be a path, and no file is made whose name is a key or URL', async () => {
  for (const value of [
    'postgres://user:password@db.internal:5432',
    'postgresql:///nds',
    'file:/data/nds.sqlite',
    'sqlite:///data/nds.sqlite',
    ':memory:',
    '/data/',
    randomBytes(32).toString('hex'),
  ]) {
    expect(await outputOf({ NDS_DATABASE: value }), value).toContain('NDS_DATABASE must be ');
  }
  for (const value of [
    'nds.sqlite',
    'nds',
    './nds',
    'data/nds',
    '/data/nds',
    '/mnt/pvc-0A1b2C3d4E5f6G7h8I9j/nds.sqlite',
    'C:\\nds\\log.db',
  ]) {
    expect(await outputOf({ ...BOTH_PROVIDERS, NDS_DATABASE: value }), value).toBe('');
  }
});

test('a random secret never looks like a path, and paths do', () => {
  const bytes = fc.uint8Array({ minLength: 12, maxLength: 64 });
  fc.assert(
    fc.property(bytes, (value) => {
      const hex = Buffer.from(value).toString('hex');
      expect(looksLikePath(hex)).toBe(false);
      expect(looksLikePath(`whsec_${hex}`)).toBe(false);
    }),
  );
  for (const path of [
    './AuthKey_ABC123DEFG.p8',
    'AuthKey_ABC123DEFG.p8',
    '/run/secrets/apns_key',
    '/etc/ssl/certs/Our Company CA.pem',
    '../schlüssel/konto.json',
    'C:\\keys\\service-account.json',
  ]) {
    expect(looksLikePath(path), path).toBe(true);
  }
});
