// All endpoints together: when they read the table, what they take from it, and what e-mail endpoints get from memory.

import { expect, test } from 'vitest';
import type { ServiceEvent } from '../../../src/core/ports/observer.ts';
import { useFiles } from '../../stores/sqlite/files.ts';
import { sampleEmailEndpoint, sampleEndpoint } from '../../support/endpoints.ts';
import { BACKEND, HOUR, OPS, SETTLED, setupEndpoints } from './endpoints-setup.ts';

const files = useFiles();
const setup = (options: { readonly isShared?: boolean } = {}) => setupEndpoints(files, options);

test('looks again for events that were not recorded yet at the first look', async () => {
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

test('takes over at its next look what another machine added, changed and deleted', async () => {
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

test('follows how far another machine’s sender got, and never goes back by itself', async () => {
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
  // Read before the attempt was recorded.
  store.listEndpoints = async () => [{ ...stored, endpoint: renamed }];
  await endpoints.refresh();
  const { endpoint, progress: kept } = endpoints.find('ep_backend');
  expect([endpoint.description, kept.cursor]).toEqual(['renamed', 1]);
});

test('looks again after a look that failed, and does not poll a store that is not shared', async () => {
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

test('a bug at the start is logged, and the start is tried again', async () => {
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
