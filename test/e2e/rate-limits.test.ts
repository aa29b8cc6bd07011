// Limits for a token, for all calls, and for addresses that try unknown tokens which the provider refuses.

import { expect, test } from 'vitest';
import { readSettings } from '../../src/config/config.ts';
import { Limits } from '../../src/core/tokens/limits.ts';
import { androidToken, iosToken, SECOND, setupDriven, told } from '../support/driven-service.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ANDROID_TOKEN, notifyPath } from '../support/service.ts';

const HEADER = 'Fly-Client-IP';
const BODY = JSON.stringify({ template: 'payment_received', data: { payment_hash: 'aa' } });

test('a token gets its burst and then its rate, and other tokens are not affected', async () => {
  const { pay, clock, rows } = await setupDriven({ environment: { NDS_TOKEN_RATE: '3/0.5' } });
  for (const hash of ['aa', 'bb', 'cc']) expect((await pay(ANDROID_TOKEN, hash)).status).toBe(200);
  const refused = await pay(ANDROID_TOKEN, 'dd');
  expect(refused).toMatchObject({
    status: 429,
    retryAfter: '2',
    body: { code: 'rate_limited', detail: expect.stringContaining('NDS_TOKEN_RATE') },
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
  expect(await pay(androidToken(5), 'aa')).toMatchObject({
    status: 429,
    retryAfter: '1',
    body: { detail: expect.stringContaining('NDS_GLOBAL_RATE') },
  });
  clock.advance(SECOND);
  expect((await pay(androidToken(5), 'aa')).status).toBe(200);
});

const UNREGISTERED = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;

/** A service that lets an address try three unknown tokens that turn out to be dead. */
async function setupAddresses(header = HEADER) {
  const driven = await setupDriven({
    environment: { NDS_TRUSTED_ADDRESS_HEADER: header, NDS_ADDRESS_RATE: '3/1' },
  });
  const { running } = driven;
  let calls = 0;
  const call = (address: string, token: string, body?: string) => {
    calls += 1;
    const hash = `hash ${calls}`;
    const payment = JSON.stringify({ template: 'payment_received', data: { payment_hash: hash } });
    const init = { headers: { [header]: address } };
    return told(running.post(notifyPath(token), body ?? payment, init));
  };
  const dead = (number: number) => {
    const token = `dead-${number}:APA91b`;
    running.sandbox.script({ token, fault: UNREGISTERED });
    return token;
  };
  return { ...driven, call, dead };
}

test('an address is limited by unknown tokens that are refused, but not for other tokens', async () => {
  const { running, clock, call, dead } = await setupAddresses();
  const lsp = '192.0.2.1';
  for (const number of [1, 2, 3]) expect((await call(lsp, androidToken(number))).status).toBe(200);
  for (const number of [1, 2, 3]) expect((await call(lsp, dead(number))).status).toBe(410);
  const asked = running.sandbox.requests().length;
  for (let times = 0; times < 50; times += 1) {
    expect(await call(lsp, androidToken(50))).toMatchObject({
      status: 429,
      retryAfter: '1',
      body: { code: 'rate_limited', detail: expect.stringContaining('NDS_ADDRESS_RATE') },
    });
  }
  expect(running.sandbox.requests()).toHaveLength(asked);
  // Known dead tokens cost nothing, proven tokens work, and other addresses are not affected.
  expect((await call(lsp, 'dead-1:APA91b')).status).toBe(410);
  expect((await call('192.0.2.2', androidToken(51))).status).toBe(200);
  expect((await call(lsp, androidToken(1))).status).toBe(200);
  // That success gave one try back.
  expect((await call(lsp, androidToken(52))).status).toBe(200);
  const said = running.log.lines.filter(({ message }) => message === 'address_limited');
  expect(said.map(({ fields }) => fields.count)).toEqual([1]);
  clock.advance(60 * SECOND);
  const later = running.log.lines.filter(({ message }) => message === 'address_limited');
  expect(later.map(({ fields }) => fields.count)).toEqual([1, 49]);
  expect(JSON.stringify(later)).not.toContain(lsp);
});

test('an LSP with 98 stale webhooks among 120 loses none of its valid calls', async () => {
  const { running, call } = await setupAddresses();
  for (let number = 98; number < 120; number += 1) await call('lsp', androidToken(number));
  for (let number = 0; number < 98; number += 1) {
    running.sandbox.script({ token: androidToken(number), fault: UNREGISTERED });
  }
  for (let round = 0; round < 2; round += 1) {
    for (let number = 0; number < 120; number += 1) {
      const { status } = await call('lsp', androidToken(number));
      if (number >= 98) expect(status, `${number}`).toBe(200);
      else expect([410, 429]).toContain(status);
    }
  }
});

test('after ten calls a second with tokens of a wrong environment an address loses none of its valid calls', async () => {
  const { running, clock, call } = await setupAddresses();
  const tenTimesASecond = async (tokenOf: (number: number) => string) => {
    const statuses: number[] = [];
    for (let number = 0; number < 9; number += 1) {
      statuses.push((await call('lsp', tokenOf(number))).status);
      clock.advance(SECOND / 10);
    }
    return statuses;
  };
  const good = (number: number) => iosToken(1 + (number % 3));
  expect(await tenTimesASecond(good)).toEqual(Array(9).fill(200));
  const refused = await tenTimesASecond((number) => {
    const token = iosToken(100 + number);
    running.sandbox.script({ token, fault: { kind: 'reason', reason: 'BadDeviceToken' } });
    return token;
  });
  expect(refused).toEqual([...Array(3).fill(422), ...Array(6).fill(429)]);
  const never = iosToken(200);
  expect(await call('lsp', never)).toMatchObject({ status: 429, retryAfter: '1' });
  expect(await tenTimesASecond(good)).toEqual(Array(9).fill(200));
  expect((await call('lsp', never)).status).toBe(200);
});

test('calls that cause no push do not count against an address', async () => {
  const { call } = await setupAddresses();
  for (let times = 0; times < 20; times += 1) {
    expect((await call('lsp', ANDROID_TOKEN, '{}')).status).toBe(400);
    expect((await call('lsp', '')).status).toBe(400);
  }
  expect((await call('lsp', ANDROID_TOKEN)).status).toBe(200);
});

test('in a list of addresses the last one counts, because the client writes the others', async () => {
  const { call, dead } = await setupAddresses('X-Forwarded-For');
  for (const number of [1, 2, 3]) {
    expect((await call(`10.0.0.${number}, 203.0.113.9`, dead(number))).status).toBe(410);
  }
  expect((await call('10.0.0.4, 203.0.113.9', androidToken(4))).status).toBe(429);
  expect((await call('203.0.113.9', androidToken(4))).status).toBe(429);
  expect((await call('203.0.113.9, 10.0.0.4', androidToken(4))).status).toBe(200);
});

test('without a trusted header no address is limited, whatever headers say', async () => {
  const { running } = await setupDriven({ environment: { NDS_ADDRESS_RATE: '1/0.001' } });
  for (let number = 0; number < 10; number += 1) {
    const token = androidToken(number);
    running.sandbox.script({ token, fault: UNREGISTERED });
    const headers = { [HEADER]: '192.0.2.1', 'x-forwarded-for': '192.0.2.1' };
    expect((await running.post(notifyPath(token), BODY, { headers })).status).toBe(410);
  }
});

test('a payment in 50 parts hits no limit', async () => {
  const { pay } = await setupDriven();
  const parts = Array.from({ length: 50 }, (_, part) => pay(ANDROID_TOKEN, `part ${part}`));
  for (const { status } of await Promise.all(parts)) expect(status).toBe(200);
});

test('a burst of 5,000 calls at one moment stays within the default limits', () => {
  const { values } = readSettings({});
  const { tokenRate, globalRate } = values;
  if (tokenRate === undefined || globalRate === undefined) throw new Error('no default rates');
  const limits = new Limits(new ManualClock(), {
    perToken: tokenRate,
    global: globalRate,
    maxTokens: 10_000,
  });
  expect(() => {
    for (let number = 0; number < 5_000; number += 1) limits.take('default', androidToken(number));
  }).not.toThrow();
});
