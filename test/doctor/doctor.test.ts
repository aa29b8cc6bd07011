// `nds doctor` as an operator or a deploy runs it, against the stand-ins.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import { startService } from '../../src/main.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { APNS_KEY } from '../support/credentials.ts';
import { startReceiver } from '../support/event-receiver.ts';
import { startProgram } from '../support/program.ts';
import { createTestLog, sandboxEnvironment, temporaryFolder } from '../support/service.ts';

const report = z.object({
  exit_code: z.number(),
  findings: z.array(
    z.object({
      check: z.string(),
      code: z.string(),
      level: z.enum(['ok', 'warning', 'broken']),
      text: z.string(),
      remedy: z.string().optional(),
      see: z.string().optional(),
    }),
  ),
});
type Report = z.infer<typeof report>;

interface Setup {
  readonly sandbox: Sandbox;
  readonly folder: string;
  readonly environment: Record<string, string>;
  /** Runs it with these variables changed; an empty one counts as not set. */
  run(
    args: readonly string[],
    changed?: Record<string, string>,
  ): Promise<{ code: number | undefined; stdout: string }>;
  /** The same with `--json`; by the check's name. */
  examine(
    args: readonly string[],
    changed?: Record<string, string>,
  ): Promise<{ code: number | undefined; byCheck: Record<string, Report['findings'][number]> }>;
}

async function setup(): Promise<Setup> {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const folder = temporaryFolder();
  const environment = { ...sandboxEnvironment(sandbox, folder), NOTIFY_EXTERNAL_URL: '' };
  const run = async (args: readonly string[], changed: Record<string, string> = {}) => {
    const program = startProgram({
      args: ['doctor', ...args],
      environment: { ...environment, ...changed },
      folder,
    });
    const { code, stdout, stderr } = await program.ended;
    expect(stderr).toBe('');
    return { code, stdout };
  };
  return {
    sandbox,
    folder,
    environment,
    run,
    examine: async (args, changed) => {
      const { code, stdout } = await run(['--json', ...args], changed);
      const { exit_code, findings } = report.parse(JSON.parse(stdout));
      expect(exit_code).toBe(code);
      return { code, byCheck: Object.fromEntries(findings.map((one) => [one.check, one])) };
    },
  };
}

function pushesTo(sandbox: Sandbox, provider: 'apns' | 'fcm') {
  return sandbox.requests().filter((request) => request.provider === provider);
}

test('proves both credentials by requests that reach no phone', async () => {
  const { sandbox, run } = await setup();
  const { code, stdout } = await run([]);
  expect(code).toBe(0);
  expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  expect(stdout).toContain(
    'ok       default/apns: Apple accepts key SANDBOXK01 of team SANDBOXT01; topic\n' +
      '         com.example.wallet and environment sandbox are not contradicted\n' +
      'ok       default/fcm: Google accepts project nds-sandbox, account\n' +
      '         sandbox@nds-sandbox.iam.gserviceaccount.com',
  );
  expect(sandbox.received()).toEqual([]);
  const [toApple, ...more] = pushesTo(sandbox, 'apns');
  expect(more).toEqual([]);
  expect(toApple).toMatchObject({ status: 400, reason: 'BadDeviceToken' });
  expect(toApple?.token).toMatch(/^[0-9a-f]{64}$/);
  expect(sandbox.stats().apns).toMatchObject({ opened: 1, open: 0 });
});

test('asks Apple at most once in ten minutes, from the command and the service together, and says when it did', async () => {
  const { sandbox, environment, examine } = await setup();
  expect((await examine([])).code).toBe(0);
  const { code, byCheck } = await examine([]);
  expect(code).toBe(0);
  expect(byCheck['default/apns']?.code).toBe('apns_proven');
  expect(byCheck['default/apns']?.text).toMatch(/\(asked less than a minute ago\)$/);
  const log = createTestLog();
  const clock = createSystemClock();
  const service = await startService(await prepare(environment, clock), log, { clock });
  onTestFinished(() => service.stop());
  const proofs = await Promise.all(service.proofs);
  expect(proofs.flatMap(({ findings }) => findings.map(({ code }) => code))).toEqual([
    'apns_proven',
    'fcm_proven',
  ]);
  expect(pushesTo(sandbox, 'apns')).toHaveLength(1);
  // Another key is another question.
  expect((await examine([], { APNS_KEY })).byCheck['default/apns']?.code).toBe('apns_refused');
});

test('a provider that is down ends no deploy', async () => {
  const { sandbox, examine } = await setup();
  await sandbox.refuseConnections('apns', true);
  await sandbox.refuseConnections('fcm', true);
  const { code, byCheck } = await examine([]);
  expect(code).toBe(2);
  expect(byCheck['default/apns']).toMatchObject({ code: 'apns_unreachable', level: 'broken' });
  const deploy = await examine(['--deploy']);
  expect(deploy.code).toBe(0);
  expect(deploy.byCheck['default/apns']).toMatchObject({
    code: 'apns_unreachable',
    level: 'warning',
  });
  expect(deploy.byCheck['default/fcm']).toMatchObject({
    code: 'fcm_unreachable',
    level: 'warning',
  });
  expect(deploy.byCheck.clock?.code).toBe('clock_unknown');
  // Nothing came to Apple, so that it may be asked as soon as it is back.
  await sandbox.refuseConnections('apns', false);
  expect((await examine(['--deploy'])).byCheck['default/apns']?.code).toBe('apns_proven');
});

test.each(['status_503', 'hang', 'reset_connection'] as const)(
  'nor does one that answers by %s',
  async (kind) => {
    const { sandbox, examine } = await setup();
    await sandbox.startOutage('apns', { kind });
    await sandbox.startOutage('fcm', { kind });
    const { code, byCheck } = await examine(['--deploy']);
    expect(code).toBe(0);
    expect(byCheck['default/apns']?.code).toBe('apns_unreachable');
    expect(byCheck['default/fcm']?.code).toBe('fcm_unreachable');
  },
);

test('a refused APNs key ends a deploy and is named', async () => {
  const { examine, run } = await setup();
  const { code, byCheck } = await examine(['--deploy'], { APNS_KEY, APNS_KEY_ID: 'ABC123DEFG' });
  expect(code).toBe(2);
  expect(byCheck['default/fcm']?.level).toBe('ok');
  expect(byCheck['default/apns']).toEqual({
    check: 'default/apns',
    code: 'apns_refused',
    level: 'broken',
    text: 'Apple refuses key ABC123DEFG of team SANDBOXT01 (sandbox): InvalidProviderToken',
    remedy:
      'Check key, key id and team id, that the key was not revoked, and the clock of this machine.',
    see: 'docs/troubleshooting.md#apns_refused',
  });
  const { stdout } = await run(['--deploy'], { APNS_KEY, APNS_KEY_ID: 'ABC123DEFG' });
  expect(stdout).toContain('broken   default/apns: Apple refuses key ABC123DEFG');
  expect(stdout).toContain('\n         docs/troubleshooting.md#apns_refused\n');
});

test('of two keys in a rotation each is asked about, and a refused one warns while the other works', async () => {
  const { sandbox, folder, examine } = await setup();
  const { keyId, key, teamId, topic } = sandbox.apns;
  const app = {
    apns: {
      ...{ key: APNS_KEY, key_id: 'ABC123DEFG', team_id: teamId, topic },
      second_key: { key, key_id: keyId },
      environment: 'sandbox',
      endpoint: sandbox.apns.url,
    },
  };
  const file = join(folder, 'apps.json');
  writeFileSync(file, JSON.stringify({ wallet: app }));
  const { code, byCheck } = await examine([], { NDS_APPS_FILE: file });
  expect(code).toBe(1);
  expect(byCheck['wallet/apns']).toMatchObject({ code: 'apns_key_refused', level: 'warning' });
  expect(byCheck['wallet/apns']?.text).toContain('key ABC123DEFG');
  expect(byCheck['wallet/apns (second key)']?.code).toBe('apns_proven');
});

test('a refused topic is named', async () => {
  const { examine } = await setup();
  const { code, byCheck } = await examine(['--deploy'], { APNS_TOPIC: 'com.example.other' });
  expect(code).toBe(2);
  expect(byCheck['default/apns']?.text).toBe(
    'Apple refuses topic com.example.other for key SANDBOXK01 of team SANDBOXT01: TopicDisallowed',
  );
});

test('a project that is not the credential’s is named beside it', async () => {
  const { examine } = await setup();
  const changed = { GOOGLE_CLOUD_PROJECT: 'another-wallet' };
  const { code, byCheck } = await examine(['--deploy'], changed);
  expect(code).toBe(2);
  expect(byCheck['default/fcm']).toMatchObject({ code: 'fcm_refused', level: 'broken' });
  expect(byCheck['default/fcm']?.text).toContain(
    'project another-wallet (the credential is of project nds-sandbox)',
  );
});

test('a deleted key of the service account ends a deploy', async () => {
  const { sandbox, examine } = await setup();
  sandbox.script({ provider: 'oauth', times: 10, fault: { kind: 'oauth_error' } });
  const { code, byCheck } = await examine(['--deploy']);
  expect(code).toBe(2);
  expect(byCheck['default/fcm']).toMatchObject({ code: 'fcm_refused' });
  expect(byCheck['default/fcm']?.text).toContain('oauth_invalid_grant');
});

test('an access token that Google takes back is replaced before anything is said', async () => {
  const { sandbox, examine } = await setup();
  sandbox.script({ provider: 'fcm', fault: { kind: 'google_error', status: 401 } });
  expect((await examine([])).byCheck['default/fcm']?.code).toBe('fcm_proven');
});

test('settings come first: each fault by itself, and no secret in the words', async () => {
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

test('reads the log of a running service, and of one with another secret not', async () => {
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

test('asks through the egress proxy, as the service does', async () => {
  const { sandbox, examine } = await setup();
  // Nobody listens there.
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
