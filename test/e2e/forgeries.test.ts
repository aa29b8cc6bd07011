// Forged calls: counted, told to the operator when they repeat, and refused before anything is computed,
// while everybody else's pushes go on. Of what was refused nothing is kept.

import { expect, test } from 'vitest';
import type { ServiceEvent } from '../../src/core/ports/observer.ts';
import { type Answer, type Call, problemOf, refusalOf, send } from '../support/callers.ts';
import { registerPhone, successOf, wake } from '../support/device-calls.ts';
import { createWallet } from '../support/lightning-wallet.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { handleOf, pathOf, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, type Setup, setup } from '../support/service.ts';
import {
  lsps5Call,
  paymentflowCall,
  resmicCall,
  sparkPaymentCall,
} from '../support/signed-calls.ts';

const NOW_MS = 1_754_049_600_000;
const SECRET = 'secret-of-the-device';
const DOMAIN_SECRET = 'secret-of-the-domain';
const ADDRESS_HEADER = 'X-Test-Address';
/** Wrong signatures that a handle takes from one address before it is shut for it. */
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

/** Sends a call as if it came from an address. */
function from({ service }: Setup, address: string, call: Call): Promise<Answer> {
  return send(service.url, { ...call, headers: { ...call.headers, [ADDRESS_HEADER]: address } });
}

function lspCall({ device }: Running, second: number, secretKey = lsp.secretKey) {
  return lsps5Call({ path: pathOf(device, 'lsps5'), secretKey }, { atMs: NOW_MS - second * 1_000 });
}

async function forge(running: Running, times: number, address: string): Promise<void> {
  for (let second = 0; second < times; second += 1) {
    const answer = await from(running, address, lspCall(running, second, forger.secretKey));
    expect(refusalOf(answer), `${second}`).toBe('401 bad_signature');
  }
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
  const said = JSON.stringify([running.log.events, running.log.lines]);
  const secrets = [
    ...forged.flatMap(({ headers, body }) => [body, ...Object.values(headers).slice(1)]),
    ...['forged-session', 'guessed-secret', SECRET, DOMAIN_SECRET, ANDROID_TOKEN, lsp.publicKey],
    ...['lsps5', 'resmic'].map((door) => handleOf(device, door)),
  ];
  expect(secrets.filter((secret) => said.includes(secret))).toEqual([]);
  expect(await running.service.store.findDeliveries({ limit: 10 })).toEqual([]);
  expect(running.sandbox.received()).toEqual([]);
});

test('forgeries that repeat raise an alert, and are no longer looked at', async () => {
  const running = await start();
  await forge(running, ALLOWED, 'attacker');
  expect(refusals(running).map(({ repeated }) => repeated)).toEqual([
    ...Array(ALLOWED - 1).fill(false),
    true,
  ]);
  // Even a right signature is not looked at any more.
  const right = await from(running, 'attacker', lspCall(running, 0));
  expect(refusalOf(right)).toBe('429 rate_limited');
  expect(Number(right.headers['retry-after'])).toBeGreaterThan(0);
  for (let second = 0; second < 50; second += 1) {
    const answer = await from(running, 'attacker', lspCall(running, second, forger.secretKey));
    expect(refusalOf(answer)).toBe('429 rate_limited');
  }
  expect(refusals(running)).toHaveLength(ALLOWED);
  expect(await running.service.store.findDeliveries({ limit: 10 })).toEqual([]);
});

test('whoever was shut out is heard again after a while', async () => {
  const running = await start();
  await forge(running, ALLOWED, 'attacker');
  const answer = await from(running, 'attacker', lspCall(running, 0));
  running.clock.advance(Number(answer.headers['retry-after']) * 1_000);
  const heard = await from(running, 'attacker', lspCall(running, 0));
  expect(successOf(heard).status).toBe('delivered');
});

test('a stranger’s forgeries shut out neither the true caller nor any other door or device', async () => {
  const running = await start();
  const { device } = running;
  const other = await registerPhone(running, {
    user: 'another',
    lsp_node_ids: [lsp.publicKey],
  });
  await forge(running, ALLOWED, 'attacker');
  const path = pathOf(other, 'lsps5');
  const calls: readonly (readonly [string, Call])[] = [
    ['the-lsp', lspCall(running, 0)],
    ['attacker', resmicCall({ path: pathOf(device, 'resmic'), secret: SECRET })],
    ['attacker', lsps5Call({ path, secretKey: lsp.secretKey }, { atMs: NOW_MS })],
  ];
  for (const [address, call] of calls) {
    expect(successOf(await from(running, address, call)).status, call.path).toBe('delivered');
  }
  expect(successOf(await wake(running, device, 'aa')).status).toBe('delivered');
});

test('one address that forges at every device is shut out of all of them', async () => {
  const running = await start({ NDS_ADDRESS_RATE: '100000/1000' });
  const devices = [];
  for (let index = 0; index < 11; index += 1) {
    devices.push(
      await registerPhone(running, { user: `user-${index}`, lsp_node_ids: [lsp.publicKey] }),
    );
  }
  const statuses: number[] = [];
  for (const device of devices) {
    for (let second = 0; second < ALLOWED; second += 1) {
      const address = { path: pathOf(device, 'lsps5'), secretKey: forger.secretKey };
      const call = lsps5Call(address, { atMs: NOW_MS - second * 1_000 });
      statuses.push((await from(running, 'attacker', call)).status);
    }
  }
  expect(statuses.filter((status) => status === 401)).toHaveLength(200);
  expect(statuses.slice(200).every((status) => status === 429)).toBe(true);
  expect(successOf(await from(running, 'the-lsp', lspCall(running, 0))).status).toBe('delivered');
});

test('behind a proxy that tells no addresses, forgeries at one device shut out that door alone', async () => {
  const running = await start({ NDS_TRUSTED_ADDRESS_HEADER: undefined });
  const devices = [];
  for (let index = 0; index < 11; index += 1) {
    devices.push(
      await registerPhone(running, { user: `user-${index}`, secrets: { resmic: [SECRET] } }),
    );
  }
  for (const device of devices) {
    const path = pathOf(device, 'resmic');
    for (let index = 0; index < ALLOWED; index += 1) {
      const call = resmicCall({ path, secret: 'guessed', id: `${index}` });
      expect(refusalOf(await send(running.service.url, call))).toBe('401 bad_signature');
    }
    const shut = await send(running.service.url, resmicCall({ path, secret: SECRET }));
    expect(refusalOf(shut)).toBe('429 rate_limited');
  }
  const other = paymentflowCall({ path: pathOf(running.device, 'paymentflow'), secret: SECRET });
  expect(successOf(await send(running.service.url, other)).status).toBe('delivered');
});

test('a domain is one door, however it is spelled', async () => {
  const running = await start({ NDS_TRUSTED_ADDRESS_HEADER: undefined });
  const spellings = ['pay.example.com', 'PAY.example.com', 'Pay.Example.Com', 'pay.EXAMPLE.com'];
  const forgedAt = (domain: string) => {
    const path = `/api/v1/webhooks/spark_payment_received/${domain}`;
    return send(
      running.service.url,
      sparkPaymentCall({ path, secret: 'guessed', user: lsp.publicKey }),
    );
  };
  for (let index = 0; index < ALLOWED; index += 1) {
    const answer = await forgedAt(spellings[index % spellings.length] ?? '');
    expect(refusalOf(answer)).toBe('401 bad_signature');
  }
  for (const domain of spellings) {
    expect(refusalOf(await forgedAt(domain)), domain).toBe('429 rate_limited');
  }
});

test('a problem says what to mend, and nothing about how close it was', async () => {
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
    'The header x-signature does not fit the body and any secret of this URL.',
  ]);
});
