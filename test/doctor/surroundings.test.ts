// What `nds doctor` says about settings, log, proxy and endpoints, and its exit code.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { startService } from '../../src/main.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { pushesTo, setup } from '../support/doctor.ts';
import { startReceiver } from '../support/event-receiver.ts';
import { createTestLog } from '../support/service.ts';

test('settings come first: each fault separately, and no secret in the words', async () => {
  const { run, examine } = await setup();
  const changed = { APNS_TOPICS: 'com.example.wallet', APNS_KEY_FILE: './key.p8' };
  const { code, byCheck } = await examine(['--deploy'], changed);
  expect(code).toBe(2);
  expect(byCheck.settings).toMatchObject({ code: 'settings_wrong', level: 'broken' });
  const { stdout } = await run([], changed);
  expect(stdout).toMatch(/APNS_TOPICS is not a setting of this service; did you mean\s+APNS_TOPIC/);
  expect(stdout).toContain('APNS_KEY and APNS_KEY_FILE are both set');
  expect(stdout).not.toMatch(/PRIVATE KEY|a secret for tests/);
  expect(stdout).toContain('ok       database:');
});

test('reads the log of a running service, but not with another secret', async () => {
  const { sandbox, environment, examine } = await setup();
  const clock = createSystemClock();
  const prepared = await prepare(environment, clock);
  const service = await startService(prepared, createTestLog(), { clock, proves: false });
  onTestFinished(() => service.stop());
  const token = 'ab'.repeat(32);
  const pushed = await fetch(`${service.url}/api/v1/notify?platform=ios&token=${token}`, {
    method: 'POST',
    body: '{"template":"payment_received","data":{"payment_hash":"a payment"}}',
  });
  expect(pushed.status).toBe(200);
  await service.settled();
  const { code, byCheck } = await examine([], { NOTIFY_EXTERNAL_URL: service.url });
  expect(code).toBe(0);
  expect(byCheck.database?.text).toMatch(/can be read; last delivery \d{4}-\d\d-\d\dT/);
  expect(byCheck.disk?.text).toContain('enough for NDS_RETENTION');
  expect(byCheck.external_url?.code).toBe('external_url_ok');
  expect(byCheck['default/apns']?.text).toMatch(/it took a push at \d{4}-.* \(topic com.example/);
  expect(sandbox.received()).toHaveLength(1);
  const other = await examine(['--deploy'], { NDS_SECRET: 'another secret, which is wrong' });
  expect(other.code).toBe(2);
  expect(other.byCheck.database?.code).toBe('database_wrong_secret');
});

test('an empty file counts as no database, and another program’s database is a fault', async () => {
  const { folder, examine } = await setup();
  const empty = join(folder, 'empty.sqlite');
  writeFileSync(empty, '');
  const fresh = await examine([], { NDS_DATABASE: empty });
  expect(fresh.byCheck.database).toMatchObject({ code: 'database_new', level: 'ok' });
  expect(readFileSync(empty)).toHaveLength(0);
  const foreign = join(folder, 'foreign.sqlite');
  const db = new Database(foreign);
  db.exec('CREATE TABLE notes (text)');
  db.close();
  const { code, byCheck } = await examine([], { NDS_DATABASE: foreign });
  expect([code, byCheck.database?.level]).toEqual([2, 'broken']);
  expect(byCheck.database?.text).toContain('has the tables of another program');
});

test('asks through the egress proxy, as the service does', async () => {
  const { sandbox, examine } = await setup();
  // Nothing listens there.
  const changed = { HTTPS_PROXY: 'http://127.0.0.1:1' };
  const { byCheck } = await examine([], changed);
  expect(byCheck['default/apns']?.text).toMatch(/: connection_refused$/);
  expect(byCheck['default/fcm']?.code).toBe('fcm_unreachable');
  expect(byCheck.clock?.code).toBe('clock_unknown');
  expect(sandbox.requests()).toEqual([]);
  expect((await examine([], { ...changed, NO_PROXY: '127.0.0.1' })).code).toBe(0);
});

test('warnings end with 1, and with 0 in a deploy', async () => {
  const { sandbox, examine, environment } = await setup();
  // An address where something else answers.
  const changed = { NOTIFY_EXTERNAL_URL: sandbox.controlUrl, NDS_SECRET: '' };
  expect(environment.NDS_SECRET).not.toBe('');
  const { code, byCheck } = await examine([], changed);
  expect(code).toBe(1);
  expect(byCheck.external_url?.code).toBe('external_url_wrong');
  expect(byCheck.secret?.code).toBe('secret_beside_database');
  expect((await examine(['--deploy'], changed)).code).toBe(0);
});

test('without a place to remember it Apple is not asked', async () => {
  const { sandbox, folder, examine } = await setup();
  const changed = { NDS_DATABASE: join(folder, 'ca.pem', 'nds.sqlite') };
  const { byCheck } = await examine([], changed);
  expect(byCheck['default/apns']).toMatchObject({ code: 'apns_not_asked', level: 'warning' });
  expect(byCheck.database?.code).toBe('database_unusable');
  expect(pushesTo(sandbox, 'apns')).toEqual([]);
});

test('judges the addresses of the configured endpoints, and calls none', async () => {
  const { examine } = await setup();
  const receiver = await startReceiver();
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const entry = (name: string, url: string) => ({ name, url: `${url}?key=hidden`, secret });
  const endpoints = [
    entry('own', receiver.url),
    entry('plain', receiver.url.replace('127.0.0.1', '10.0.0.1')),
    entry('public', 'https://192.0.2.1/'),
  ];
  const { code, byCheck } = await examine([], {
    NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
    NDS_ENDPOINTS: JSON.stringify(endpoints),
  });
  expect(code).toBe(1);
  expect(byCheck['endpoint/ep_own']).toMatchObject({ level: 'ok', code: 'endpoint_address_ok' });
  for (const name of ['plain', 'public']) {
    const { text, ...finding } = byCheck[`endpoint/ep_${name}`] ?? {};
    expect(finding).toMatchObject({ level: 'warning', code: 'endpoint_address_refused' });
    expect(text).toBe(
      'its URL must lead to the public internet, or to a network of NDS_ENDPOINT_NETWORKS',
    );
  }
  expect(JSON.stringify(byCheck)).not.toMatch(/hidden|whsec/);
  expect(receiver.received).toEqual([]);
});

test('leaves names that are unknown here to the proxy of events, as the service does', async () => {
  const { examine } = await setup();
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const url = 'https://backend.invalid/nds';
  const NDS_ENDPOINTS = JSON.stringify([{ name: 'far', url, secret }]);
  const alone = await examine([], { NDS_ENDPOINTS });
  expect(alone.byCheck['endpoint/ep_far']?.code).toBe('endpoint_address_refused');
  const NDS_ENDPOINT_PROXY = 'http://nds:hidden@127.0.0.1:1';
  const { byCheck } = await examine([], { NDS_ENDPOINTS, NDS_ENDPOINT_PROXY });
  expect(byCheck['endpoint/ep_far']?.code).toBe('endpoint_address_ok');
  expect(JSON.stringify(byCheck)).not.toContain('hidden');
});
