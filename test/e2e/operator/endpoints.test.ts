// Endpoints and their events as a vendor's backend sees them: registered over HTTP, sent in order, signed.

import { createHash } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { isEventType } from '../../../src/core/events/catalogue.ts';
import { eventSchema } from '../../../src/http/openapi/endpoint-paths.ts';
import {
  attemptsAnswer,
  endpointAnswer,
  listEndpointsAnswer,
  sentAnswer,
} from '../../../src/http/operator/endpoints.ts';
import { standardWebhooks } from '../../../src/sources/standard-webhooks.ts';
import { headersOf, type Receiver, startReceiver } from '../../support/event-receiver.ts';
import { KEYS, OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import { ANDROID_TOKEN, type Setup, setup } from '../../support/service.ts';

const NETWORKS = { NDS_ENDPOINT_NETWORKS: '127.0.0.0/8' };
const HASH = 'AB'.repeat(32);

async function start(): Promise<{ readonly running: Setup; readonly receiver: Receiver }> {
  const receiver = await startReceiver();
  const running = await setup({ environment: { ...OPERATOR_ENVIRONMENT, ...NETWORKS } });
  return { running, receiver };
}

async function create(running: Setup, body: object) {
  const answer = await operate(running, { method: 'POST', path: '/endpoints', body });
  return endpointAnswer.parse(told(answer));
}

function post(running: Setup, path: string, body: object = {}) {
  return operate(running, { method: 'POST', path: `/endpoints/${path}`, body });
}

function lose(running: Setup): Promise<Response> {
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', times: 1, fault });
  return running.notify(ANDROID_TOKEN, HASH);
}

test('a backend gets an event for a dead token and finds its user with only the token', async () => {
  const { running, receiver } = await start();
  const { secret = '' } = await create(running, {
    url: receiver.url,
    enabled_events: ['delivery.*', 'device.*'],
  });
  await lose(running);
  const [first, second] = await receiver.wait(2);

  const digest = createHash('sha256').update(ANDROID_TOKEN).digest('hex');
  const events = [first, second].map((one) => {
    const verified: unknown = new Webhook(secret).verify(one?.raw ?? '', headersOf(one));
    expect(verified).toEqual(one?.event);
    return one?.event;
  });
  expect(events.map((event) => event?.type).toSorted()).toEqual([
    'delivery.unregistered',
    'device.quarantined',
  ]);
  const unregistered = events.find((event) => event?.type === 'delivery.unregistered');
  expect(unregistered?.data).toMatchObject({
    app: 'default',
    provider: 'fcm',
    notification_type: 'payment_received',
    reason: 'UNREGISTERED',
    token_sha256: digest,
    subject_sha256: createHash('sha256').update(HASH.toLowerCase()).digest('hex'),
  });
  for (const event of events) {
    const type = event?.type ?? '';
    expect(isEventType(type) && eventSchema(type).safeParse(event).success, type).toBe(true);
  }
  const [call] = receiver.received;
  const request = { headers: headersOf(call), body: Buffer.from(call?.raw ?? '') };
  expect(() =>
    standardWebhooks.authenticate(
      { ...request, receivedAtMs: Date.now() },
      { secrets: [secret], nodeIds: [] },
    ),
  ).not.toThrow();
  for (const { raw } of receiver.received) expect(raw).not.toContain(ANDROID_TOKEN);
});

test('shows a secret once, and signs with both for a day after a rotation', async () => {
  const { running, receiver } = await start();
  const { id, secret = '' } = await create(running, { url: receiver.url, description: 'prod' });
  const listed = listEndpointsAnswer.parse(told(await operate(running, { path: '/endpoints' })));
  expect(listed.endpoints).toMatchObject([{ id, object: 'endpoint', status: 'enabled' }]);
  expect(JSON.stringify(listed)).not.toContain('whsec_');

  const rotated = endpointAnswer.parse(told(await post(running, `${id}/secret/rotate`)));
  expect(rotated.secret).not.toBe(secret);
  const sent = sentAnswer.parse(told(await post(running, `${id}/test`)));
  expect(sent).toMatchObject({ outcome: 'delivered', status: 200 });
  const [ping] = await receiver.wait(1);
  const headers = headersOf(ping);
  for (const one of [secret, rotated.secret ?? '']) {
    expect(() => new Webhook(one).verify(ping?.raw ?? '', headers)).not.toThrow();
  }
  expect(ping?.event.type).toBe('test.ping');
});

test('says what is wrong with an endpoint, and keeps its attempts', async () => {
  const { running, receiver } = await start();
  receiver.answer = (response) => response.writeHead(500).end('x'.repeat(100_000));
  const { id } = await create(running, { url: receiver.url });
  const sent = sentAnswer.parse(told(await post(running, `${id}/test`)));
  expect(sent).toMatchObject({ outcome: 'failed', status: 500, reason: 'http_500' });
  const path = `/endpoints/${id}/attempts`;
  const { attempts } = attemptsAnswer.parse(told(await operate(running, { path })));
  expect(attempts).toMatchObject([{ type: 'test.ping', outcome: 'failed', status: 500 }]);

  const refused = await operate(running, {
    method: 'POST',
    path: '/endpoints',
    body: { url: 'https://169.254.169.254/latest', enabled_events: ['delivery.gone'], extra: 1 },
  });
  expect(refused.status).toBe(400);
  expect(refused.text).toContain('enabled_events');
  const inward = { url: 'https://169.254.169.254/latest' };
  const refusal = await operate(running, { method: 'POST', path: '/endpoints', body: inward });
  expect(refusal.text).toContain('must lead to the public internet');
  expect(refusal.text).not.toContain('169.254');
});

test('an address that is no longer allowed is not called', async () => {
  const { running, receiver } = await start();
  const { id } = await create(running, { url: receiver.url, enabled_events: ['delivery.*'] });
  await running.restart({ NDS_ENDPOINT_NETWORKS: '' });
  const refused = { outcome: 'failed', reason: 'address_refused' };
  expect(told(await post(running, `${id}/test`))).toMatchObject(refused);
  await lose(running);
  await running.log.waitFor((event) => event.name === 'event_sent', 2);
  await running.service.settled();
  const path = `/endpoints/${id}/attempts`;
  const { attempts } = attemptsAnswer.parse(told(await operate(running, { path })));
  expect(attempts).toMatchObject([
    { type: 'delivery.unregistered', ...refused },
    { type: 'test.ping', ...refused },
  ]);
  const saved = [
    await operate(running, { method: 'POST', path: '/endpoints', body: { url: receiver.url } }),
    await operate(running, {
      method: 'PATCH',
      path: `/endpoints/${id}`,
      body: { url: receiver.url },
    }),
  ];
  for (const { status, text } of saved) {
    expect(status).toBe(400);
    expect(text).toContain('NDS_ENDPOINT_NETWORKS');
  }
  expect(receiver.received).toEqual([]);
});

test('sends an event again, goes back in time, and deletes', async () => {
  const { running, receiver } = await start();
  const { id } = await create(running, { url: receiver.url, enabled_events: ['delivery.*'] });
  await lose(running);
  const [first] = await receiver.wait(1);
  const event = String(first?.headers['webhook-id']);
  const again = sentAnswer.parse(told(await post(running, `${id}/redeliver`, { event })));
  expect(again).toMatchObject({ event, outcome: 'delivered' });
  told(await post(running, `${id}/redeliver`, { since: '1h' }));
  const calls = await receiver.wait(3);
  expect(calls.map(({ headers }) => headers['webhook-id'])).toEqual([event, event, event]);
  expect((await post(running, `${id}/redeliver`, { event: 'evt_x' })).status).toBe(404);
  told(await operate(running, { method: 'DELETE', path: `/endpoints/${id}` }));
  expect((await operate(running, { path: `/endpoints/${id}` })).status).toBe(404);
});

test('needs the scope, and is limited in number', async () => {
  const { running, receiver } = await start();
  const read = await operate(running, { path: '/endpoints', key: KEYS.read });
  expect(read.status).toBe(403);
  const made = await Promise.all(
    Array.from({ length: 32 }, () => create(running, { url: receiver.url })),
  );
  expect(new Set(made.map(({ id }) => id)).size).toBe(32);
  const body = { url: receiver.url };
  const more = await operate(running, { method: 'POST', path: '/endpoints', body });
  expect(more.status).toBe(409);
});

test('takes endpoints from the configuration, which the API cannot change', async () => {
  const receiver = await startReceiver();
  const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
  const NDS_ENDPOINTS = JSON.stringify([{ name: 'backend', url: receiver.url, secret }]);
  const running = await setup({
    environment: { ...OPERATOR_ENVIRONMENT, ...NETWORKS, NDS_ENDPOINTS },
  });
  await lose(running);
  const [first] = await receiver.wait(1);
  expect(String(first?.headers['webhook-signature'])).toMatch(/^v1,/);
  const path = '/endpoints/ep_backend';
  const shown = endpointAnswer.parse(told(await operate(running, { path })));
  expect(shown).toMatchObject({ configured: true, status: 'enabled' });
  const removed = await operate(running, { method: 'DELETE', path });
  expect(removed.status).toBe(409);
});
