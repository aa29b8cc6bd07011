// Which app and which credentials a push uses, and the refusal if there are none.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Answer, expectNoTrace, problemOf, refusalOf, send } from '../support/callers.ts';
import { callRegistry, deviceOf, registerPhone } from '../support/device-calls.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import {
  ANDROID_TOKEN,
  IOS_TOKEN,
  notifyPath,
  type Setup,
  setup,
  temporaryFolder,
} from '../support/service.ts';

const BODY = '{"template":"payment_received","data":{"payment_hash":"body-of-the-caller"}}';

function post(running: Setup, path: string, body: string = BODY): Promise<Answer> {
  return send(running.service.url, { path, body });
}

test('names the variables when a platform has no credentials', async () => {
  const noApple = await setup({
    environment: {
      APNS_KEY: undefined,
      APNS_KEY_ID: undefined,
      APNS_TEAM_ID: undefined,
      APNS_TOPIC: undefined,
      APNS_ENVIRONMENT: undefined,
      APNS_ENDPOINT: undefined,
    },
  });
  const apple = await post(noApple, notifyPath(IOS_TOKEN));
  expect(refusalOf(apple)).toBe('502 provider_not_configured');
  for (const name of ['APNS_KEY_FILE', 'APNS_KEY_ID', 'APNS_TEAM_ID', 'APNS_TOPIC']) {
    expect(problemOf(apple).detail).toContain(name);
  }
  await expectNoTrace(noApple, [IOS_TOKEN, 'body-of-the-caller']);
  expect((await post(noApple, notifyPath(ANDROID_TOKEN))).status).toBe(200);

  const noGoogle = await setup({
    environment: { GOOGLE_APPLICATION_CREDENTIALS_JSON: undefined, FCM_ENDPOINT: undefined },
  });
  for (const path of [notifyPath(ANDROID_TOKEN), '/notify?platform=ios&token=opaque:token']) {
    const answer = await post(noGoogle, path);
    expect(refusalOf(answer)).toBe('502 provider_not_configured');
    expect(problemOf(answer).detail).toContain('GOOGLE_APPLICATION_CREDENTIALS');
  }
  await expectNoTrace(noGoogle, [ANDROID_TOKEN, 'opaque:token', 'body-of-the-caller']);
});

test('pushes for the named app, with its own credentials', async () => {
  const running = await withSecondApp();
  expect((await post(running, notifyPath(IOS_TOKEN, { app: 'second' }))).status).toBe(200);
  expect((await post(running, notifyPath(IOS_TOKEN, { app: 'default' }))).status).toBe(200);
  expect((await post(running, notifyPath(IOS_TOKEN, { app: '', app_data: 'x' }))).status).toBe(200);
  const topics = running.sandbox.received().map((push) => push.apns?.topic);
  expect(topics).toEqual(['com.example.second', 'com.example.wallet', 'com.example.wallet']);

  const noFcm = await post(running, notifyPath(ANDROID_TOKEN, { app: 'second' }));
  expect(refusalOf(noFcm)).toBe('502 provider_not_configured');
  expect(problemOf(noFcm).detail).toContain('NDS_APPS_FILE');
  for (const app of ['third', 'Second', 'default ', 'constructor', '__proto__', 'a'.repeat(64)]) {
    const answer = await post(running, notifyPath(ANDROID_TOKEN, { app }));
    expect(refusalOf(answer), app).toBe('404 unknown_app');
  }
  expect(running.sandbox.received()).toHaveLength(3);
});

/** A service with `default` and an app `second` that has only APNs. */
async function withSecondApp(): Promise<Setup> {
  const file = join(temporaryFolder(), 'apps.json');
  const sandbox = { topics: ['com.example.wallet', 'com.example.second'] };
  writeFileSync(file, '{}');
  const running = await setup({ sandbox, environment: { NDS_APPS_FILE: file } });
  const { key, keyId, teamId, url } = running.sandbox.apns;
  const apns = {
    key,
    key_id: keyId,
    team_id: teamId,
    topic: 'com.example.second',
    environment: 'sandbox',
    endpoint: url,
  };
  writeFileSync(file, JSON.stringify({ second: { apns } }));
  await running.restart();
  return running;
}

test('a device of an app that is not configured is refused', async () => {
  const running = await setup({ environment: REGISTRY_ENVIRONMENT });
  const body = { platform: 'android', token: ANDROID_TOKEN, app: 'another' };
  const answer = await callRegistry(running, { method: 'POST', body });
  expect(refusalOf(answer)).toBe('404 unknown_app');
  const named = await callRegistry(running, { method: 'POST', body: { ...body, app: 'default' } });
  expect(deviceOf(named).id).toBe((await registerPhone(running)).id);
});
