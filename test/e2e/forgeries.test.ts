// Forged calls: they are counted, reported to the operator when they repeat, and never a reason to refuse the true
// caller. Nothing in them is stored.

import { generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import type { ServiceEvent } from '../../src/core/ports/observer.ts';
import { type Answer, type Call, problemOf, refusalOf, send } from '../support/callers.ts';
import { registerPhone, successOf, wake } from '../support/device-calls.ts';
import { createWallet } from '../support/lightning-wallet.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { handleOf, pathOf, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, type Setup, setup } from '../support/service.ts';
import { lsps5Call, resmicCall, sparkPaymentCall, standardCall } from '../support/signed-calls.ts';

const NOW_MS = 1_754_049_600_000;
const SECRET = 'secret-of-the-device';
const DOMAIN_SECRET = 'secret-of-the-domain';
const ADDRESS_HEADER = 'X-Test-Address';
/** Wrong signatures at a URL before the operator is alerted. */
const ALLOWED = 20;
const lsp = createWallet(1);
const forger = createWallet(2);

async function start(environment: Record<string, string | undefined> = {}) {
  const clock = new ManualClock(NOW_MS);
  const domains = { 'pay.example.com': { secrets: [DOMAIN_SECRET] } };
  const running = await setup({
    clock,
    environment: {
      ...REGISTRY_ENVIRONMENT,
      NDS_TRUSTED_ADDRESS_HEADER: ADDRESS_HEADER,
      NDS_SOURCES: JSON.stringify({ domains }),
      ...environment,
    },
  });
  await running.service.reach;
  const device = await registerPhone(running, {
    secrets: { resmic: [SECRET], paymentflow: [SECRET] },
    lsp_node_ids: [lsp.publicKey],
  });
  return Object.assign(running, { clock, device });
}

type Running = Awaited<ReturnType<typeof start>>;

/** Sends a call as if it came from this address. */
function from({ service }: Setup, address: string, call: Call): Promise<Answer> {
  return send(service.url, { ...call, headers: { ...call.headers, [ADDRESS_HEADER]: address } });
}

function lspCall({ device }: Running, second: number, secretKey = lsp.secretKey) {
  return lsps5Call({ path: pathOf(device, 'lsps5'), secretKey }, { atMs: NOW_MS - second * 1_000 });
}

type Refusal = Extract<ServiceEvent, { readonly name: 'signature_refused' }>;

function refusals({ log }: Setup): readonly Refusal[] {
  return log.events.filter((event): event is Refusal => event.name === 'signature_refused');
}

test('a forged call is counted by source and app, and nothing of it is kept', async () => {
  const running = await start();
  const { device } = running;
  const forged = [
    lspCall(running, 0, forger.secretKey),
    resmicCall({ path: pathOf(device, 'resmic'), secret: 'guessed-secret', id: 'forged-session' }),
    lsps5Call(
      { path: pathOf(device, 'lsps5'), secretKey: lsp.secretKey },
      { atMs: NOW_MS - 3_600_000 },
    ),
    sparkPaymentCall({
      path: '/api/v1/webhooks/spark_payment_received/pay.example.com',
      secret: 'guessed-secret',
      user: lsp.publicKey,
    }),
  ];
  for (const call of forged) expect((await send(running.service.url, call)).status).toBe(401);
  expect(refusals(running)).toEqual(
    [
      ['lsps5', 'bad_signature'],
      ['resmic', 'bad_signature'],
      ['lsps5', 'stale_timestamp'],
      ['spark_payment_received', 'bad_signature'],
    ].map(([source, code]) => {
      return { name: 'signature_refused', source, app: 'default', code, repeated: false };
    }),
  );
  // The key of the node that signed is public, and an operator wants to know it for a refused call.
  const said = JSON.stringify([running.log.events, running.log.lines], (key, value) =>
    key === 'nodeId' ? undefined : value,
  );
  const secrets = [
    ...forged.flatMap(({ headers, body }) => [body, ...Object.values(headers).slice(1)]),
    ...['forged-session', 'guessed-secret', SECRET, DOMAIN_SECRET, ANDROID_TOKEN, lsp.publicKey],
    ...['lsps5', 'resmic'].map((door) => handleOf(device, door)),
  ];
  expect(secrets.filter((secret) => said.includes(secret))).toEqual([]);
  expect(await running.service.store.findDeliveries({ limit: 10 })).toEqual([]);
  expect(running.sandbox.received()).toEqual([]);
});

test('repeated forgeries raise an alert and block no caller: HMAC', async () => {
  for (const header of [ADDRESS_HEADER, undefined]) {
    const running = await start({ NDS_TRUSTED_ADDRESS_HEADER: header });
    const path = pathOf(running.device, 'resmic');
    for (let index = 0; index < 3 * ALLOWED; index += 1) {
      const forged = resmicCall({ path, secret: 'guessed', id: `${index}` });
      expect(refusalOf(await from(running, 'attacker', forged))).toBe('401 bad_signature');
    }
    expect(refusals(running).map(({ repeated }) => repeated)).toEqual([
      ...Array(ALLOWED - 1).fill(false),
      ...Array(2 * ALLOWED + 1).fill(true),
    ]);
    for (const address of ['attacker', 'true caller']) {
      const call = resmicCall({ path, secret: SECRET, id: address });
      expect(successOf(await from(running, address, call)).status).toBe('delivered');
    }
  }
});

test('they do not block a whole domain either, however it is spelt', async () => {
  const running = await start({ NDS_TRUSTED_ADDRESS_HEADER: undefined });
  const spellings = ['pay.example.com', 'PAY.example.com', 'Pay.Example.Com', 'pay.EXAMPLE.com'];
  const call = (domain: string, secret: string) => {
    const path = `/api/v1/webhooks/spark_payment_received/${domain}`;
    return send(running.service.url, sparkPaymentCall({ path, secret, user: lsp.publicKey }));
  };
  for (let index = 0; index < 2 * ALLOWED; index += 1) {
    const answer = await call(spellings[index % spellings.length] ?? '', 'guessed');
    expect(refusalOf(answer)).toBe('401 bad_signature');
  }
  expect(refusals(running).filter(({ repeated }) => repeated)).toHaveLength(ALLOWED + 1);
  expect(successOf(await call('pay.example.com', DOMAIN_SECRET)).status).toBe('acknowledged');
});

test('300 forgeries at once use up no limit, neither for themselves nor for the true caller: Ed25519', async () => {
  const running = await start({ NDS_TRUSTED_ADDRESS_HEADER: undefined });
  const [caller, stranger] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
  const { x = '' } = caller.publicKey.export({ format: 'jwk' });
  const secret = `whpk_${Buffer.from(x, 'base64url').toString('base64')}`;
  const device = await registerPhone(running, { secrets: { standard: [secret] } });
  const path = pathOf(device, 'standard');
  const post = (id: string, { privateKey }: typeof caller) => {
    const { body, headers } = standardCall({ path, secret, id }, { nowMs: NOW_MS });
    const content = Buffer.from(`${id}.${headers['webhook-timestamp']}.${body}`);
    const signature = `v1a,${sign(null, content, privateKey).toString('base64')}`;
    const call = { path, body, headers: { ...headers, 'webhook-signature': signature } };
    return send(running.service.url, call);
  };
  const forged = Array.from({ length: 300 }, (_, index) => post(`forged-${index}`, stranger));
  const good = post('good', caller);
  const isVerified = async (answer: Promise<Answer>) =>
    expect(refusalOf(await answer)).toBe('401 bad_signature');
  await Promise.all(forged.map(isVerified));
  expect(successOf(await good).status).toBe('delivered');
});

test('during a flood of costly signatures the true caller is still served, and so are other URLs', async () => {
  const running = await start();
  const { clock, device } = running;
  const forged = Array.from({ length: 400 }, (_, second) =>
    from(running, 'attacker', lspCall(running, second % 200, forger.secretKey)),
  );
  // Calls that find no place in the queue are refused before any time has passed.
  const refused = await Promise.race(forged.map(async (one) => refusalOf(await one)));
  expect(['401 bad_signature', '429 rate_limited']).toContain(refused);
  const good = from(running, 'the-lsp', lspCall(running, 0));
  const other = resmicCall({ path: pathOf(device, 'resmic'), secret: SECRET });
  expect(successOf(await from(running, 'attacker', other)).status).toBe('delivered');
  const second = await registerPhone(running, { user: 'another', lsp_node_ids: [lsp.publicKey] });
  const atOther = { path: pathOf(second, 'lsps5'), secretKey: lsp.secretKey };
  const there = from(running, 'attacker', lsps5Call(atOther, { atMs: NOW_MS }));
  const ended = Promise.allSettled([good, there, ...forged]).then(() => true);
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  for (let ms = 0; ms < 1_000 && !isOver; ms += 10) {
    clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  expect(successOf(await good).status).toBe('delivered');
  expect(successOf(await there).status).toBe('delivered');
  const limited = (await Promise.all(forged)).filter(({ status }) => status === 429);
  expect(limited.length).toBeGreaterThan(40);
  for (const answer of limited) {
    expect(problemOf(answer).detail).toContain('1,500 signatures a second');
    expect(answer.headers['retry-after']).toBe('1');
  }
  expect(successOf(await wake(running, device, 'aa')).status).toBe('delivered');
});

test('a problem says what to fix, and nothing about how close it was', async () => {
  const running = await start();
  const { device } = running;
  const path = pathOf(device, 'resmic');
  const good = resmicCall({ path, secret: SECRET });
  const signature = good.headers['x-signature'] ?? '';
  const wrong = `${signature.slice(0, -1)}${signature.endsWith('0') ? '1' : '0'}`;
  const details = new Set<string>();
  for (const changed of [wrong, wrong.toUpperCase(), 'ab'.repeat(32)]) {
    const call = { ...good, headers: { ...good.headers, 'x-signature': changed } };
    details.add(problemOf(await send(running.service.url, call)).detail);
  }
  expect([...details]).toEqual([
    'The header x-signature does not match the body under any secret of this URL.',
  ]);
});
