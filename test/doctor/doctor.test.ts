// What `nds doctor` says about the credentials, as an operator or a deploy runs it, against the stand-ins.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startService } from '../../src/main.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { APNS_KEY } from '../support/credentials.ts';
import { pushesTo, setup } from '../support/doctor.ts';
import { createTestLog } from '../support/service.ts';

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

test('a provider that is down does not end a deploy', async () => {
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
  // No question arrived at Apple, so Apple may be asked as soon as it is back.
  await sandbox.refuseConnections('apns', false);
  expect((await examine(['--deploy'])).byCheck['default/apns']?.code).toBe('apns_proven');
});

test.each(['status_503', 'hang', 'reset_connection'] as const)(
  'nor does a provider that answers with %s',
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

test('during a rotation Apple is asked about both keys, and a refused one is a warning while the other works', async () => {
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

test('a project that is not the credential’s is named together with the credential’s', async () => {
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

test('an access token that Google revoked is replaced before anything is reported', async () => {
  const { sandbox, examine } = await setup();
  sandbox.script({ provider: 'fcm', fault: { kind: 'google_error', status: 401 } });
  expect((await examine([])).byCheck['default/fcm']?.code).toBe('fcm_proven');
});
