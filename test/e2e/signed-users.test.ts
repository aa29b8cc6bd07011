// The Breez LNURL server names a user instead of a device: every phone of the wallet is woken, and the answer makes
// sure that the server never repeats a call that cannot work.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { type Answer, type Call, refusalOf, send } from '../support/callers.ts';
import { deleteDevice, registerPhone } from '../support/device-calls.ts';
import { createWallet } from '../support/lightning-wallet.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { type Setup, setup } from '../support/service.ts';
import { hmacHex, sparkPaymentCall } from '../support/signed-calls.ts';

const SECRET = 'secret-of-the-domain';
const OLD_SECRET = 'old-secret-of-the-domain';
const USER = createWallet(1).publicKey;
const PHONES = ['one', 'two', 'three'].map((name) => `${name}:APA91bTokenOfAPhone`);
const DAY = 86_400_000;

const answered = z.strictObject({
  id: z.string().regex(/^[0-9a-f-]{36}$/),
  status: z.string(),
  code: z.string().optional(),
  deliveries: z
    .array(
      z.strictObject({
        id: z.string().optional(),
        status: z.string(),
        code: z.string().optional(),
      }),
    )
    .optional(),
});

async function start() {
  const clock = new ManualClock();
  const domains = { 'pay.example.com': { secrets: [OLD_SECRET, SECRET] } };
  const environment = { ...REGISTRY_ENVIRONMENT, NDS_SOURCES: JSON.stringify({ domains }) };
  const running = await setup({ clock, environment });
  await running.service.reach;
  return Object.assign(running, { clock });
}

async function startWithPhones() {
  const running = await start();
  for (const token of PHONES) await registerPhone(running, { token, user: USER });
  return running;
}

function paid(hash = 'aa', domain = 'pay.example.com'): Call {
  const path = `/api/v1/webhooks/spark_payment_received/${domain}`;
  return sparkPaymentCall({ path, secret: SECRET, user: USER, id: hash.repeat(32) });
}

function post({ service }: Setup, call: Call): Promise<Answer> {
  return send(service.url, call);
}

function told({ status, text }: Answer) {
  expect(status, text).toBe(200);
  return answered.parse(JSON.parse(text));
}

/** The next push to this phone gets this fault. */
function fail(
  { sandbox }: Setup,
  token: string | undefined,
  error: 'UNREGISTERED' | 'INVALID_ARGUMENT',
) {
  const field = error === 'INVALID_ARGUMENT' ? { field: 'message.data' } : {};
  const fault = { kind: 'fcm_error', error, ...field } as const;
  sandbox.script({ provider: 'fcm', ...(token && { token }), fault });
}

test('wakes every phone of the user under one id, each with a delivery of its own', async () => {
  const running = await startWithPhones();
  await registerPhone(running, { user: 'another' });
  const answer = told(await post(running, paid()));
  expect(answer.status).toBe('delivered');
  expect(answer.deliveries?.map(({ status }) => status)).toEqual(Array(3).fill('delivered'));
  await running.service.settled();
  const rows = await running.service.store.findDeliveries({ limit: 10 });
  const ids = answer.deliveries?.map(({ id }) => id);
  expect(rows.map(({ id }) => id).toSorted()).toEqual(ids?.toSorted());
  expect(
    running.sandbox
      .received()
      .map(({ token }) => token)
      .toSorted(),
  ).toEqual(PHONES.toSorted());
});

test('the best outcome is the answer, and a repeat reaches only the phones that failed', async () => {
  const running = await startWithPhones();
  const [first, second, third] = PHONES;
  fail(running, first, 'UNREGISTERED');
  fail(running, second, 'INVALID_ARGUMENT');
  const answer = told(await post(running, paid()));
  expect(answer.status).toBe('delivered');
  // Newest device first.
  expect(answer.deliveries?.map(({ status, code }) => code ?? status)).toEqual([
    'delivered',
    'message_rejected',
    'token_unregistered',
  ]);
  expect(answer.deliveries?.every(({ id }) => id !== undefined)).toBe(true);

  const repeat = told(await post(running, paid()));
  expect(repeat.deliveries?.map(({ status, code }) => code ?? status)).toEqual([
    'duplicate',
    'delivered',
    'token_unregistered',
  ]);
  expect(repeat.deliveries?.[0]?.id).toBe(answer.deliveries?.[0]?.id);
  expect(running.sandbox.received().map(({ token }) => token)).toEqual([third, second]);
  expect(told(await post(running, paid())).status).toBe('duplicate');
  expect(running.sandbox.received()).toHaveLength(2);
});

test('a waiting push counts less than a delivered one, and more than none', async () => {
  const running = await startWithPhones();
  const [first, second, third] = PHONES;
  const later = { kind: 'fcm_error', error: 'UNAVAILABLE', retryAfterSeconds: 30 } as const;
  running.sandbox.script({ provider: 'fcm', token: first ?? '', times: 9, fault: later });
  fail(running, second, 'UNREGISTERED');
  fail(running, third, 'UNREGISTERED');
  const answer = told(await post(running, paid()));
  expect(answer.status).toBe('queued');
  expect(answer.deliveries?.map(({ status }) => status)).toEqual(['failed', 'failed', 'queued']);
});

test('if a repeat cannot help, the call is acknowledged, so that the domain’s other payments go on', async () => {
  const running = await startWithPhones();
  for (const token of PHONES) fail(running, token, 'UNREGISTERED');
  for (const hash of ['aa', 'bb']) {
    const answer = told(await post(running, paid(hash)));
    expect([answer.status, answer.code]).toEqual(['acknowledged', 'token_unregistered']);
  }
  await running.service.settled();
  const [one] = await running.service.store.findDeliveries({ limit: 1 });
  expect(one?.status).toBe('unregistered');
});

test('if a repeat may help even one of several phones, the call is refused', async () => {
  const running = await startWithPhones();
  const [first, second, third] = PHONES;
  fail(running, first, 'UNREGISTERED');
  fail(running, second, 'UNREGISTERED');
  running.sandbox.script({
    provider: 'fcm',
    token: third ?? '',
    fault: { kind: 'google_error', status: 403 },
  });
  const answer = await post(running, paid());
  expect(answer.status).toBeGreaterThanOrEqual(500);
  expect(told(await post(running, paid())).status).toBe('delivered');
});

test('a user without devices is acknowledged, also when they were deleted', async () => {
  const running = await start();
  const unknown = told(await post(running, paid()));
  expect([unknown.status, unknown.code]).toEqual(['acknowledged', 'unknown_user']);
  const { id } = await registerPhone(running, { user: USER });
  expect(told(await post(running, paid())).status).toBe('delivered');
  await deleteDevice(running, id);
  expect(told(await post(running, paid('bb'))).code).toBe('unknown_user');
  expect(running.sandbox.received()).toHaveLength(1);
});

test('a domain is known in any case, with every secret of its rotation, and others are not', async () => {
  const running = await startWithPhones();
  expect(told(await post(running, paid('aa', 'PAY.Example.com'))).status).toBe('delivered');
  const old = paid('bb');
  const headers = { 'X-Breez-Signature': hmacHex(OLD_SECRET, String(old.body)) };
  expect(told(await post(running, { ...old, headers })).status).toBe('delivered');
  for (const domain of [
    'other.example.com',
    'toString',
    '__proto__',
    '%00',
    'AAAAAAAAAAAAAAAAAAAAAA',
  ]) {
    const answer = await post(running, paid('cc', domain));
    expect(refusalOf(answer), domain).toBe('404 unknown_source');
    expect(answer.text).toContain('This domain is not configured');
  }
  expect(running.sandbox.received()).toHaveLength(6);
});

test('the same payment is recognised for ninety days, over restarts', async () => {
  const running = await startWithPhones();
  const first = told(await post(running, paid()));
  await running.service.settled();
  await running.restart();
  const repeat = told(await post(running, paid()));
  expect(repeat.status).toBe('duplicate');
  expect(repeat.deliveries?.map(({ id }) => id)).toEqual(first.deliveries?.map(({ id }) => id));
  running.clock.jump(89 * DAY);
  await running.restart();
  expect(told(await post(running, paid())).status).toBe('duplicate');
  expect(running.sandbox.received()).toHaveLength(3);
});

test('neither the preimage nor the invoice is pushed', async () => {
  const running = await startWithPhones();
  await post(running, paid());
  const pushed = JSON.stringify(running.sandbox.received());
  expect(pushed).toContain('amount_sat');
  expect(pushed).not.toContain('0707070707');
  expect(pushed).not.toContain('lnbc500u1pexample');
});
