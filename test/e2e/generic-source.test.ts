// A sender without a source of its own in nds, connected only by configuration: from the JSON to the push.

import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { refusalOf, send } from '../support/callers.ts';
import { callRegistry, faultyFields, registerPhone, successOf } from '../support/device-calls.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { pathOf, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, type Setup, setup } from '../support/service.ts';

const NOW_MS = 1_754_049_600_000;
const SECRET = 'secret-of-acme';
const ACME = {
  name: 'acme',
  signature: {
    header: 'X-Acme-Signature',
    algorithm: 'sha512',
    encoding: 'base64',
    prefix: 'v1=',
    signs: 'v0:{timestamp}:{body}',
  },
  timestamp: { header: 'X-Acme-Time', unit: 'milliseconds', tolerance_seconds: 60 },
  type: {
    pointer: '/event/type',
    names: { 'invoice.paid': 'payment_succeeded' },
    ignored: ['ping'],
  },
  id: '/event/id',
  title: { pointer: '/event/title' },
  payload: { order: '/event/order/number' },
};
const SHOP = {
  name: 'constructor',
  signature: { header: 'x-shop' },
  type: { pointer: '/type' },
  id: '/id',
};

async function start(generic: readonly object[] = [ACME, SHOP], secrets: object = {}) {
  const clock = new ManualClock(NOW_MS);
  const sources = JSON.stringify({ generic, secrets });
  const environment = { ...REGISTRY_ENVIRONMENT, NDS_SOURCES: sources };
  const running = await setup({ clock, environment });
  await running.service.reach;
  return Object.assign(running, { clock });
}

function eventBody(event: object): string {
  return JSON.stringify({ event: { type: 'invoice.paid', id: 'evt_1', ...event } });
}

/** As Acme signs: SHA-512 over version, time and body. */
function post(
  { service }: Setup,
  path: string,
  call: { readonly body?: string; readonly atMs?: number; readonly secret?: string },
) {
  const { body = eventBody({}), atMs = NOW_MS, secret = SECRET } = call;
  const signature = createHmac('sha512', secret).update(`v0:${atMs}:${body}`).digest('base64');
  const headers = { 'x-acme-time': String(atMs), 'x-acme-signature': `v1=${signature}` };
  return send(service.url, { path, headers, body });
}

test('is registered, signed and pushed like any other source', async () => {
  const running = await start();
  const device = await registerPhone(running, { secrets: { acme: ['older', SECRET] } });
  expect(pathOf(device, 'acme')).toMatch(/^\/api\/v1\/webhooks\/acme\/[\w-]{22}$/);
  const body = eventBody({
    title: 'Order paid',
    order: { number: 12345678901234567890n.toString() },
  });
  const answer = successOf(await post(running, pathOf(device, 'acme'), { body }));
  expect(answer.status).toBe('delivered');
  const [push] = running.sandbox.received();
  expect(push?.data).toEqual({
    notification_type: 'payment_succeeded',
    notification_payload:
      '{"id":"evt_1","order":"12345678901234567890","source":"acme","type":"payment_succeeded"}',
  });
  // The same event with another time and another order of fields is a repeat.
  const again = await post(running, pathOf(device, 'acme'), { body, atMs: NOW_MS - 60_000 });
  expect(successOf(again)).toEqual({ id: answer.id, status: 'duplicate' });
});

test('checks the signature as configured, and ignores the configured types', async () => {
  const running = await start([ACME], { default: { acme: [SECRET] } });
  const path = pathOf(await registerPhone(running), 'acme');
  expect(refusalOf(await post(running, path, { secret: 'another' }))).toBe('401 bad_signature');
  const stale = await post(running, path, { atMs: NOW_MS - 60_001 });
  expect(refusalOf(stale)).toBe('401 stale_timestamp');
  const future = await post(running, path, { atMs: NOW_MS + 60_001 });
  expect(refusalOf(future)).toBe('401 stale_timestamp');
  const ping = await post(running, path, { body: '{"event":{"type":"ping"}}' });
  expect(successOf(ping).status).toBe('ignored');
  const faulty = await post(running, path, { body: '{"event":{"type":"invoice.paid"}}' });
  expect(refusalOf(faulty)).toBe('400 bad_body');
  expect(running.sandbox.received()).toEqual([]);
});

test('a name that means something to JavaScript is a name like any other', async () => {
  const running = await start();
  const device = await registerPhone(running, { secrets: { constructor: [SECRET] } });
  const body = '{"type":"sold","id":7}';
  const headers = { 'x-shop': createHmac('sha256', SECRET).update(body).digest('hex') };
  const path = pathOf(device, 'constructor');
  expect(successOf(await send(running.service.url, { path, headers, body })).status).toBe(
    'delivered',
  );
  const bare = await registerPhone(running, { user: 'without secrets' });
  const other = { path: pathOf(bare, 'constructor'), headers, body };
  expect(refusalOf(await send(running.service.url, other))).toBe('401 bad_signature');
});

test('cannot take the name of a door, nor of another source', async () => {
  const doors = ['notify', 'lsps5', 'spark_ssp', 'spark_payment_received', 'standard'];
  for (const name of [...doors, 'resmic', 'paymentflow', 'payment_api', 'epay', 'acme']) {
    const failure = await start([ACME, { ...ACME, name }]).then(
      () => 'it started',
      (reason: unknown) => String(reason),
    );
    expect(failure, name).toMatch(new RegExp(`NDS_SOURCES: .*${name}`));
  }
});

test('a secret in a form that its source does not have is refused at start and at registration', async () => {
  const signature = { ...SHOP.signature, secret_encoding: 'base64' };
  const shop = { ...SHOP, name: 'shop', signature };
  const failure = await start([shop], { default: { shop: ['not base64'] } }).then(
    () => 'it started',
    (reason: unknown) => String(reason),
  );
  expect(failure).toMatch(/NDS_SOURCES: secrets\.default\.shop\.0: must be base64/);
  expect(failure).not.toContain('not base64');
  const running = await start([shop]);
  const body = { platform: 'android', token: ANDROID_TOKEN, secrets: { shop: ['not base64'] } };
  const answer = await callRegistry(running, { method: 'POST', body });
  expect(refusalOf(answer)).toBe('400 bad_body');
  expect(faultyFields(answer)).toEqual(['secrets.shop.0']);
  const device = await registerPhone(running, { secrets: { shop: ['whsec_AAECAw=='] } });
  const event = '{"type":"sold","id":7}';
  const key = Buffer.from([0, 1, 2, 3]);
  const headers = { 'x-shop': createHmac('sha256', key).update(event).digest('hex') };
  const call = { path: pathOf(device, 'shop'), headers, body: event };
  expect((await send(running.service.url, call)).status).toBe(200);
  expect(running.sandbox.received()).toHaveLength(1);
});
