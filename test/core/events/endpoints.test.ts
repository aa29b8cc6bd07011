// All endpoints together: what makes them look into the table, and what reaches e-mail endpoints from memory.

import { expect, onTestFinished, test } from 'vitest';
import { Endpoints } from '../../../src/core/events/endpoints.ts';
import type { EventSender, Mail, MailSender } from '../../../src/core/ports/events.ts';
import type { Observer, ServiceEvent } from '../../../src/core/ports/observer.ts';
import { useFiles } from '../../stores/sqlite/files.ts';
import { ENDPOINT_SECRET, sampleEmailEndpoint, sampleEndpoint } from '../../support/endpoints.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const { newFile, open } = useFiles();
const HOUR = 3_600_000;
const SETTLED = {
  name: 'delivery_settled',
  deliveryId: '01986476-4c00-7000-8000-000000000001',
  app: 'default',
  provider: 'fcm',
  type: 'payment_received',
  status: 'expired',
  attempts: 1,
  sinceReceiptMs: 1,
} as const satisfies ServiceEvent;

async function setup({ isShared = false } = {}) {
  const clock = new ManualClock();
  const { events: real, records, store: log } = await open(newFile());
  const store = { ...real, isShared };
  const mails: Mail[] = [];
  const signatures: string[] = [];
  const mail: MailSender = {
    fault: undefined,
    send: async ({ mail }) => {
      mails.push(mail);
      return { verdict: 'delivered', status: 250 };
    },
    close: () => undefined,
  };
  const calls: string[] = [];
  const receiver = { status: 500, isKnown: async () => {} };
  const sender: EventSender = {
    faultOf: async () => {
      await receiver.isKnown();
      return undefined;
    },
    send: async ({ url, headers, body }) => {
      signatures.push(headers['webhook-signature'] ?? '');
      calls.push(`${new URL(url).pathname} ${JSON.parse(body).type}`);
      return { kind: 'answered', status: receiver.status };
    },
    close: () => undefined,
  };
  const observers = new Set<Observer>();
  const faults: ServiceEvent[] = [];
  const endpoints = new Endpoints({
    ...{ clock, store, sender, mail },
    ids: { fraction: () => 0.5, secret: () => 'A'.repeat(22), deliveryId: () => 'id' },
    observer: {
      observe: (event) => {
        if (event.name === 'internal_fault') faults.push(event);
        for (const each of observers) each.observe(event);
      },
    },
    userOf: async () => undefined,
    join: (observer) => observers.add(observer),
    leave: (observer) => observers.delete(observer),
  });
  onTestFinished(() => endpoints.close());
  return {
    ...{ clock, store, endpoints, mails, signatures, calls, receiver, faults },
    down: (provider: 'fcm' | 'apns' = 'fcm') =>
      records.recordOutage({
        ...{ app: 'default', provider, reason: 'timeout', beganAtMs: clock.wallMs() },
      }),
    idle: async () => {
      for (let turns = 0; turns < 6; turns += 1) {
        await log.probe();
        await store.findEvent('none');
      }
    },
  };
}

const OPS = { name: 'ops', url: 'ops@vendor.example', enabledEvents: ['*'] } as const;
const BACKEND = {
  name: 'backend',
  url: 'https://vendor.example/nds',
  secret: ENDPOINT_SECRET,
  enabledEvents: ['provider.*'],
} as const;

test('looks again for what was not recorded yet at the first look', async () => {
  const { clock, endpoints, mails, down, idle } = await setup();
  await endpoints.start([OPS]);
  await idle();
  endpoints.observe(SETTLED);
  clock.advance(100);
  await idle();
  await down();
  clock.advance(900);
  await idle();
  expect(mails).toMatchObject([{ troubles: [{ type: 'provider.down' }] }]);
});

const PHONE = { app: 'default', platform: 'android', tokenHash: 'a'.repeat(32) } as const;
const OF_RECEIPTS: readonly ServiceEvent[] = [
  {
    ...{ name: 'receipt_taken', deliveryId: SETTLED.deliveryId, app: 'default', n: 1 },
    ...{ platform: 'android', type: 'payment_received', stage: 'started', isFirst: true },
  },
  { ...PHONE, name: 'device_silent', unanswered: 5 },
  { ...PHONE, name: 'device_returned' },
];

test.each(OF_RECEIPTS)('does not wait for the next look after $name', async (event) => {
  const { clock, endpoints, signatures, down, idle } = await setup();
  await endpoints.start([BACKEND]);
  await idle();
  await down();
  expect(signatures).toEqual([]);
  endpoints.observe(event);
  clock.advance(100);
  await idle();
  expect(signatures).toHaveLength(1);
});

test('warns by e-mail of an endpoint that fails for an hour, a day, three days, and is disabled', async () => {
  const { clock, endpoints, mails, down, idle } = await setup();
  await endpoints.start([BACKEND, OPS]);
  await down();
  for (let hours = 0; hours < 140; hours += 1) {
    clock.advance(HOUR);
    await idle();
  }
  const told = mails.flatMap((mail) => (mail.kind === 'alert' ? mail.troubles : []));
  expect(told).toMatchObject([
    { type: 'provider.down' },
    { type: 'mail.endpoint_failing', endpointId: 'ep_backend', reason: 'http_500' },
    { type: 'mail.endpoint_failing', endpointId: 'ep_backend' },
    { type: 'mail.endpoint_failing', endpointId: 'ep_backend' },
    { type: 'endpoint.disabled', endpointId: 'ep_backend', reason: 'failing' },
  ]);
  const hours = told.map(({ failingForMs = 0 }) => Math.floor(failingForMs / HOUR));
  expect(hours.slice(1, 4)).toEqual([1, 24, 72]);
});

test('an endpoint of the configuration can become one by e-mail, and back', async () => {
  const { endpoints } = await setup();
  await endpoints.start([BACKEND]);
  await endpoints.start([
    { name: 'backend', url: OPS.url, digest: 'hourly', enabledEvents: ['*'] },
  ]);
  expect(endpoints.find('ep_backend').endpoint).toMatchObject({ digest: 'hourly', secrets: [] });
  await endpoints.start([BACKEND]);
  const { digest, secrets } = endpoints.find('ep_backend').endpoint;
  expect([digest, secrets.length]).toEqual([undefined, 1]);
});

test('the secret before a rotation signs for a day, and no longer', async () => {
  const { clock, endpoints, signatures } = await setup();
  const { endpoint } = await endpoints.create({ url: BACKEND.url, enabledEvents: ['provider.*'] });
  await endpoints.rotate(endpoint.id);
  await endpoints.test(endpoint.id);
  clock.advance(24 * HOUR - 1);
  await endpoints.test(endpoint.id);
  clock.advance(1);
  await endpoints.test(endpoint.id);
  expect(signatures.map((signature) => signature.split(' ').length)).toEqual([2, 2, 1]);
});

test('an endpoint that asks for more is told of what is recorded from then on', async () => {
  const { endpoints, calls, receiver, down, idle } = await setup();
  receiver.status = 204;
  await endpoints.start([BACKEND]);
  const { id } = (
    await endpoints.create({ url: 'https://vendor.example/b', enabledEvents: ['device.*'] })
  ).endpoint;
  await down();
  endpoints.find(id).nudge();
  endpoints.find('ep_backend').nudge();
  await idle();
  expect(calls).toEqual(['/nds provider.down']);
  await endpoints.change(id, { enabledEvents: ['*'] });
  await idle();
  expect(calls).toEqual(['/nds provider.down']);
});

test('a change that waits for its address takes nothing back that was changed meanwhile', async () => {
  const { endpoints, store, receiver } = await setup();
  const details = { url: 'https://vendor.example/a', enabledEvents: ['*'] };
  const { id } = (await endpoints.create(details)).endpoint;
  const looked = Promise.withResolvers<void>();
  receiver.isKnown = () => looked.promise;
  const moving = endpoints.change(id, { url: 'https://vendor.example/b' });
  await Promise.all([endpoints.rotate(id), endpoints.rotate(id)]);
  looked.resolve();
  await moving;
  const [stored] = await store.listEndpoints();
  expect(stored?.endpoint.url).toBe('https://vendor.example/b');
  expect(stored?.endpoint.secrets.map(({ untilMs }) => untilMs === undefined)).toEqual([
    true,
    false,
    false,
  ]);
});

test('a change during a deletion brings nothing back', async () => {
  const { endpoints, store } = await setup();
  const details = { url: 'https://vendor.example/a', enabledEvents: ['*'] };
  const { id } = (await endpoints.create(details)).endpoint;
  const removing = endpoints.remove(id);
  await expect(endpoints.change(id, { description: 'late' })).rejects.toThrow();
  await removing;
  expect(await store.listEndpoints()).toEqual([]);
});

test('a fault of our own at the start is said, and the start is tried again', async () => {
  const { clock, endpoints, store, faults, idle } = await setup();
  const { listEndpoints } = store;
  store.listEndpoints = () => Promise.reject(new TypeError('ours'));
  await endpoints.start([BACKEND]);
  expect(faults).toMatchObject([{ name: 'internal_fault', cause: { message: 'ours' } }]);
  expect(endpoints.all).toEqual([]);
  store.listEndpoints = listEndpoints;
  clock.advance(5_000);
  await idle();
  expect(endpoints.all).toHaveLength(1);
});

test('takes in at its next look what another machine added, changed and deleted', async () => {
  const { clock, endpoints, store, calls, receiver, down, idle } = await setup({ isShared: true });
  receiver.status = 204;
  const look = async () => {
    clock.advance(10_000);
    await idle();
  };
  await endpoints.start([]);
  await store.putEndpoint(sampleEndpoint({ url: 'https://vendor.example/a' }));
  await down();
  await look();
  await store.putEndpoint(sampleEndpoint({ url: 'https://vendor.example/b' }));
  await down();
  await look();
  expect(calls).toEqual(['/a provider.down', '/b provider.down']);
  await store.putEndpoint(sampleEmailEndpoint({ id: 'ep_a' }));
  await look();
  expect(endpoints.find('ep_a').endpoint.digest).toBe('daily');
  await store.deleteEndpoint('ep_a');
  await look();
  expect(endpoints.all).toEqual([]);
  await store.putEndpoint(sampleEndpoint());
  await look();
  expect(endpoints.all).toHaveLength(1);
});

test('follows how far the endpoint of another machine got, and never goes back on its own', async () => {
  const { clock, endpoints, store, receiver, down, idle } = await setup({ isShared: true });
  receiver.status = 204;
  await endpoints.start([BACKEND]);
  const [stored] = await store.listEndpoints();
  if (stored === undefined) throw new Error('no endpoint');
  const progress = { cursor: 7, refused: 2, failingSinceMs: clock.wallMs() - 2 * HOUR };
  store.listEndpoints = async () => [{ ...stored, progress, isSentElsewhere: true }];
  await endpoints.refresh();
  expect(endpoints.find('ep_backend').progress).toEqual(progress);

  store.listEndpoints = async () => [{ ...stored, isSentElsewhere: true }];
  await endpoints.refresh();
  await down();
  endpoints.find('ep_backend').nudge();
  await idle();
  expect(endpoints.find('ep_backend').progress.cursor).toBe(1);
  const renamed = { ...stored.endpoint, description: 'renamed' };
  // Read before the attempt was noted.
  store.listEndpoints = async () => [{ ...stored, endpoint: renamed }];
  await endpoints.refresh();
  const { endpoint, progress: kept } = endpoints.find('ep_backend');
  expect([endpoint.description, kept.cursor]).toEqual(['renamed', 1]);
});

test('looks again after a look that failed, and asks nothing of a store that is not shared', async () => {
  const { clock, endpoints, store, faults, idle } = await setup({ isShared: true });
  const { listEndpoints } = store;
  await endpoints.start([]);
  store.listEndpoints = () => Promise.reject(new TypeError('ours'));
  clock.advance(10_000);
  await idle();
  expect(faults).toMatchObject([{ name: 'internal_fault', cause: { message: 'ours' } }]);
  store.listEndpoints = listEndpoints;
  await store.putEndpoint(sampleEndpoint());
  clock.advance(10_000);
  await idle();
  expect(endpoints.all).toHaveLength(1);

  const alone = await setup();
  await alone.endpoints.start([BACKEND]);
  alone.store.listEndpoints = () => Promise.reject(new TypeError('asked'));
  alone.clock.advance(20_000);
  await alone.endpoints.refresh();
  await alone.idle();
  expect(alone.faults).toEqual([]);
});
