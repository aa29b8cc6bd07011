// Finding out later what went wrong with a push: real failures in a running service, and the code that `nds find`
// names.

import { expect, test } from 'vitest';
import type { FindResult } from '../../src/core/finding/find.ts';
import { send } from '../support/callers.ts';
import { androidToken, iosToken, SECOND, setupDriven } from '../support/driven-service.ts';
import { findIn } from '../support/finding.ts';
import { pathOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import { ANDROID_TOKEN, notifyPath } from '../support/service.ts';
import { resmicCall } from '../support/signed-calls.ts';

const HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';
const SECRET = 'a secret of resmic for tests';

async function start(environment: Record<string, string> = {}) {
  const driven = await setupDriven({ environment: { ...REGISTRY_ENVIRONMENT, ...environment } });
  const ask = async (known: string): Promise<FindResult> => {
    await driven.store.idle();
    return await findIn(driven.running, known, driven.clock.wallMs());
  };
  return { ...driven, ask };
}

async function codeOf(answer: Promise<FindResult>): Promise<string> {
  return (await answer).verdict.code;
}

test('an outage that a payment survived', async () => {
  const { running, pay, elapse, ask } = await start();
  await running.sandbox.startOutage('fcm', { kind: 'status_500' });
  expect(await pay(ANDROID_TOKEN, HASH)).toMatchObject({ body: { status: 'queued' } });
  expect(await codeOf(ask(HASH))).toBe('queued');
  await elapse(8 * SECOND);
  await running.sandbox.endOutage('fcm');
  await elapse(20 * SECOND);
  const { verdict, timeline } = await ask(HASH);
  expect(verdict.code).toBe('delivered_late_outage');
  expect(verdict.sentence).toMatch(
    /^Delivered \d+ s late: FCM was failing from [\d:]+ to [\d:]+\.$/,
  );
  expect(timeline.map(({ what }) => what)).toEqual(
    expect.arrayContaining(['received', 'answered', 'try 1', 'try 2']),
  );
});

test('an outage that outlasted a payment', async () => {
  const { running, pay, elapse, ask } = await start();
  await running.sandbox.startOutage('fcm', { kind: 'status_500' });
  for (const phone of [1, 2, 3]) await pay(androidToken(phone), `${HASH.slice(0, -1)}${phone}`);
  await pay(ANDROID_TOKEN, HASH);
  await elapse(10 * SECOND);
  expect(await codeOf(ask(HASH))).toBe('queued_outage');
  await elapse(60 * SECOND);
  const { verdict, timeline } = await ask(HASH);
  expect(verdict.code).toBe('expired_outage');
  expect(timeline.map(({ what }) => what)).toContain('outage');
  // Callers are refused by now, and need not wait.
  await pay(androidToken(9), 'f'.repeat(64));
  const later = await ask('f'.repeat(64));
  expect(later.timeline).toContainEqual(
    expect.objectContaining({ what: 'answered', text: '503 provider_unavailable' }),
  );
});

test('a token that died, and the call after', async () => {
  const { running, pay, ask } = await start();
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  await pay(ANDROID_TOKEN, HASH);
  expect(await codeOf(ask(HASH))).toBe('token_dead');
  await pay(ANDROID_TOKEN, 'e'.repeat(64));
  expect(await codeOf(ask('e'.repeat(64)))).toBe('refused_token_unregistered');
  const { verdict } = await ask(ANDROID_TOKEN);
  expect(verdict.sentence).toMatch(
    /^1 delivery \(1 unregistered\), 1 call refused; the last: Refused with 410/,
  );
});

test('a token of the other environment', async () => {
  const { running, pay, ask } = await start();
  const fault = { kind: 'reason', reason: 'BadDeviceToken' } as const;
  running.sandbox.script({ provider: 'apns', fault });
  await pay(iosToken(1), HASH);
  expect(await codeOf(ask(HASH))).toBe('bad_token');
  expect(await codeOf(ask(iosToken(1).toUpperCase()))).toBe('bad_token');
});

test('a key that Apple refuses', async () => {
  const { running, pay, ask } = await start();
  const fault = { kind: 'reason', reason: 'InvalidProviderToken' } as const;
  running.sandbox.script({ provider: 'apns', fault, times: 9 });
  await pay(iosToken(1), HASH);
  expect(await codeOf(ask(HASH))).toBe('misconfigured');
});

test('a caller that signs wrongly, and one that never called', async () => {
  const { running, ask } = await start();
  const phone = { platform: 'android', token: ANDROID_TOKEN, user: 'alice' };
  const device = await register(running, { ...phone, secrets: { resmic: [SECRET] } });
  expect(await codeOf(ask('alice'))).toBe('never_called');
  const call = resmicCall({ path: pathOf(device, 'resmic'), secret: 'another secret' });
  for (let times = 0; times < 3; times += 1) await send(running.service.url, call);
  for (const known of ['alice', device.id, device.urls.resmic ?? '']) {
    const { verdict } = await ask(known);
    expect(verdict.code).toBe('refused_bad_signature');
    expect(verdict.sentence).toContain('3 times');
    expect(verdict.sentence).toContain('for the source resmic');
  }
});

test('a URL of a device that was deleted', async () => {
  const { running, ask } = await start();
  const url = `${running.service.url}/n/Zk3vQ0_x8yN1tT7uW-2aBc`;
  expect(await codeOf(ask(url))).toBe('nothing_known');
  await running.post('/n/Zk3vQ0_x8yN1tT7uW-2aBc', '{}');
  expect(await codeOf(ask(url))).toBe('refused_unknown_handle');
});

test('a user that calls too often', async () => {
  const { pay, ask } = await start({ NDS_TOKEN_RATE: '2/0.01' });
  for (const digit of ['a', 'b', 'c', 'd']) await pay(ANDROID_TOKEN, digit.repeat(64));
  const { verdict } = await ask(ANDROID_TOKEN);
  expect(verdict.code).toBe('refused_rate_limited');
  expect(await codeOf(ask('d'.repeat(64)))).toBe('refused_rate_limited');
});

test('a call that nobody can read is found by its request id', async () => {
  const { running, ask } = await start();
  const response = await running.post(notifyPath(ANDROID_TOKEN), '{"template":');
  const requestId = response.headers.get('request-id') ?? '';
  const { verdict } = await ask(requestId);
  expect(verdict).toMatchObject({ code: 'refused_bad_body' });
  const { instance } = JSON.parse(await response.text());
  expect(await codeOf(ask(instance))).toBe('refused_bad_body');
});

test('a request whose refusal was counted with others is found by its time', async () => {
  const { running, clock, ask } = await start();
  const ids: string[] = [];
  for (let times = 0; times < 3; times += 1) {
    clock.advance(SECOND);
    const response = await running.post(notifyPath(ANDROID_TOKEN), '{"template":');
    ids.push(response.headers.get('request-id') ?? '');
  }
  const { verdict } = await ask(ids[1] ?? '');
  expect(verdict.code).toBe('refused_bad_body');
  expect(verdict.sentence).toMatch(/^Probably one of these: Refused with 400 bad_body 3 times/);
  const old = `00000000-0000-7${ids[1]?.slice(15)}`;
  expect(await codeOf(ask(old))).toBe('nothing_known');
});

test('repeats are told with the delivery that they repeat', async () => {
  const { pay, ask } = await start();
  for (let times = 0; times < 3; times += 1) await pay(ANDROID_TOKEN, HASH);
  const { verdict, timeline, deliveries } = await ask(HASH);
  expect(verdict.code).toBe('delivered');
  expect(deliveries[0]?.delivery).toMatchObject({ told: 'delivered', repeats: 2 });
  expect(timeline.filter(({ what }) => what === 'repeated')).toHaveLength(1);
});
