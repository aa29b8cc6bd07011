// Traces as a collector of OpenTelemetry gets them: a call, its attempts and the store's transactions, without any part
// of a query or a path. Without configuration there are none, and no library is loaded.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { registerPhone, wake } from '../support/device-calls.ts';
import { handleOf, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath, setup } from '../support/service.ts';

const HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';

const attribute = z.object({
  key: z.string(),
  value: z.looseObject({
    stringValue: z.string().optional(),
    intValue: z.union([z.string(), z.number()]).optional(),
  }),
});
const spanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  attributes: z.array(attribute),
  status: z.object({ code: z.number().optional() }),
});
const exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })),
    }),
  ),
});

/** A collector that takes OTLP over HTTP in JSON. */
async function startCollector() {
  const bodies: unknown[] = [];
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? '');
    void json(request).then((body) => {
      bodies.push(body);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    paths,
    text: () => JSON.stringify(bodies),
    resources: () => bodies.flatMap((body) => exported.parse(body).resourceSpans),
    spans: () =>
      bodies
        .flatMap((body) => exported.parse(body).resourceSpans)
        .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
        .map((span) => ({
          ...span,
          attributes: Object.fromEntries(
            span.attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]),
          ),
        })),
  };
}

test('a call and its attempts are one trace, whose id is that of the delivery', async () => {
  const collector = await startCollector();
  const running = await setup({ environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint } });
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'refused_stream' } });
  const answer = await running.notify(ANDROID_TOKEN, HASH);
  const id = answer.headers.get('delivery-id') ?? '';
  await running.notify(ANDROID_TOKEN, HASH);
  await running.service.stop();

  expect(new Set(collector.paths)).toEqual(new Set(['/v1/traces']));
  const traceId = id.replaceAll('-', '');
  const spans = collector.spans();
  const [call, repeat, ...others] = spans.filter(({ name }) => name === 'POST /api/v1/notify');
  expect(others).toEqual([]);
  expect(call).toMatchObject({
    traceId,
    kind: 2,
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/api/v1/notify',
      'http.response.status_code': 200,
      'nds.delivery_id': id,
      'nds.told': 'delivered',
    },
  });
  expect(call?.parentSpanId ?? '').toBe('');
  expect(repeat).toMatchObject({ traceId, attributes: { 'nds.told': 'duplicate' } });
  expect(repeat?.spanId).not.toBe(call?.spanId);
  const attempts = spans.filter(({ name }) => name === 'push fcm');
  expect(attempts.length).toBeGreaterThan(0);
  for (const attempt of attempts) {
    expect(attempt).toMatchObject({ traceId, parentSpanId: call?.spanId, kind: 3 });
    expect(Number(attempt.startTimeUnixNano)).toBeLessThanOrEqual(Number(attempt.endTimeUnixNano));
  }
  expect(attempts.at(-1)?.attributes).toMatchObject({
    'nds.app': 'default',
    'nds.provider': 'fcm',
    'nds.outcome': 'delivered',
  });
  expect(spans.map(({ name }) => name)).toContain('store batch');
  const [resource] = collector.resources();
  expect(resource?.resource.attributes).toContainEqual({
    key: 'service.name',
    value: { stringValue: 'nds' },
  });
});

test('nothing of a query, a path or a body goes to the collector, whatever the call was', async () => {
  const collector = await startCollector();
  const running = await setup({
    environment: { ...REGISTRY_ENVIRONMENT, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
  });
  const device = await registerPhone(running, { user: 'the-user-of-the-device' });
  await wake(running, device, HASH);
  await running.notify(IOS_TOKEN, HASH);
  await running.post(notifyPath(ANDROID_TOKEN, { app: 'an-app-nobody-has' }), '{"no":"template"}');
  await running.post(`/n/handle-that-nobody-has?token=${ANDROID_TOKEN}`, '{}');
  await running.post(`/api/v1/webhooks/a-source-nobody-has/${IOS_TOKEN}`, '{}');
  await running.post(`/nowhere/${IOS_TOKEN}`, '{}');
  await running.service.stop();
  const names = new Set(collector.spans().map(({ name }) => name));
  expect(names).toEqual(
    new Set([
      'POST /n/:handle',
      'POST /api/v1/notify',
      'POST /api/v1/webhooks/:source/:handle',
      'push apns',
      'push fcm',
      'store batch',
    ]),
  );
  const text = collector.text();
  for (const secret of [
    ...[IOS_TOKEN, ANDROID_TOKEN, HASH, handleOf(device, 'notify'), 'nobody-has'],
    ...['the-user-of-the-device', 'template', 'nowhere'],
  ]) {
    expect(text).not.toContain(secret);
  }
});

test('a collector that is away delays neither calls nor the stop', async () => {
  const running = await setup({
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' },
  });
  expect((await running.notify(ANDROID_TOKEN, HASH)).status).toBe(200);
  await running.service.stop();
});
