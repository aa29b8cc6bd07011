// A lane: places in flight, which deliveries wait for one, what an answer says about the provider, and the project's
// pace.

import { expect, test } from 'vitest';
import type { Outcome, RetryCertainty } from '../../../src/core/outcome.ts';
import type { Provider, Trust } from '../../../src/core/ports/provider.ts';
import { Lane, type Ticket } from '../../../src/core/sending/lane.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const SECOND = 1_000;
const DELIVERED: Outcome = { kind: 'delivered' };
const PROVIDER: Provider = {
  name: 'fcm',
  prepare: () => ({ excessBytes: 0, send: () => Promise.reject(new Error('not sent here')) }),
  warm: () => Promise.resolve({ ready: true }),
  health: () => ({ ready: true }),
  traffic: () => ({ streams: 0, connectionsOpened: 0, connectionsFailed: 0 }),
  close: () => Promise.resolve(),
};

function setup(maxInFlight = 4) {
  const clock = new ManualClock();
  const lane = new Lane({
    app: 'default',
    provider: PROVIDER,
    clock,
    options: { maxInFlight, maxUnprovenInFlight: 1, maxQueued: 8, maxQueueMs: 4_000 },
  });
  const enter = async (trust: Trust = 'proven'): Promise<Ticket> => {
    const ticket = await lane.enter(trust, { waitMs: 0 });
    if (ticket === undefined) throw new Error('no place');
    return ticket;
  };
  const leave = (ticket: Ticket, outcome: Outcome, tokenHash = 'a') =>
    lane.leave(ticket, { outcome, tokenHash });
  const fail = async (certainty: RetryCertainty, tokenHash: string) =>
    leave(await enter(), retry(certainty), tokenHash);
  const open = async () => {
    for (const token of ['a', 'b', 'c']) await fail('answered', token);
  };
  return { clock, lane, enter, leave, fail, open };
}

function retry(certainty: RetryCertainty): Outcome {
  return { kind: 'retry', reason: 'for_the_test', certainty };
}

test('gives out all its places, and takes them back', async () => {
  const { lane, enter, leave } = setup();
  const tickets = await Promise.all([enter(), enter(), enter(), enter()]);
  expect(lane.inFlight).toBe(4);
  expect(await lane.enter('proven', { waitMs: 0 })).toBeUndefined();
  for (const ticket of tickets) leave(ticket, DELIVERED);
  expect(lane.inFlight).toBe(0);
});

test('a delivery that finds no place waits for one, and goes when one is free', async () => {
  const { lane, enter, leave } = setup(1);
  const first = await enter();
  const second = lane.enter('proven', { waitMs: 60_000 });
  expect(lane.queued).toBe(1);
  leave(first, DELIVERED);
  expect(await second).toMatchObject({ trust: 'proven' });
  expect([lane.inFlight, lane.queued]).toEqual([1, 0]);
});

test('the wait for a place is bounded', async () => {
  const { clock, lane, enter } = setup(1);
  await enter();
  const waiting = lane.enter('proven', { waitMs: 60_000 });
  clock.advance(4_000);
  expect(await waiting).toBeUndefined();
  expect(lane.queued).toBe(0);
});

test('tokens that never worked take no more than their share, and proven ones go first', async () => {
  const { lane, enter, leave } = setup(2);
  const stranger = await enter('unproven');
  expect(await lane.enter('unproven', { waitMs: 0 })).toBeUndefined();
  const device = await enter('proven');
  const order: string[] = [];
  const wait = (trust: Trust) =>
    void lane.enter(trust, { waitMs: 60_000 }).then(() => order.push(trust));
  wait('unproven');
  wait('proven');
  leave(stranger, DELIVERED);
  leave(device, DELIVERED);
  await Promise.resolve();
  await Promise.resolve();
  expect(order).toEqual(['proven', 'unproven']);
});

test('strangers leave half of the queue to tokens that worked', async () => {
  const { lane, enter } = setup(1);
  await enter();
  for (let n = 0; n < 4; n += 1) void lane.enter('unproven', { waitMs: 60_000 });
  expect([lane.hasRoom('unproven'), lane.hasRoom('proven')]).toEqual([false, true]);
  for (let n = 0; n < 4; n += 1) void lane.enter('proven', { waitMs: 60_000 });
  expect(lane.hasRoom('proven')).toBe(false);
});

test.each(['uncertain', 'unanswered', 'answered', 'not_processed'] as const)(
  'three rounds of "%s" from two tokens open the breaker',
  async (certainty) => {
    const { lane, fail } = setup();
    expect(await fail(certainty, 'a')).toBeUndefined();
    expect(await fail(certainty, 'b')).toBeUndefined();
    expect(await fail(certainty, 'a')).toBe('opened');
    expect(lane.isOpen).toBe(true);
  },
);

test.each(['not_started', 'throttled_token', 'throttled_project'] as const)(
  'any number of "%s" is no outage',
  async (certainty) => {
    const { lane, fail } = setup();
    for (let n = 0; n < 50; n += 1) await fail(certainty, `token ${n}`);
    expect(lane.isOpen).toBe(false);
    expect(lane.mayQueue(60 * SECOND)).toBe(true);
  },
);

test.each<Outcome>([
  DELIVERED,
  { kind: 'unregistered', reason: 'Unregistered' },
  { kind: 'rejected', reason: 'BadDeviceToken', blame: 'token' },
  { kind: 'misconfigured', reason: 'InvalidProviderToken' },
  retry('throttled_project'),
])('a probe answered $kind closes the breaker', async (outcome) => {
  const { clock, lane, enter, leave, open } = setup();
  await open();
  clock.advance(SECOND);
  expect(leave(await enter(), outcome)).toBe('closed');
  expect(lane.isOpen).toBe(false);
});

test('a late answer is a sign of life, a late failure says nothing', async () => {
  const { lane, open } = setup();
  await open();
  expect(lane.hear(retry('answered'))).toBeUndefined();
  expect(lane.isOpen).toBe(true);
  expect(lane.hear(DELIVERED)).toBe('closed');
});

test('all waiting deliveries are turned away when the breaker opens', async () => {
  const { lane, enter, leave, fail } = setup(1);
  await fail('answered', 'a');
  await fail('answered', 'b');
  const last = await enter();
  const waiting = [1, 2, 3].map(() => lane.enter('proven', { waitMs: 60_000 }));
  expect(leave(last, retry('answered'), 'c')).toBe('opened');
  expect(await Promise.all(waiting)).toEqual([undefined, undefined, undefined]);
});

test('an abandoned ticket gives its place and its probe back', async () => {
  const { clock, lane, enter, open } = setup();
  await open();
  clock.advance(SECOND);
  const probe = await enter();
  lane.abandon(probe);
  expect(lane.inFlight).toBe(0);
  expect((await enter()).pass.probe).toBeDefined();
});

test('races may be queued for the first 52 s of an outage, news always', async () => {
  const { clock, lane, open } = setup();
  await open();
  expect(lane.mayQueue(60 * SECOND)).toBe(true);
  clock.advance(52 * SECOND);
  expect([lane.mayQueue(60 * SECOND), lane.mayQueue(30 * SECOND)]).toEqual([false, false]);
  expect(lane.mayQueue(24 * 3_600 * SECOND)).toBe(true);
  expect(lane.takesAttempts).toBe(true);
});

test('a 429 that names no quota is about the token, unless three tokens get one within seconds', () => {
  const { clock, lane } = setup();
  const whose = (token: string) => lane.classify(retry('throttled'), token);
  for (let n = 0; n < 5; n += 1) expect(whose('a')).toMatchObject(retry('throttled_token'));
  expect(whose('b')).toMatchObject(retry('throttled_token'));
  expect(whose('c')).toMatchObject(retry('throttled_project'));
  clock.advance(5_001);
  expect(whose('d')).toMatchObject(retry('throttled_token'));
  expect(lane.classify(retry('answered'), 'a')).toEqual(retry('answered'));
});

test('a quota of the project halves what is in flight once a second, down to eight', async () => {
  const { clock, lane, enter, leave } = setup(64);
  const slowDown = async () => {
    const tickets = await Promise.all(
      Array.from({ length: lane.freePlaces('proven') }, () => enter()),
    );
    for (const ticket of tickets) leave(ticket, retry('throttled_project'));
    const places = lane.freePlaces('proven');
    clock.advance(SECOND);
    return places;
  };
  expect([await slowDown(), await slowDown(), await slowDown(), await slowDown()]).toEqual([
    32, 16, 8, 8,
  ]);
  leave(await enter(), DELIVERED);
  expect(lane.freePlaces('proven')).toBe(9);
});

test('a last attempt ignores the share of tokens that never worked, up to twice all places', async () => {
  const { lane, enter } = setup(4);
  await enter('unproven');
  expect(await lane.enter('unproven', { waitMs: 0 })).toBeUndefined();
  const last = () => lane.enter('unproven', { waitMs: 0, isLastMoment: true });
  const tickets = await Promise.all([last(), last(), last(), last(), last(), last(), last()]);
  expect(tickets).not.toContain(undefined);
  expect(lane.inFlight).toBe(8);
  expect(await last()).toBeUndefined();
});

test('places that strangers take at their last moment are not taken from devices that worked', async () => {
  const { lane, enter } = setup(4);
  for (let n = 0; n < 5; n += 1) await lane.enter('unproven', { waitMs: 0, isLastMoment: true });
  expect(lane.freePlaces('proven')).toBe(3);
  await Promise.all([enter(), enter(), enter()]);
  expect(await lane.enter('proven', { waitMs: 0 })).toBeUndefined();
});

test('a delivery waits for its place no longer than it was given', async () => {
  const { clock, lane, enter } = setup(1);
  await enter();
  const waiting = lane.enter('proven', { waitMs: 300 });
  await clock.run(300);
  expect(await waiting).toBeUndefined();
});
