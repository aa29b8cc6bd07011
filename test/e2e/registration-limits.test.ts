// How many registrations app keys and wallets may make: each has limits of its own; the backend has none.

import { expect, test } from 'vitest';
import { type Answer, type Call, problemOf, refusalOf, send } from '../support/callers.ts';
import { callRegistry, registerPhone } from '../support/device-calls.ts';
import { createWallet, selfRegistration } from '../support/lightning-wallet.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { APP_KEY, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, type Setup, setup } from '../support/service.ts';

const NOW = 1_754_049_600;
const wallet = createWallet(1);
const PHONE = { platform: 'android', token: ANDROID_TOKEN };
/** A wallet that names its key is refused if another key signed. */
const NAMED = { ...PHONE, user: wallet.publicKey };

async function start(environment: Record<string, string | undefined> = {}) {
  const clock = new ManualClock(NOW * 1_000);
  const running = await setup({
    clock,
    environment: { ...REGISTRY_ENVIRONMENT, NDS_SELF_REGISTRATION: 'on', ...environment },
  });
  await running.service.reach;
  return Object.assign(running, { clock });
}

function post({ service }: Setup, call: Call): Promise<Answer> {
  return send(service.url, call);
}

test('registrations by signature are limited before any signature is verified', async () => {
  const running = await start({ NDS_REGISTRATION_RATE: '3/0.1' });
  for (let index = 0; index < 3; index += 1) {
    const call = selfRegistration(wallet, { body: { ...NAMED, user: 'x' }, unixSeconds: NOW });
    expect(refusalOf(await post(running, call))).toBe('401 bad_signature');
  }
  const call = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW });
  const limited = await post(running, call);
  expect(refusalOf(limited)).toBe('429 rate_limited');
  expect(Number(limited.headers['retry-after'])).toBe(10);
  // The vendor's own registrations still work.
  await registerPhone(running);
  running.clock.advance(10_000);
  expect((await post(running, call)).status).toBe(200);
});

test('invalid unsigned registrations use up neither the limit of app keys nor that of wallets', async () => {
  const running = await start({ NDS_REGISTRATION_RATE: '3/0.001' });
  const good = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW });
  const garbage: readonly Record<string, string>[] = [
    {},
    { 'x-nds-time': String(NOW) },
    { 'x-nds-time': String(NOW), 'x-nds-signature': 'y' },
    { 'x-nds-time': String(NOW), 'x-nds-signature': '0'.repeat(104) },
    { 'x-nds-time': '1', 'x-nds-signature': 'y'.repeat(104) },
  ];
  for (let times = 0; times < 3; times += 1) {
    for (const headers of garbage) {
      const answer = await callRegistry(running, {
        method: 'POST',
        body: NAMED,
        key: null,
        headers,
      });
      expect(answer.status).toBe(401);
    }
  }
  expect((await post(running, good)).status).toBe(200);
  // Signatures from which some key can be recovered use up the wallets' limit, but not that of app keys.
  for (let index = 0; index < 4; index += 1) {
    const body = { ...NAMED, user: 'x' };
    await post(running, selfRegistration(wallet, { body, unixSeconds: NOW }));
  }
  const limited = await post(running, good);
  expect([refusalOf(limited), problemOf(limited).detail]).toEqual([
    '429 rate_limited',
    expect.stringContaining('NDS_REGISTRATION_RATE'),
  ]);
  await registerPhone(running, {}, APP_KEY);
});

test('registrations by an app’s key are limited, the backend’s are not', async () => {
  const running = await start({ NDS_REGISTRATION_RATE: '2/0.1' });
  for (const status of [200, 200, 429]) {
    const answer = await callRegistry(running, { method: 'POST', body: PHONE, key: APP_KEY });
    expect(answer.status).toBe(status);
    if (status !== 429) continue;
    expect(refusalOf(answer)).toBe('429 rate_limited');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  }
  for (const user of ['a', 'b', 'c']) await registerPhone(running, { user });
});
