// The service with servers for APNs that others wrote: Pushy's, which knows Apple's rules, and one with h2, whose state
// machine refuses what HTTP/2 forbids. Every push arrives, and arrives once.

import { afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { type Setup, setup, temporaryFolder } from '../support/service.ts';
import {
  type ForeignServer,
  fetchH2,
  fetchPushy,
  makePlace,
  type Place,
  startH2,
  startPushy,
  TOPIC,
} from './servers.ts';

const PHONES = 1_000;
const OUTAGE_MS = 6_000;
const answerSchema = z.object({ status: z.unknown(), reason: z.string().optional() });

let running: ForeignServer | undefined;

beforeAll(async () => {
  await fetchPushy();
  await fetchH2();
});

afterEach(async () => {
  await running?.kill();
  running = undefined;
});

const tokenOf = (phone: number) => phone.toString(16).padStart(64, '0');

async function serviceFor(place: Place, apps: Record<string, string> = {}): Promise<Setup> {
  return await setup({
    environment: {
      APNS_ENDPOINT: `https://localhost:${place.port}`,
      APNS_TOPIC: TOPIC,
      NDS_TOKEN_RATE: '100000/100000',
      ...apps,
    },
  });
}

async function wake(service: Setup, phone: number) {
  const response = await service.notify(tokenOf(phone), phone.toString(16).padStart(64, 'a'));
  return { httpStatus: response.status, ...answerSchema.parse(await response.json()) };
}

/** How often each phone got a push. */
async function arrivals(
  server: ForeignServer,
  count: number,
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (const line of await server.waitFor('accepted', count)) {
    const path = line.split(' ')[1] ?? '';
    found.set(path, (found.get(path) ?? 0) + 1);
  }
  return found;
}

function expectOnce(found: ReadonlyMap<string, number>, phones: readonly number[]): void {
  expect(found).toEqual(new Map(phones.map((phone) => [`/3/device/${tokenOf(phone)}`, 1])));
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test('Pushy takes a push by Apple’s rules, and its refusals are understood', async () => {
  const place = await makePlace(temporaryFolder());
  running = await startPushy(place, { streams: 100, phones: PHONES });
  const service = await serviceFor(place);

  expect(await wake(service, 1)).toMatchObject({ httpStatus: 200, status: 'delivered' });
  expect(await wake(service, 0)).toMatchObject({ httpStatus: 410, reason: 'Unregistered' });
  expect(await wake(service, PHONES)).toMatchObject({
    httpStatus: 422,
    reason: 'DeviceTokenNotForTopic',
  });

  const [line = ''] = await running.waitFor('accepted', 1);
  const payload: unknown = JSON.parse(line.slice(line.indexOf('{')));
  expect(payload).toMatchObject({
    aps: { 'mutable-content': 1, alert: {} },
    notification_type: 'payment_received',
  });
});

test('a wrong key is a fault of the configuration', async () => {
  const place = await makePlace(temporaryFolder());
  running = await startPushy(place, { streams: 100, phones: PHONES });
  const service = await serviceFor(place, { APNS_KEY_ID: 'ANOTHERK01' });
  expect(await wake(service, 1)).toMatchObject({
    httpStatus: 502,
    reason: 'InvalidProviderToken',
  });
});

test('Pushy gets every push of a burst once, with few streams', async () => {
  const place = await makePlace(temporaryFolder());
  running = await startPushy(place, { streams: 20, phones: PHONES });
  const service = await serviceFor(place);
  const phones = upTo(300);
  const answers = await Promise.all(phones.map((phone) => wake(service, phone)));
  expect(new Set(answers.map(({ httpStatus }) => httpStatus))).toEqual(new Set([200]));
  expectOnce(await arrivals(running, phones.length), phones);
});

test('a lone payment survives six seconds without a server', async () => {
  const place = await makePlace(temporaryFolder());
  running = await startPushy(place, { streams: 100, phones: PHONES });
  const service = await serviceFor(place);
  expect(await wake(service, 1)).toMatchObject({ status: 'delivered' });
  await running.kill();
  const back = Promise.withResolvers<void>();
  const timer = setTimeout(back.resolve, OUTAGE_MS);
  onTestFinished(() => clearTimeout(timer));

  expect(await wake(service, 2)).toMatchObject({ httpStatus: 200, status: 'queued' });
  await back.promise;
  running = await startPushy(place, { streams: 100, phones: PHONES });
  expectOnce(await arrivals(running, 1), [2]);
  await service.log.waitFor(
    (event) => event.name === 'delivery_settled' && event.status === 'delivered',
    2,
  );
});

test.each(['plain', 'goaway', 'refuse', 'few', 'silent', 'trailers'])(
  'h2 sees no violation and gets every push once: %s',
  async (manner) => {
    const place = await makePlace(temporaryFolder());
    running = await startH2(place, manner);
    const service = await serviceFor(place);
    const phones = upTo(60);
    for (let from = 0; from < phones.length; from += 15) {
      const answers = await Promise.all(
        phones.slice(from, from + 15).map((phone) => wake(service, phone)),
      );
      expect(new Set(answers.map(({ httpStatus }) => httpStatus))).toEqual(new Set([200]));
    }
    expectOnce(await arrivals(running, phones.length), phones);
    expect(running.lines.filter((line) => line.startsWith('violation'))).toEqual([]);
  },
);
