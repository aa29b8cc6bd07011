// `nds config`: what is set and where, and never a secret.

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SETTINGS } from '../../src/config/settings.ts';
import { expectReadable, runCommand } from '../support/command.ts';
import { APNS_KEY, BOTH_PROVIDERS, SERVICE_ACCOUNT } from '../support/credentials.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { temporaryFolder } from '../support/service.ts';

test('says what is set, from where, and what is wrong', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, '.env'), 'NDS_GRACE=4s\nPORT=9000\nNDS_SECRET=only-in-the-file-1\n');
  const environment = {
    ...{ PORT: '8081', NDS_DATABASE: '/data/nds.sqlite', NDS_TITEL: '{}' },
    NOTIFY_WORKERS_NUM: '10',
  };
  const done = await runCommand(['config'], { environment, folder });
  expect([done.code, done.stderr]).toEqual([1, '']);
  expectReadable(done);
  expect(done.stdout.split('\n')).toEqual([
    'PORT=8081  [environment]',
    'NDS_DATABASE=/data/nds.sqlite  [environment]',
    'NDS_SECRET=(set, not shown)  [.env]',
    'NDS_GRACE=4s  [.env]',
    'NOTIFY_WORKERS_NUM is ignored: as many pushes are in flight as come, up to',
    '  NDS_MAX_IN_FLIGHT. Remove it.',
    '',
    'Faults:',
    '- NDS_TITEL is not a setting of this service; did you mean NDS_TITLES?',
    '- No provider is configured. For APNs set APNS_KEY_FILE, APNS_KEY_ID,',
    '  APNS_TEAM_ID, APNS_TOPIC and APNS_ENVIRONMENT; for FCM set',
    '  GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_APPLICATION_CREDENTIALS_JSON. To try',
    '  the service without accounts run `npm run demo`.',
    '',
    '`nds config --all` lists every variable.',
    '',
  ]);
});

test('prints all of this as JSON', async () => {
  const folder = temporaryFolder();
  const { stdout, code } = await runCommand(['config', '--json'], {
    environment: {
      NDS_GRACE: '1s',
      NDS_SECRET: 'a secret of this test',
      GOOGLE_APPLICATION_CREDENTIALS_JSON: JSON.stringify(SERVICE_ACCOUNT),
    },
    folder,
  });
  expect([code, JSON.parse(stdout)]).toEqual([
    0,
    {
      settings: [
        { name: 'NDS_SECRET', from: 'environment' },
        { name: 'GOOGLE_APPLICATION_CREDENTIALS_JSON', from: 'environment' },
        { name: 'NDS_GRACE', from: 'environment', value: '1s' },
      ],
      ignored: [],
      faults: [],
    },
  ]);
});

test('shows no secret, whichever variable it was pasted into', async () => {
  const secrets = [
    'S3cretPassw0rdS3cret',
    randomBytes(32).toString('hex'),
    `default=${randomBytes(32).toString('hex')}`,
    `alpha=${randomBytes(16).toString('hex')},beta=${randomBytes(16).toString('hex')}`,
    randomBytes(32).toString('base64'),
    randomBytes(32).toString('base64url'),
    APNS_KEY,
    JSON.stringify(SERVICE_ACCOUNT),
    `nds:S3cretPassw0rdS3cret@db.internal:5432/nds`,
  ];
  const { showConfig } = await import('../../src/cli/show-config.ts');
  const { vi } = await import('vitest');
  const clock = new ManualClock(Date.parse('2026-11-26T00:00:00Z'));
  const fromFile = new Set<string>();
  for (const secret of secrets) {
    const runs = (secret.match(/[A-Za-z0-9+/_-]{16,}/g) ?? []).filter((run) => /[0-9]/.test(run));
    for (const { name } of SETTINGS) {
      const written: string[] = [];
      const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
        written.push(String(text));
        return true;
      });
      const given = { environment: { ...BOTH_PROVIDERS, [name]: secret }, fromFile };
      await showConfig({}, given, clock);
      await showConfig({ json: true }, given, clock);
      write.mockRestore();
      const output = written.join('');
      expect(output).toContain(name);
      for (const run of runs) expect(output.includes(run), `${name}: ${run}`).toBe(false);
    }
  }
});

test('lists every variable and the version', async () => {
  const all = await runCommand(['config', '--all']);
  expectReadable(all);
  for (const { name } of SETTINGS) expect(all.stdout).toContain(name);
  const { stdout } = await runCommand(['--version']);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
