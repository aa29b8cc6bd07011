// The examples in docs/wallet and docs/migrating-from-breez-notify.md: phones get what they show, and the service takes
// what they send.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../../src/config/config.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { askPhone, replyUrlOf } from '../support/callers.ts';
import { SERVICE_ACCOUNT } from '../support/credentials.ts';
import {
  ANDROID_TOKEN,
  IOS_TOKEN,
  type Setup,
  setup,
  temporaryFolder,
} from '../support/service.ts';
import { blocksOf, hasTools, runScript } from '../support/shell-examples.ts';

const HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';
const canRun = hasTools('bash', 'curl');
const GUIDE = 'docs/migrating-from-breez-notify.md';

test('docs/wallet shows what arrives on both platforms', async () => {
  const running = await setup();
  await running.notify(IOS_TOKEN, HASH);
  await running.notify(ANDROID_TOKEN, HASH);
  const [onIos, onAndroid] = blocksOf('docs/wallet/README.md', 'json').map((text) =>
    JSON.parse(text),
  );
  const [toIos, toAndroid] = running.sandbox.received();
  expect(toIos?.apns?.payload).toEqual(onIos);
  expect(toIos?.apns).toMatchObject({ pushType: 'alert', priority: 10 });
  expect(toAndroid?.fcm?.message).toMatchObject({ data: onAndroid, android: { priority: 'high' } });
  expect(toAndroid?.fcm?.message).not.toHaveProperty('notification');
});

/** The examples as a reader would run them, at this service and for this phone. */
function examplesOf(page: string, running: Setup, token: string): readonly string[] {
  const blocks = blocksOf(page, 'sh').filter((block) => block.includes('curl'));
  return blocks.map((block) =>
    block
      .replaceAll(/https:\/\/nds[a-z-]*\.example\.com/g, running.service.url)
      .replaceAll('YOUR_TOKEN', token),
  );
}

test.skipIf(!canRun)('the pushes to one’s own phone arrive there', async () => {
  const running = await setup();
  const [, onIos = ''] = examplesOf('docs/wallet/README.md', running, IOS_TOKEN);
  const [onAndroid = ''] = examplesOf(GUIDE, running, ANDROID_TOKEN);
  for (const example of [onIos, onAndroid]) {
    expect(await runScript(example)).toMatch(/^delivery-status: delivered\r$/im);
  }
  expect(running.sandbox.received().map(({ token }) => token)).toEqual([IOS_TOKEN, ANDROID_TOKEN]);
});

test.skipIf(!canRun)('the reply of docs/wallet reaches the caller that waits for it', async () => {
  const running = await setup();
  const { answer } = askPhone(running, { token: ANDROID_TOKEN, request: 'lnr1' });
  const [push] = await running.sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 1);
  const [example = ''] = examplesOf('docs/wallet/README.md', running, ANDROID_TOKEN);
  const url = `${running.service.url}${replyUrlOf(push).pathname}`;
  expect(await runScript(example.replace('REPLY_URL', url))).toMatch(/^HTTP\/1\.1 200 OK/);
  expect((await answer).text).toBe('{"invoice":"lni1…"}');
});

test('the smallest setup after breez/notify starts, once it has a secret and the account', async () => {
  const folder = temporaryFolder();
  const account = join(folder, 'service-account.json');
  writeFileSync(account, JSON.stringify(SERVICE_ACCOUNT));
  const [block = ''] = blocksOf(GUIDE, 'sh').filter((text) => text.includes('NDS_SECRET='));
  const environment = {
    ...parseEnv(block),
    GOOGLE_APPLICATION_CREDENTIALS: account,
    NDS_SECRET: 'made by openssl rand -base64 32',
  };
  const { providers } = await prepare(environment, createSystemClock());
  expect(providers.map(({ app, provider }) => `${app}/${provider.name}`)).toEqual(['default/fcm']);
  await Promise.all(providers.map(({ provider }) => provider.close()));
});

test('another variable that begins with NOTIFY_ is refused by its name', () => {
  const environment = { NOTIFY_WORKER_NUM: '10', GOOGLE_APPLICATION_CREDENTIALS_JSON: '{}' };
  const parse = () => parseConfig(environment);
  expect(parse).toThrow(ConfigError);
  expect(parse).toThrow('NOTIFY_WORKER_NUM is not a setting of this service');
});
