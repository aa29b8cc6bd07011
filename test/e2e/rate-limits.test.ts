// Limits for a token, for all, and for addresses whose requests are refused again and again.

import { expect, test } from 'vitest';
import { readSettings } from '../../src/config/config.ts';
import { Limits } from '../../src/core/tokens/limits.ts';
import { androidToken, SECOND, setupDriven, told } from '../support/driven-service.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ANDROID_TOKEN, notifyPath } from '../support/service.ts';

const HEADER = 'Fly-Client-IP';
const BODY = JSON.stringify({ template: 'payment_received', data: { payment_hash: 'aa' } });

test('a token gets its burst and then its rate, and others are not touched', async () => {
  const { pay, clock, rows } = await setupDriven({ environment: { NDS_TOKEN_RATE: '3/0.5' } });
  for (const hash of ['aa', 'bb', 'cc']) expect((await pay(ANDROID_TOKEN, hash)).status).toBe(200);
  const refused = await pay(ANDROID_TOKEN, 'dd');
  expect(refused).toMatchObject({
    status: 429,
    retryAfter: '2',
    body: { code: 'rate_limited' },
  });
  expect((await pay(androidToken(1), 'dd')).status).toBe(200);
  expect(await rows()).toHaveLength(4);
  clock.advance(2 * SECOND);
  expect((await pay(ANDROID_TOKEN, 'dd')).status).toBe(200);
  expect((await pay(ANDROID_TOKEN, 'ee')).status).toBe(429);
});

test('repeats of one notification are not counted', async () => {
  const { pay } = await setupDriven({ environment: { NDS_TOKEN_RATE: '1/0.001' } });
  for (let times = 0; times < 10; times += 1) {
    expect((await pay(ANDROID_TOKEN, 'aa')).status).toBe(200);
  }
});

test('the whole service has a rate, too', async () => {
  const { pay, clock } = await setupDriven({ environment: { NDS_GLOBAL_RATE: '5/1' } });
  for (let number = 0; number < 5; number += 1) {
    expect((await pay(androidToken(number), 'aa')).status).toBe(200);
  }
  expect(await pay(androidToken(5), 'aa')).toMatchObject({ status: 429, retryAfter: '1' });
  clock.advance(SECOND);
  expect((await pay(androidToken(5), 'aa')).status).toBe(200);
});

test('an address is limited by its refused requests alone, and only it', async () => {
  const { running, clock } = await setupDriven({
    environment: { NDS_TRUSTED_ADDRESS_HEADER: HEADER, NDS_ADDRESS_RATE: '3/1' },
  });
  const call = (address: string, token: string, body: string) =>
    told(running.post(notifyPath(token), body, { headers: { [HEADER]: address } }));
  const good = (address: string, number: number) => call(address, androidToken(number), BODY);
  for (let number = 0; number < 20; number += 1) {
    expect((await good('192.0.2.1', number)).status).toBe(200);
  }
  for (let times = 0; times < 3; times += 1) {
    expect((await call('192.0.2.1', ANDROID_TOKEN, '{}')).status).toBe(400);
  }
  expect(await good('192.0.2.1', 50)).toMatchObject({
    status: 429,
    retryAfter: '1',
    body: { code: 'rate_limited' },
  });
  expect((await good('192.0.2.2', 51)).status).toBe(200);
  clock.advance(SECOND);
  expect((await good('192.0.2.1', 52)).status).toBe(200);
});

test('without a trusted hop no address is limited, whatever headers say', async () => {
  const { running } = await setupDriven({ environment: { NDS_ADDRESS_RATE: '1/0.001' } });
  for (let times = 0; times < 10; times += 1) {
    const headers = { [HEADER]: '192.0.2.1', 'x-forwarded-for': '192.0.2.1' };
    const answer = await running.post(notifyPath(ANDROID_TOKEN), '{}', { headers });
    expect(answer.status).toBe(400);
  }
});

test('a payment in 50 parts hits no limit', async () => {
  const { pay } = await setupDriven();
  const parts = Array.from({ length: 50 }, (_, part) => pay(ANDROID_TOKEN, `part ${part}`));
  for (const { status } of await Promise.all(parts)) expect(status).toBe(200);
});

test('a burst of 5,000 calls in one instant hits no limit as it is configured by default', () => {
  const { values } = readSettings({});
  const { tokenRate, globalRate } = values;
  if (tokenRate === undefined || globalRate === undefined) throw new Error('no default rates');
  const limits = new Limits(new ManualClock(), {
    perToken: tokenRate,
    global: globalRate,
    maxTokens: 10_000,
  });
  for (let number = 0; number < 5_000; number += 1) limits.take(androidToken(number));
});
