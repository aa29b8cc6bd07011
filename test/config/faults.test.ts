// Values that are wrong in form or in meaning: each one is reported at start, with its cause, and a single mistake is
// reported once.

import { createPrivateKey } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/config.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { APNS_KEY, BOTH_PROVIDERS, SERVICE_ACCOUNT } from '../support/credentials.ts';
import { temporaryFolder } from '../support/service.ts';

const { GOOGLE_APPLICATION_CREDENTIALS_JSON: ACCOUNT_JSON, ...APNS_ONLY } = BOTH_PROVIDERS;
const { APNS_KEY: _, ...APNS_WITHOUT_KEY } = APNS_ONLY;
const KEY_LONG_ENOUGH = 'a-key-of-16-characters-or-more';

type Variables = Readonly<Record<string, string | undefined>>;

/** The faults of a start of a service that is well configured but for these variables. */
async function faultsOf(changed: Variables, base: Variables = BOTH_PROVIDERS) {
  try {
    const { providers } = await prepare({ ...base, ...changed }, createSystemClock());
    await Promise.all(providers.map(({ provider }) => provider.close()));
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
}

/** Each of these starts must fail with this one fault. */
async function expectOneFault(
  cases: readonly (readonly [Variables, RegExp])[],
  base: Variables = BOTH_PROVIDERS,
): Promise<void> {
  for (const [changed, fault] of cases) {
    const faults = await faultsOf(changed, base);
    expect(faults, String(fault)).toEqual([expect.stringMatching(fault)]);
  }
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

test('a misspelt name is reported with the likely one', async () => {
  await expectOneFault([
    [
      { NDS_DATBASE: './a.sqlite' },
      /^NDS_DATBASE is not a setting .*; did you mean NDS_DATABASE\?$/,
    ],
    [{ NDS_RETENTON: '1d' }, /did you mean NDS_RETENTION\?$/],
    [{ APNS_KEY_PATH: './a.p8' }, /did you mean APNS_KEY_FILE\?$/],
    [{ APNS_BUNDLE: 'com.example' }, /^APNS_BUNDLE is not a setting of this service/],
    [{ FCM_ENDPIONT: 'https://localhost' }, /did you mean FCM_ENDPOINT\?$/],
    [{ NOTIFY_HTTP_ADRESS: ':80' }, /did you mean NOTIFY_HTTP_ADDRESS\?$/],
    [{ NDS_SOMETHING_ELSE_ALTOGETHER: '1' }, /^NDS_SOMETHING_ELSE_ALTOGETHER .* service$/],
  ]);
  expect(await faultsOf({ HOME: '/root', APNSKEY: '1', NDS_UNKNOWN_BUT_EMPTY: ' ' })).toEqual([]);
});

test('what a cluster sets for a service called nds is no misspelling', async () => {
  const variables = {
    NDS_SERVICE_HOST: '10.0.0.11',
    NDS_SERVICE_PORT: '8080',
    NDS_SERVICE_PORT_HTTP: '8080',
    NDS_PORT: 'tcp://10.0.0.11:8080',
    NDS_PORT_8080_TCP: 'tcp://10.0.0.11:8080',
    NDS_PORT_8080_TCP_PROTO: 'tcp',
    NDS_PORT_8080_TCP_PORT: '8080',
    NDS_PORT_8080_TCP_ADDR: '10.0.0.11',
    NDS_METRICS_SERVICE_HOST: '10.0.0.12',
  };
  expect(await faultsOf(variables)).toEqual([]);
});

test('two settings for one thing are reported', async () => {
  await expectOneFault([
    [{ APNS_KEY_FILE: file('key.p8', APNS_KEY) }, /^APNS_KEY and APNS_KEY_FILE are both set/],
    [
      { GOOGLE_APPLICATION_CREDENTIALS: file('account.json', ACCOUNT_JSON) },
      /^GOOGLE_APPLICATION_CREDENTIALS_JSON and GOOGLE_APPLICATION_CREDENTIALS are both set/,
    ],
    [
      { NDS_SOURCES: '{}', NDS_SOURCES_FILE: file('sources.json', '{}') },
      /^NDS_SOURCES and NDS_SOURCES_FILE are both set/,
    ],
  ]);
  const both = {
    beta: {
      fcm: { credentials: SERVICE_ACCOUNT, credentials_file: file('account.json', ACCOUNT_JSON) },
    },
  };
  await expectOneFault([
    [
      { NDS_APPS_FILE: file('apps.json', JSON.stringify(both)) },
      /beta: fcm\.credentials and .*beta: fcm\.credentials_file are both set/,
    ],
  ]);
});

test('a lifetime that leaves no time to send in is reported', async () => {
  for (const lifetime of ['0s', '1s', '5s', '8s']) {
    await expectOneFault([
      [
        { NDS_LIFETIMES: `invoice_request=${lifetime}` },
        /^NDS_LIFETIMES must hold lifetimes above 8s/,
      ],
    ]);
  }
  expect(await faultsOf({ NDS_LIFETIMES: 'invoice_request=9s' })).toEqual([]);
});

test('a type that nobody sends is reported, and types of the caller’s own are taken', async () => {
  const titles = (type: string) => JSON.stringify({ [type]: 'A title' });
  await expectOneFault([
    [{ NDS_TITLES: titles('payment_recieved') }, /NDS_TITLES .*did you mean payment_received\?$/],
    [{ NDS_LIFETIMES: 'swap_update=1h' }, /NDS_LIFETIMES .*did you mean swap_updated\?$/],
    [{ NDS_TITLES: titles('order_shipped') }, /NDS_TITLES names a type that no source sends/],
    [{ NDS_LIFETIMES: 'a=1h,payment_received=60s,a=2h' }, /NDS_LIFETIMES must hold each type once/],
  ]);
  // The `standard` source takes any type, and each device may have a key for it.
  const open = {
    NDS_BACKEND_KEYS: KEY_LONG_ENOUGH,
    NDS_SECRET: KEY_LONG_ENOUGH,
    NOTIFY_EXTERNAL_URL: 'https://nds.example.com',
  };
  for (const type of ['order_shipped', 'payment_refunded']) {
    expect(await faultsOf({ ...open, NDS_TITLES: titles(type) }), type).toEqual([]);
  }
  await expectOneFault([
    [{ ...open, NDS_TITLES: titles('payment_recieved') }, /did you mean payment_received\?$/],
  ]);
});

test('a type that an app names and no source sends is reported with the app and the setting', async () => {
  const apps = (settings: object) => ({ NDS_APPS: JSON.stringify({ default: settings }) });
  const type = 'payment_recieved';
  await expectOneFault([
    [
      apps({ types: [type] }),
      /^NDS_APPS: default: types names a type .*did you mean payment_received\?$/,
    ],
    [apps({ titles: { [type]: 'x' } }), /^NDS_APPS: default: titles names a type/],
    [apps({ lifetimes: { [type]: '1h' } }), /^NDS_APPS: default: lifetimes names a type/],
    [apps({ priorities: { [type]: 'high' } }), /^NDS_APPS: default: priorities names a type/],
  ]);
});

test('a secret that could never be rotated is reported', async () => {
  await expectOneFault([
    [{ NDS_SECRET: 'a secret, with a comma' }, /^NDS_SECRET must not hold commas/],
    [
      { NDS_SECRET_PREVIOUS: 'a secret long enough,short' },
      /^NDS_SECRET_PREVIOUS must hold secrets/,
    ],
  ]);
  const previous = 'a secret long enough , another one long enough';
  const { config, providers } = await prepare(
    { ...BOTH_PROVIDERS, NDS_SECRET_PREVIOUS: previous },
    createSystemClock(),
  );
  await Promise.all(providers.map(({ provider }) => provider.close()));
  // NDS_SECRET itself is read without the blanks around it.
  expect(config.previousSecrets).toEqual(['a secret long enough', 'another one long enough']);
});

test('an empty or unreadable secret file is reported, unless NDS_SECRET makes it needless', async () => {
  const NDS_DATABASE = file('nds.sqlite', '');
  writeFileSync(`${NDS_DATABASE}.secret`, '\n');
  await expectOneFault([
    [{ NDS_DATABASE }, /^the \.secret file beside NDS_DATABASE \(.*nds\.sqlite\) is empty/],
  ]);
  expect(await faultsOf({ NDS_DATABASE, NDS_SECRET: KEY_LONG_ENOUGH })).toEqual([]);
  const folder = file('other.sqlite', '');
  mkdirSync(`${folder}.secret`);
  await expectOneFault([[{ NDS_DATABASE: folder }, /cannot be read \(EISDIR\)/]]);
});

test('an address with a scheme twice is reported', async () => {
  await expectOneFault([
    [
      { NOTIFY_EXTERNAL_URL: 'https://https://nds.example.com' },
      /^NOTIFY_EXTERNAL_URL must hold `\/\/` only once/,
    ],
    [{ NOTIFY_EXTERNAL_URL: 'https://nds.example.com//n' }, /^NOTIFY_EXTERNAL_URL must hold/],
    [
      { FCM_ENDPOINT: 'https://https://fcm.googleapis.com' },
      /^FCM_ENDPOINT must be an https address/,
    ],
  ]);
});

test('a database that is no path is reported by what it is', async () => {
  await expectOneFault([
    [
      { NDS_DATABASE: 'postgres://user:pw@db.internal:5432/nds' },
      /^NDS_DATABASE .*this release does not support PostgreSQL$/,
    ],
    [{ NDS_DATABASE: 'file:/data/nds.sqlite' }, /^NDS_DATABASE must be a plain path/],
  ]);
});

test('a file of authorities that Node would ignore is reported', async () => {
  const { cert } = await generate([{ name: 'commonName', value: 'Test CA' }], { keySize: 2_048 });
  const der = Buffer.from(cert.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  await expectOneFault([
    [{ NDS_PROVIDER_CA_FILE: file('ca.der', der) }, /^NDS_PROVIDER_CA_FILE .*in DER: convert it/],
    [{ NDS_PROVIDER_CA_FILE: file('ca.pem', 'no certificate') }, /holds no certificate in PEM/],
    [{ NDS_PROVIDER_CA_FILE: file('ca.pem', APNS_KEY) }, /holds no certificate in PEM/],
    [
      { NDS_PROVIDER_CA_FILE: file('ca.pem', `${cert}\n${cert.replace('MII', 'AAA')}`) },
      /holds a certificate that cannot be read/,
    ],
  ]);
  expect(await faultsOf({ NDS_PROVIDER_CA_FILE: file('ca.pem', `${cert}\n${cert}`) })).toEqual([]);
});

test('an APNs key is reported by what happened to it, once', async () => {
  const lines = APNS_KEY.trim().split('\n');
  const spelledOut = APNS_KEY.trim().replaceAll('\n', '\\n');
  await expectOneFault([
    [{ APNS_KEY: `"${spelledOut}"` }, /^APNS_KEY has quotes around it/],
    [{ APNS_KEY: `'${APNS_KEY.trim()}'` }, /^APNS_KEY has quotes around it/],
    [{ APNS_KEY: lines.map((line) => `    ${line}`).join('\n') }, /^APNS_KEY has blanks before/],
    [{ APNS_KEY: APNS_KEY.trim().replaceAll('\n', '\\\\n') }, /^APNS_KEY has escapes/],
    [{ APNS_KEY: APNS_KEY.trim().replaceAll('\n', '\\r\\n') }, /^APNS_KEY has escapes/],
    [{ APNS_KEY: Buffer.from(APNS_KEY).toString('base64') }, /^APNS_KEY is the key in base64/],
    [{ APNS_KEY: './AuthKey_ABC123DEFG.p8' }, /^APNS_KEY is the path of a file: use APNS_KEY_FILE/],
  ]);
  await expectOneFault(
    [[{ APNS_KEY_FILE: file('key.p8', `"${APNS_KEY}"`) }, /^the file of APNS_KEY_FILE has quotes/]],
    APNS_WITHOUT_KEY,
  );
  // OpenSSL skips what stands before the key.
  const marked = file('key.p8', `\ufeff${APNS_KEY}`);
  expect(createPrivateKey(APNS_KEY).asymmetricKeyType).toBe('ec');
  expect(await faultsOf({ APNS_KEY_FILE: marked }, APNS_WITHOUT_KEY)).toEqual([]);
});

test('a Google credential is reported by what happened to it, or what it is instead', async () => {
  const name = 'GOOGLE_APPLICATION_CREDENTIALS_JSON';
  const broken = ACCOUNT_JSON.replaceAll('\\n', '\n');
  await expectOneFault([
    [{ [name]: Buffer.from(ACCOUNT_JSON).toString('base64') }, /^GOOGLE_\w+_JSON is base64/],
    [{ [name]: `'${ACCOUNT_JSON}'` }, /^GOOGLE_\w+_JSON has quotes around it/],
    [{ [name]: JSON.stringify(ACCOUNT_JSON) }, /^GOOGLE_\w+_JSON is JSON inside a JSON string/],
    [{ [name]: ACCOUNT_JSON.replaceAll('"', '\\"') }, /^GOOGLE_\w+_JSON has backslashes/],
    [{ [name]: broken }, /^GOOGLE_\w+_JSON has line breaks inside private_key/],
    [
      { [name]: './service-account.json' },
      /is the path of a file: use GOOGLE_APPLICATION_CREDENTIALS$/,
    ],
    [{ [name]: SERVICE_ACCOUNT.private_key }, /^GOOGLE_\w+_JSON is a key in PEM/],
    [
      { [name]: '{"project_info":{"project_number":"1","project_id":"x-y-z"},"client":[]}' },
      /is the app's google-services\.json, not a credential/,
    ],
    [{ [name]: '{"apiKey":"a","projectId":"b"}' }, /is the web app's configuration/],
    [{ [name]: '{"installed":{"client_id":"a"}}' }, /is an OAuth client/],
  ]);
  await expectOneFault(
    [
      [
        { GOOGLE_APPLICATION_CREDENTIALS: file('account.json', `\ufeff${ACCOUNT_JSON}`) },
        /^the file of GOOGLE_APPLICATION_CREDENTIALS begins with a byte order mark/,
      ],
      [
        {
          GOOGLE_APPLICATION_CREDENTIALS: file(
            'account.json',
            Buffer.from(ACCOUNT_JSON, 'utf16le'),
          ),
        },
        /^the file of GOOGLE_APPLICATION_CREDENTIALS is not UTF-8/,
      ],
      [
        { GOOGLE_APPLICATION_CREDENTIALS: file('google-services.json', '{"project_info":{}}') },
        /google-services\.json, not a credential/,
      ],
    ],
    APNS_ONLY,
  );
});

test('a file with a byte order mark is reported by its own variable', async () => {
  await expectOneFault([
    [
      { NDS_SOURCES_FILE: file('a.json', '\ufeff{}') },
      /^the file of NDS_SOURCES_FILE begins with a byte/,
    ],
    [
      { NDS_APPS_FILE: file('a.json', '\ufeff{}') },
      /^the file of NDS_APPS_FILE begins with a byte/,
    ],
  ]);
});

test('one mistake is one fault: what is set is not reported as missing, nor what depends on it', async () => {
  await expectOneFault([
    [
      { APNS_KEY_ID: '"ABC123DEFG"' },
      /^APNS_KEY_ID must be 10 .* quotes around it: remove them\)$/,
    ],
    [{ APNS_KEY_ID: 'abc123defg' }, /^APNS_KEY_ID must be 10 capital letters and digits$/],
    [{ APNS_ENVIRONMENT: 'prod' }, /^APNS_ENVIRONMENT must be production or sandbox$/],
    [{ APNS_KEY_FILE: '/nowhere/key.p8', APNS_KEY: undefined }, /^APNS_KEY_FILE names .*ENOENT/],
    [{ GOOGLE_CLOUD_PROJECT: 'My Wallet' }, /^GOOGLE_CLOUD_PROJECT must be a project id$/],
    [
      {
        NDS_BACKEND_KEYS: KEY_LONG_ENOUGH,
        NDS_SECRET: 'too short',
        NOTIFY_EXTERNAL_URL: 'https://nds.example.com',
      },
      /^NDS_SECRET must have at least 16 characters$/,
    ],
    [
      {
        NDS_BACKEND_KEYS: KEY_LONG_ENOUGH,
        NDS_SECRET: KEY_LONG_ENOUGH,
        NOTIFY_EXTERNAL_URL: 'nds.example.com',
      },
      /^NOTIFY_EXTERNAL_URL must be an http or https URL/,
    ],
    [
      {
        NDS_APPS_FILE: '/nowhere/apps.json',
        NDS_APP_KEYS: `beta=${KEY_LONG_ENOUGH}`,
        NDS_SECRET: KEY_LONG_ENOUGH,
        NOTIFY_EXTERNAL_URL: 'https://nds.example.com',
      },
      /^NDS_APPS_FILE names .*ENOENT/,
    ],
    [{ NDS_SOURCES: '{', NDS_TITLES: '{"order_shipped":"Order shipped"}' }, /^NDS_SOURCES is not/],
  ]);
  const APNS_TEAM_ID = 'short';
  await expectOneFault([[{ APNS_TEAM_ID }, /^APNS_TEAM_ID must be/]], APNS_ONLY);
  // Without a provider that works there is still one that was meant.
  await expectOneFault(
    [[{ GOOGLE_APPLICATION_CREDENTIALS: '/nowhere/a.json' }, /names \/nowhere.*ENOENT/]],
    {},
  );
});

test('a Google project alone means the credentials of the machine, as for breez/notify', async () => {
  expect(await faultsOf({ GOOGLE_CLOUD_PROJECT: 'my-wallet' }, {})).toEqual([]);
});
