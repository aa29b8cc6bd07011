// What Prometheus reads: that it shows what happened, and that no caller can make it grow.

import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { startService } from '../../src/main.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { invoiceRequestBody, send, startCall } from '../support/callers.ts';
import { setupDriven } from '../support/driven-service.ts';
import { METRICS_ENVIRONMENT, metric, readPage, samplesIn } from '../support/metrics.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { handleOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import {
  ANDROID_TOKEN,
  createTestLog,
  IOS_TOKEN,
  notifyPath,
  type Setup,
  setup,
} from '../support/service.ts';

const HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';

function setupWithMetrics(): Promise<Setup> {
  return setup({ environment: { ...METRICS_ENVIRONMENT, ...REGISTRY_ENVIRONMENT } });
}

test('serves metrics only where it is configured to, and nothing else there', async () => {
  const without = await setup();
  expect(without.service.metricsUrl).toBeUndefined();
  expect((await fetch(`${without.service.url}/metrics`)).status).toBe(404);

  const running = await setupWithMetrics();
  const response = await fetch(running.service.metricsUrl ?? '');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect((await fetch(`${running.service.url}/metrics`)).status).toBe(404);
  for (const path of ['/', '/readyz', '/api/v1/devices', '/notify']) {
    expect((await fetch(new URL(path, running.service.metricsUrl))).status, path).toBe(404);
  }
});

test('counts the answers to callers, the ends of deliveries and the refusals', async () => {
  const running = await setupWithMetrics();
  await running.notify(IOS_TOKEN, HASH);
  await running.notify(IOS_TOKEN, HASH);
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  await running.notify(ANDROID_TOKEN, HASH);
  await running.post(notifyPath(ANDROID_TOKEN), 'no json');
  await running.post('/api/v1/webhooks/resmic/unknown', '{}');
  await running.service.settled();

  const call = { app: 'default', source: 'notify', type: 'payment_received' };
  expect(await metric(running, 'nds_calls_total', { ...call, result: 'delivered' })).toBe(1);
  expect(await metric(running, 'nds_calls_total', { ...call, result: 'duplicate' })).toBe(1);
  expect(await metric(running, 'nds_calls_total', { ...call, result: 'refused' })).toBe(1);
  const unread = { ...call, type: 'unknown', result: 'refused' };
  expect(await metric(running, 'nds_calls_total', unread)).toBe(1);
  expect(await metric(running, 'nds_calls_total', { source: 'resmic' })).toBe(1);

  const push = { app: 'default', provider: 'apns' };
  const delivered = { ...push, type: 'payment_received', status: 'delivered' };
  expect(await metric(running, 'nds_deliveries_total', delivered)).toBe(1);
  expect(await metric(running, 'nds_deliveries_total', { status: 'unregistered' })).toBe(1);
  expect(await metric(running, 'nds_attempts_total', { ...push, outcome: 'delivered' })).toBe(1);
  const dead = { provider: 'fcm', outcome: 'unregistered', reason: 'UNREGISTERED' };
  expect(await metric(running, 'nds_attempts_total', dead)).toBe(1);
  expect(await metric(running, 'nds_tokens_quarantined')).toBe(1);
  expect(await metric(running, 'nds_delivery_duration_seconds_count', { provider: 'apns' })).toBe(
    1,
  );

  const refused = (door: string, code: string) =>
    metric(running, 'nds_refusals_total', { door, code });
  expect(await refused('notify', 'token_unregistered')).toBe(1);
  expect(await refused('notify', 'bad_body')).toBe(1);
  expect(await refused('resmic', 'unknown_handle')).toBe(1);
  const route = { http_route: '/api/v1/notify', http_request_method: 'POST' };
  const requests = (status: string) =>
    metric(running, 'http_server_request_duration_seconds_count', {
      ...route,
      http_response_status_code: status,
    });
  expect([await requests('2xx'), await requests('4xx')]).toEqual([2, 2]);
  expect(await metric(running, 'nds_store_batch_rows_sum')).toBeGreaterThan(2);
  const atSeconds = await metric(running, 'nds_provider_last_success_timestamp_seconds', push);
  expect(Date.now() / 1_000 - atSeconds).toBeLessThan(60);
  expect(await metric(running, 'nds_connections_total', { ...push, result: 'opened' })).toBe(2);
});

test('counts a wrong signature by its source and cause', async () => {
  const running = await setupWithMetrics();
  const secrets = { resmic: ['a secret of the device'] };
  const device = await register(running, { platform: 'ios', token: IOS_TOKEN, secrets });
  const path = `/api/v1/webhooks/resmic/${handleOf(device, 'resmic')}`;
  await running.post(path, '{}', { headers: { 'x-signature': 'ab' } });
  const failures = { source: 'resmic', cause: 'bad_signature' };
  expect(await metric(running, 'nds_signature_failures_total', failures)).toBe(1);
  expect(await metric(running, 'nds_calls_total', { source: 'resmic', app: 'default' })).toBe(1);
});

test('measures how long a device took for its reply', async () => {
  const running = await setupWithMetrics();
  const path = notifyPath(ANDROID_TOKEN);
  const { answer } = startCall(running.service.url, { path, body: invoiceRequestBody('lni1qq') });
  const [push] = await running.sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 1);
  const { reply_url: replyUrl } = JSON.parse(push?.data.notification_payload ?? '{}');
  await running.post(new URL(replyUrl).pathname, '{"invoice":"lni1qq"}');
  expect((await answer).status).toBe(200);
  expect(await metric(running, 'nds_reply_duration_seconds_count')).toBe(1);
  const call = { app: 'default', source: 'notify', type: 'invoice_request', result: 'replied' };
  expect(await metric(running, 'nds_calls_total', call)).toBe(1);
});

test('counts requests that are not HTTP', async () => {
  const running = await setupWithMetrics();
  const raw = await RawSocket.open(running.service.url);
  raw.write('NO HTTP AT ALL\r\n\r\n');
  expect(await raw.head()).toContain(' 400 ');
  const refused = { door: 'none', code: 'bad_request' };
  expect(await metric(running, 'nds_refusals_total', refused)).toBe(1);
});

test('has no further series for texts that callers invent', async () => {
  const running = await setupWithMetrics();
  const invent = async (number: number) => {
    const { url } = running.service;
    const word = `invented_${number}`;
    const body = '{"template":"payment_received","data":{"payment_hash":"ab"}}';
    await send(url, { path: `/${word}/x`, body });
    await send(url, { method: word.toUpperCase().replace(/_/g, '-'), path: '/notify' }).catch(
      // Node itself answers a request whose method is not one of HTTP's.
      () => {},
    );
    await send(url, { path: notifyPath(ANDROID_TOKEN, { app: word }), body });
    await send(url, { path: notifyPath(IOS_TOKEN), body: body.replace('payment_received', word) });
    await send(url, { path: `/api/v1/webhooks/${word}/${word}`, body });
    await send(url, { path: `/api/v1/webhooks/spark_payment_received/${word}.example`, body });
    await send(url, { path: `/api/v1/lsps5/${word}`, body });
    await send(url, { path: `/api/v1/response/${word}`, body });
    await send(url, { method: 'GET', path: `/api/v1/devices/${word}`, body: '' });
    await send(url, { path: `${notifyPath(`phone-${number}`)}&platform=${word}`, body });
  };
  const series = async () => {
    return samplesIn(await readPage(running)).map(({ name, labels }) => [name, labels]);
  };
  await invent(0);
  const before = await series();
  for (let number = 1; number < 20; number += 1) await invent(number);
  expect(await series()).toEqual(before);
  expect(JSON.stringify(before)).not.toContain('invented');
});

test('shows how long the queue is and how late, and which breaker is open', async () => {
  const { pay, running, store, clock } = await setupDriven({ environment: METRICS_ENVIRONMENT });
  expect(await metric(running, 'nds_queue_deliveries')).toBe(0);
  await running.sandbox.startOutage('fcm', { kind: 'status_503' });
  for (const number of [1, 2, 3, 4]) await pay(`phone-${number}:APA91b`, `a${number}`);
  expect(await metric(running, 'nds_breaker_status', { provider: 'fcm', state: 'open' })).toBe(1);
  expect(await metric(running, 'nds_breaker_status', { provider: 'apns', state: 'open' })).toBe(0);
  expect(await metric(running, 'nds_queue_deliveries')).toBeGreaterThan(0);
  expect(await metric(running, 'nds_queue_oldest_due_seconds')).toBe(0);
  const release = store.hold(['claimDue']);
  clock.advance(20_000);
  const late = await metric(running, 'nds_queue_oldest_due_seconds');
  expect(late).toBeGreaterThan(10);
  expect(late).toBeLessThan(20);
  release();
});

test('can be read while the database fails, and says that it does', async () => {
  const { pay, running, store } = await setupDriven({ environment: METRICS_ENVIRONMENT });
  expect(await metric(running, 'nds_store_healthy')).toBe(1);
  store.fail('io', ['insert', 'queueState', 'probe']);
  await pay(ANDROID_TOKEN, 'aa');
  expect(await metric(running, 'nds_store_healthy')).toBe(0);
  expect(await metric(running, 'nds_queue_deliveries')).toBeNaN();
});

test('does not start if the port of the metrics is taken, and leaves nothing open', async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
  const address = blocker.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const running = await setup();
  await running.service.stop();
  const clock = createSystemClock();
  const environment = {
    ...running.environment,
    NDS_METRICS_ADDRESS: `127.0.0.1:${address.port}`,
  };
  const start = async () => startService(await prepare(environment, clock), createTestLog());
  await expect(start()).rejects.toThrow(/EADDRINUSE/);
  blocker.close();
  // The database has no owner now.
  const service = await start();
  await service.stop();
});

test('gives the port of the metrics back when the service stops', async () => {
  const running = await setupWithMetrics();
  const { port } = new URL(running.service.metricsUrl ?? '');
  await readPage(running);
  await running.restart({ NDS_METRICS_ADDRESS: `127.0.0.1:${port}` });
  expect(running.service.metricsUrl).toContain(`:${port}/`);
  expect(await metric(running, 'nds_build_info', { node: process.versions.node })).toBe(1);
  const manifest = await import('../../package.json', { with: { type: 'json' } });
  expect(await metric(running, 'nds_build_info', { version: manifest.default.version })).toBe(1);
});
