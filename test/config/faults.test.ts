// Values that are wrong in format or meaning: each one is reported at start, with its cause, and a single mistake is
// reported once.

import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { APNS_KEY, BOTH_PROVIDERS, SERVICE_ACCOUNT } from '../support/credentials.ts';
import { expectOneFault, faultsOf, file } from './start-faults.ts';

const { GOOGLE_APPLICATION_CREDENTIALS_JSON: ACCOUNT_JSON, ...APNS_ONLY } = BOTH_PROVIDERS;
const KEY_LONG_ENOUGH = 'a-key-of-16-characters-or-more';

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

test('variables that a cluster sets for a service called nds are not misspellings', async () => {
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

test('a lifetime that leaves no time to send is reported', async () => {
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

test('a type that no source sends is reported, and the caller’s own types are taken', async () => {
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
  // NDS_SECRET itself is read without the spaces around it.
  expect(config.previousSecrets).toEqual(['a secret long enough', 'another one long enough']);
});

test('an empty or unreadable secret file is reported, unless NDS_SECRET is set instead', async () => {
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

test('an address with two schemes is reported', async () => {
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

test('a database that is not a path is reported by what it is', async () => {
  await expectOneFault([
    [
      { NDS_DATABASE: 'postgres://user:pw@db.internal:5432', NDS_SECRET: 'a secret for tests' },
      /^NDS_DATABASE must be postgres:\/\/user:password@host:port\/database$/,
    ],
    [
      { NDS_DATABASE: 'postgres://user:pw@db.internal:5432/nds' },
      /^NDS_SECRET is required by NDS_DATABASE=postgres:/,
    ],
    [{ NDS_DATABASE: 'file:/data/nds.sqlite' }, /^NDS_DATABASE must be a plain path/],
    [
      { NDS_DATABASE: 'mysql://user:pw@db.internal/nds' },
      /^NDS_DATABASE must be the path of a SQLite file, or postgres:/,
    ],
    [
      {
        NDS_DATABASE: 'postgres://db.internal',
        NDS_SECRET: KEY_LONG_ENOUGH,
        NDS_NODE_ADDRESS: ':9092',
      },
      /^NDS_DATABASE must be postgres:/,
    ],
  ]);
});

test('the TLS settings of a PostgreSQL must be unambiguous, and their files must exist', async () => {
  const certificate = file('ca.pem', '');
  const server = (query: string) => ({
    NDS_DATABASE: `postgres://user:pw@db.internal:5432/nds?${query}`,
    NDS_SECRET: KEY_LONG_ENOUGH,
  });
  const mode = /^NDS_DATABASE must have sslmode=disable, require, verify-ca or verify-full$/;
  await expectOneFault([
    [server('sslmode=bogus'), mode],
    [server('sslmode=prefer'), mode],
    [server('sslmode=verify-ca'), /^NDS_DATABASE must have sslrootcert=FILE/],
    [server('sslrootcert=/nowhere/ca.pem'), /^NDS_DATABASE has an sslrootcert that cannot be read/],
  ]);
  for (const query of [
    'sslmode=disable',
    'sslmode=require',
    'sslmode=verify-full',
    `sslmode=verify-ca&sslrootcert=${certificate}`,
  ]) {
    expect(await faultsOf(server(query)), query).toEqual([]);
  }
});

test('an address for other machines is refused if there are none, and at a port that others use', async () => {
  const shared = {
    NDS_DATABASE: 'postgres://user:pw@db.internal:5432/nds',
    NDS_SECRET: 'a secret for tests',
  };
  const ownPort = /^NDS_NODE_ADDRESS must have a port of its own/;
  await expectOneFault([
    [{ NDS_NODE_ADDRESS: ':9092' }, /^NDS_NODE_ADDRESS needs NDS_DATABASE=postgres:/],
    [{ ...shared, NDS_NODE_ADDRESS: '10.0.0.1:8080' }, ownPort],
    [{ ...shared, NDS_NODE_ADDRESS: ':81', NOTIFY_HTTP_ADDRESS: '10.0.0.1:81' }, ownPort],
    [{ ...shared, NDS_NODE_ADDRESS: ':9091', NDS_METRICS_ADDRESS: ':9091' }, ownPort],
    [{ ...shared, NDS_NODE_ADDRESS: '9092' }, /^NDS_NODE_ADDRESS must be HOST:PORT or :PORT/],
  ]);
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

test('one mistake is one fault: a variable that is set is not reported as missing, nor what depends on it', async () => {
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
  // A provider that is configured wrongly still counts as configured.
  await expectOneFault(
    [[{ GOOGLE_APPLICATION_CREDENTIALS: '/nowhere/a.json' }, /names \/nowhere.*ENOENT/]],
    {},
  );
});

test('a Google project alone means the credentials of the machine, as for breez/notify', async () => {
  expect(await faultsOf({ GOOGLE_CLOUD_PROJECT: 'my-wallet' }, {})).toEqual([]);
});
