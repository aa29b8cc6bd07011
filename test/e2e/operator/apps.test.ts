// The apps as operators see them, and a reload of their files over HTTP.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listAppsAnswer, reloadAnswer } from '../../../src/http/operator/apps.ts';
import { apnsOf } from '../../support/apps.ts';
import { problemOf, refusalOf } from '../../support/callers.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import { setup, temporaryFolder } from '../../support/service.ts';

async function start() {
  const file = join(temporaryFolder(), 'apps.json');
  const write = (apps: object | string) =>
    writeFileSync(file, typeof apps === 'string' ? apps : JSON.stringify(apps));
  write({});
  const running = await setup({
    sandbox: { topics: ['com.example.wallet', 'com.example.second'] },
    environment: { ...OPERATOR_ENVIRONMENT, NDS_APPS_FILE: file },
  });
  await running.service.reach;
  const reload = () => operate(running, { method: 'POST', path: '/apps/reload' });
  return { running, write, reload };
}

test('lists apps and providers with their state, and no secret', async () => {
  const { running } = await start();
  const answer = await operate(running, { path: '/apps' });
  expect(listAppsAnswer.parse(told(answer))).toEqual({
    apps: [
      {
        name: 'default',
        providers: [
          { name: 'apns', environment: 'sandbox', status: 'ready' },
          { name: 'fcm', status: 'ready' },
        ],
      },
    ],
  });
  const { keyId, teamId } = running.sandbox.apns;
  for (const value of [keyId, teamId, 'com.example', 'PRIVATE']) {
    expect(answer.text).not.toContain(value);
  }
});

test('takes over the changes of the files, and says what changed', async () => {
  const { running, write, reload } = await start();
  write({ second: { apns: apnsOf(running.sandbox, { topic: 'com.example.second' }) } });
  const kept = ['default/apns', 'default/fcm'];
  expect(reloadAnswer.parse(told(await reload()))).toEqual({
    status: 'reloaded',
    opened: ['second/apns'],
    closed: [],
    kept,
    needs_restart: [],
  });
  const { apps } = listAppsAnswer.parse(told(await operate(running, { path: '/apps' })));
  expect(apps.map(({ name }) => name)).toEqual(['default', 'second']);
  write({});
  expect(told(await reload())).toMatchObject({ closed: ['second/apns'], kept });
});

test('takes over nothing from a file with faults, and names every fault', async () => {
  const { running, write, reload } = await start();
  const apns = apnsOf(running.sandbox, { topic: 'com.example.second', key_id: 'a-secret' });
  write({ second: { apns }, third: { apns: {} } });
  const answer = await reload();
  expect(refusalOf(answer)).toBe('409 reload_failed');
  const faults = (problemOf(answer).errors ?? []).map(({ message }) => message);
  expect(faults.join('\n')).toMatch(/second\.apns\.key_id/);
  expect(answer.text).not.toContain('a-secret');
  write('{');
  expect(refusalOf(await reload())).toBe('409 reload_failed');
  const { apps } = listAppsAnswer.parse(told(await operate(running, { path: '/apps' })));
  expect(apps.map(({ name }) => name)).toEqual(['default']);
});
