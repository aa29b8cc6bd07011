// Endpoints of the configuration on a real store, which may fail while they are taken over.

import { expect, test } from 'vitest';
import type { ConfiguredEndpoint } from '../../../src/core/events/details.ts';
import { Endpoints } from '../../../src/core/events/endpoints.ts';
import type { EventStore } from '../../../src/core/ports/events.ts';
import { StoreUnavailableError } from '../../../src/core/ports/store.ts';
import { useFiles } from '../../stores/sqlite/files.ts';
import { ENDPOINT_SECRET, sampleEndpoint } from '../../support/endpoints.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const { newFile, open } = useFiles();

function entry(name: string, changes: Partial<ConfiguredEndpoint> = {}): ConfiguredEndpoint {
  const url = 'https://vendor.example/hooks';
  return { name, url, enabledEvents: ['*'], secret: ENDPOINT_SECRET, ...changes };
}

async function setup() {
  const clock = new ManualClock();
  const { events: real } = await open(newFile());
  const state = { isSick: false };
  const store: EventStore = {
    ...real,
    listEndpoints: async () => {
      if (state.isSick) throw new StoreUnavailableError('busy');
      return await real.listEndpoints();
    },
  };
  const endpoints = new Endpoints({
    clock,
    ids: { fraction: () => 0.5, secret: () => 'x'.repeat(22), deliveryId: () => 'made' },
    store,
    sender: {
      faultOf: async () => undefined,
      send: async () => ({ kind: 'answered', status: 200 }),
      close: () => undefined,
    },
    mail: {
      fault: undefined,
      send: async () => ({ verdict: 'delivered' }),
      close: () => undefined,
    },
    observer: { observe: () => undefined },
    userOf: async () => undefined,
    join: () => undefined,
    leave: () => undefined,
  });
  return {
    ...{ clock, real, state, endpoints },
    ids: () => endpoints.all.map(({ endpoint }) => endpoint.id).toSorted(),
    /** Resolves when the store has answered everything that it was asked. */
    idle: async () => {
      for (let turns = 0; turns < 4; turns += 1) await real.listEndpoints();
    },
  };
}

test('a store that fails is asked again, with the newest configuration', async () => {
  const { clock, endpoints, state, ids, idle } = await setup();
  state.isSick = true;
  await endpoints.start([entry('a')]);
  await endpoints.start([entry('b')]);
  expect(ids()).toEqual([]);
  state.isSick = false;
  clock.advance(5_000);
  await idle();
  expect(ids()).toEqual(['ep_b']);
  clock.advance(60_000);
  await idle();
  expect(ids()).toEqual(['ep_b']);
});

test('an earlier secret of the configuration signs for a day, also after a restart, unless it comes back', async () => {
  const { endpoints, clock } = await setup();
  const [first, second] = [1, 2].map((byte) => {
    return `whsec_${Buffer.alloc(32, byte).toString('base64')}`;
  });
  const secretsOf = async (secret: string | undefined, description: string) => {
    await endpoints.start([entry('a', { secret, description })]);
    return endpoints.find('ep_a').endpoint.secrets.map((one) => [one.secret, one.untilMs]);
  };
  const untilMs = clock.wallMs() + 86_400_000;
  await secretsOf(first, '');
  expect(await secretsOf(second, '')).toEqual([
    [second, undefined],
    [first, untilMs],
  ]);
  clock.advance(1_000);
  expect(await secretsOf(second, 'changed')).toEqual([
    [second, undefined],
    [first, untilMs],
  ]);
  const later = clock.wallMs() + 86_400_000;
  expect(await secretsOf(first, '')).toEqual([
    [first, undefined],
    [second, later],
  ]);
  clock.advance(86_400_000);
  expect(await secretsOf(first, 'changed')).toEqual([[first, undefined]]);
});

test('what did not change keeps its outbox and its place, what changed is written, the rest is deleted', async () => {
  const { endpoints, real, ids } = await setup();
  await real.putEndpoint(sampleEndpoint({ id: 'ep_own' }));
  await endpoints.start([entry('a'), entry('b', { description: 'first', app: 'wallet' })]);
  const [same, changed] = [endpoints.find('ep_a'), endpoints.find('ep_b')];
  const { progress, endpoint } = same;
  await endpoints.start([entry('a'), entry('b')]);
  expect(endpoints.find('ep_a').progress).toBe(progress);
  expect(endpoints.find('ep_a').endpoint).toBe(endpoint);
  expect(endpoints.find('ep_b')).toBe(changed);
  expect(changed.endpoint).toMatchObject({ description: undefined, app: undefined });
  await endpoints.start([entry('b')]);
  expect(ids()).toEqual(['ep_b', 'ep_own']);
  const stored = await real.listEndpoints();
  expect(stored.map(({ endpoint: { id } }) => id).toSorted()).toEqual(['ep_b', 'ep_own']);
});

test('an endpoint that was disabled by hand stays so at another URL, one that the service gave up does not', async () => {
  const { endpoints, real } = await setup();
  const moved = { url: 'https://vendor.example/moved' };
  for (const [name, disabledReason, status] of [
    ['hand', 'by_operator', 'disabled'],
    ['gone', 'gone', 'enabled'],
    ['failing', 'failing', 'enabled'],
  ] as const) {
    const earlier = { id: `ep_${name}`, isConfigured: true, url: entry(name).url };
    await real.putEndpoint(sampleEndpoint({ ...earlier, status: 'disabled', disabledReason }));
    await endpoints.start([entry(name)]);
    expect(endpoints.find(`ep_${name}`).endpoint).toMatchObject({ status: 'disabled' });
    await endpoints.start([entry(name, moved)]);
    expect(endpoints.find(`ep_${name}`).endpoint, name).toMatchObject({ ...moved, status });
  }
});

test('while no service runs, the stored endpoints are listed and nothing is sent', async () => {
  const { clock, endpoints, real, ids } = await setup();
  await real.putEndpoint(sampleEndpoint({ isConfigured: true }));
  await endpoints.startSilently();
  expect(ids()).toEqual(['ep_a']);
  await endpoints.create({ url: 'https://vendor.example/new', enabledEvents: ['*'] });
  expect(ids()).toEqual(['ep_a', 'ep_made']);
  expect(clock.timers).toBe(0);
});
