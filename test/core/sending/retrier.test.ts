// Which deliveries are claimed from the store, when, and by whom: due times, probes, last moments, leases.

import { expect, test } from 'vitest';
import {
  CALM,
  call,
  createVirtualCore,
  type VirtualCore,
  type Weather,
} from '../../support/virtual-core.ts';
import { acceptedOf, DELIVERED, deliveryOf, FAILED, REFUSED } from './samples.ts';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;
const NEWS = { type: 'swap_updated', lifetimeMs: DAY };

const AWAY: Weather = () => ({ outcome: REFUSED, endsAfterMs: 2, isTaken: false });

function awayUntil(ms: number): Weather {
  return (push) => (push.atMs < ms ? AWAY(push) : CALM(push));
}

/** Calls until the breaker is open, and returns the tokens. */
async function openBreaker(virtual: VirtualCore): Promise<readonly string[]> {
  virtual.weather = AWAY;
  const [lane] = virtual.core.lanes.all;
  const tokens: string[] = [];
  while (lane?.isOpen !== true) {
    tokens.push(`early ${tokens.length}`);
    call(virtual, `early ${tokens.length - 1}`);
    await virtual.clock.run(10);
  }
  return tokens;
}

/** A row that an earlier life left, queued and due long ago. */
async function leave(virtual: VirtualCore, id: string, given: { leaseUntilMs?: number } = {}) {
  const nowMs = virtual.clock.nowMs();
  const accepted = acceptedOf(deliveryOf(id, nowMs), nowMs);
  await virtual.store.insert({
    ...accepted,
    leaseUntilMs: nowMs,
    owner: 'an earlier life',
    ...given,
  });
}

function arrivals(virtual: VirtualCore): readonly string[] {
  return virtual.pushes.filter(({ isTaken }) => isTaken).map(({ token }) => token);
}

test('sends at the start what an earlier life left behind', async () => {
  const virtual = await createVirtualCore();
  await leave(virtual, 'a');
  virtual.core.retrier.start();
  await virtual.clock.run(100);
  expect(arrivals(virtual)).toEqual(['token of a']);
});

test('takes over a lease that ended without any notice', async () => {
  const virtual = await createVirtualCore();
  await leave(virtual, 'a', { leaseUntilMs: virtual.clock.nowMs() + 20 * SECOND });
  virtual.core.retrier.start();
  await virtual.clock.run(19 * SECOND);
  expect(virtual.pushes).toEqual([]);
  await virtual.clock.run(2 * SECOND);
  expect(arrivals(virtual)).toEqual(['token of a']);
});

test('sends what is due at its time and nothing before', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = () => ({ outcome: FAILED, endsAfterMs: 10, isTaken: false });
  call(virtual, 'a');
  await virtual.clock.run(60 * SECOND);
  const atS = virtual.pushes.map(({ atMs }) => atMs / SECOND);
  for (const [n, seconds] of [1, 3, 7, 15, 25, 35, 45].entries()) {
    const before = [0, 1, 3, 7, 15, 25, 35][n] ?? 0;
    const slack = 0.2 * (seconds - before) + 0.1;
    expect(
      atS.some((at) => Math.abs(at - seconds) <= slack),
      `${seconds} s of ${atS}`,
    ).toBe(true);
  }
});

test('claims in the order in which useful lives end, more than one batch at once', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = awayUntil(3 * SECOND);
  for (let n = 0; n < 50; n += 1) call(virtual, `news ${n}`, NEWS);
  for (let n = 0; n < 50; n += 1) call(virtual, `race ${n}`);
  await virtual.clock.run(70 * SECOND);
  const order = arrivals(virtual);
  expect(order).toHaveLength(100);
  const lastRace = order.findLastIndex((token) => token.startsWith('race'));
  const newsBefore = order.slice(0, lastRace).filter((token) => token.startsWith('news'));
  // One was the probe; a few are due within the same second.
  expect(newsBefore.length).toBeLessThan(10);
});

test('while the breaker is open it probes with one at a time, never the same one again', async () => {
  const virtual = await createVirtualCore();
  const tokens = await openBreaker(virtual);
  for (let n = 0; n < 5; n += 1) call(virtual, `waiting ${n}`);
  const before = virtual.pushes.length;
  await virtual.clock.run(4 * SECOND);
  const probes = virtual.pushes.slice(before);
  const times = probes.map(({ atMs }) => atMs);
  const gaps = times.slice(1).map((atMs, n) => atMs - (times[n] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(250);
  const all = tokens.length + 5;
  const round = probes.slice(0, Math.min(all, probes.length)).map(({ token }) => token);
  expect(new Set(round).size).toBe(round.length);
});

test('an open breaker does not let the last moment of a delivery pass', async () => {
  const virtual = await createVirtualCore();
  await openBreaker(virtual);
  for (let n = 0; n < 10; n += 1) call(virtual, `t ${n}`);
  const calledAtMs = virtual.atMs;
  await virtual.clock.run(60 * SECOND);
  for (let n = 0; n < 10; n += 1) {
    const last = virtual.pushes.findLast(({ token }) => token === `t ${n}`);
    expect(last?.atMs).toBeGreaterThan(calledAtMs + 42 * SECOND);
    expect(last?.atMs).toBeLessThanOrEqual(calledAtMs + 52 * SECOND);
  }
});

test('a provider that is back gets the races at once, and the news within a minute', async () => {
  const virtual = await createVirtualCore();
  await openBreaker(virtual);
  for (let n = 0; n < 30; n += 1) call(virtual, `news ${n}`, NEWS);
  for (let n = 0; n < 30; n += 1) call(virtual, `race ${n}`);
  await virtual.clock.run(10 * SECOND);
  virtual.weather = CALM;
  await virtual.clock.run(2 * SECOND);
  const races = arrivals(virtual).filter((token) => token.startsWith('race'));
  // One or two were the probe within the last second, and keep their time.
  expect(races.length).toBeGreaterThanOrEqual(28);
  await virtual.clock.run(61 * SECOND);
  const news = virtual.pushes.filter(({ token, isTaken }) => token.startsWith('news') && isTaken);
  expect(news).toHaveLength(30);
  // Evenly, not all in one second.
  const perSecond = Map.groupBy(news, ({ atMs }) => Math.floor(atMs / SECOND));
  expect(Math.max(...[...perSecond.values()].map((pushes) => pushes.length))).toBeLessThan(10);
});

test('strangers that use up their places do not delay the retries of devices that worked', async () => {
  const virtual = await createVirtualCore({ environment: { NDS_MAX_IN_FLIGHT: '8' } });
  const devices = ['device 1', 'device 2', 'device 3'];
  for (const token of devices) call(virtual, token);
  await virtual.clock.run(SECOND);
  const untilMs = virtual.atMs + 100;
  virtual.weather = (push) => {
    if (devices.includes(push.token)) {
      return push.atMs < untilMs ? { outcome: FAILED, endsAfterMs: 5, isTaken: false } : CALM(push);
    }
    return { outcome: FAILED, endsAfterMs: 1_900, isTaken: false };
  };
  for (let n = 0; n < 100; n += 1) await leave(virtual, `stranger ${n}`);
  virtual.core.retrier.start();
  await virtual.clock.run(50);
  for (const token of devices) call(virtual, token, { payload: `{"second":"${token}"}` });
  await virtual.clock.run(4 * SECOND);
  const again = arrivals(virtual).filter((token) => devices.includes(token));
  expect(again).toHaveLength(6);
});

test('strangers at a slow provider do not use up the last moment of a delivery that was answered queued', async () => {
  const virtual = await createVirtualCore();
  const [lane] = virtual.core.lanes.all;
  if (lane === undefined) throw new Error('no lane');
  await leave(virtual, 'a');
  virtual.core.retrier.start();
  // From before it is claimed until after its useful life, others have every place that it may use.
  const hold = async () => {
    const tickets = [];
    while (lane.freePlaces('unproven') > 0) tickets.push(lane.enter('unproven', { waitMs: 0 }));
    await Promise.all(tickets);
  };
  await hold();
  await virtual.clock.run(60 * SECOND);
  const [push, ...more] = virtual.pushes;
  expect(more).toEqual([]);
  expect(push?.atMs).toBeGreaterThan(51 * SECOND);
  expect(push?.atMs).toBeLessThanOrEqual(52 * SECOND);
});

test('a last moment does not pass although every place is taken', async () => {
  const virtual = await createVirtualCore({ environment: { NDS_MAX_IN_FLIGHT: '8' } });
  const [lane] = virtual.core.lanes.all;
  if (lane === undefined) throw new Error('no lane');
  virtual.weather = awayUntil(SECOND / 2);
  call(virtual, 'a');
  await virtual.clock.run(100);
  const before = virtual.pushes.length;
  while (lane.freePlaces('proven') > 0) await lane.enter('proven', { waitMs: 0 });
  await virtual.clock.run(60 * SECOND);
  const [push, ...more] = virtual.pushes.slice(before);
  expect(more).toEqual([]);
  expect(push?.atMs).toBeGreaterThan(51 * SECOND);
  expect(push?.atMs).toBeLessThanOrEqual(52 * SECOND);
});

test('while all places are taken it claims nothing that it could not send', async () => {
  const virtual = await createVirtualCore({ environment: { NDS_MAX_IN_FLIGHT: '8' } });
  virtual.weather = (push) => ({ ...CALM(push), endsAfterMs: 1_500 });
  for (let n = 0; n < 40; n += 1) await leave(virtual, `${n}`);
  virtual.core.retrier.start();
  await virtual.clock.run(SECOND);
  const leased = [...virtual.store.rows.values()].filter(
    ({ owner }) => owner === virtual.core.owner,
  );
  expect(leased.length).toBeLessThanOrEqual(8);
  await virtual.clock.run(60 * SECOND);
  expect(new Set(arrivals(virtual)).size).toBe(40);
});

test('a delivery whose claim was answered after a stop is not sent', async () => {
  const virtual = await createVirtualCore();
  await leave(virtual, 'a');
  const { claimDue } = virtual.store;
  let claims = 0;
  virtual.store.claimDue = async (claim) => {
    claims += 1;
    const claimed = await claimDue.call(virtual.store, claim);
    virtual.core.retrier.stop();
    return claimed;
  };
  virtual.core.retrier.start();
  await virtual.clock.run(60 * SECOND);
  expect(claims).toBe(1);
  expect(virtual.pushes).toEqual([]);
});

test('what falls due while a claim is under way does not wait for the end of a lease', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = awayUntil(SECOND / 2);
  const { claimDue } = virtual.store;
  virtual.store.claimDue = async (claim) => {
    const claimed = await claimDue.call(virtual.store, claim);
    await new Promise<void>((resolve) => virtual.clock.after(2 * SECOND, resolve));
    return claimed;
  };
  virtual.core.retrier.start();
  await virtual.clock.run(10);
  call(virtual, 'a');
  await virtual.clock.run(8 * SECOND);
  expect(arrivals(virtual)).toEqual(['a']);
});

test('a failing store stops retries only while it fails', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = awayUntil(SECOND / 2);
  call(virtual, 'a');
  await virtual.clock.run(100);
  virtual.store.trouble = 'locked';
  await virtual.clock.run(10 * SECOND);
  virtual.store.trouble = undefined;
  await virtual.clock.run(3 * SECOND);
  expect(arrivals(virtual)).toEqual(['a']);
});

test('a delivery whose last record waits for the store is not sent again before it is written', async () => {
  const virtual = await createVirtualCore();
  call(virtual, 'a');
  await virtual.clock.run(20);
  virtual.store.trouble = 'full';
  await virtual.clock.run(SECOND);
  virtual.store.trouble = undefined;
  await virtual.clock.run(60 * SECOND);
  expect(virtual.pushes).toHaveLength(1);
  expect([...virtual.store.rows.values()].map(({ status }) => status)).toEqual(['delivered']);
});

test('a queue that is empty plans no work', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = () => ({ outcome: DELIVERED, endsAfterMs: 5, isTaken: true });
  call(virtual, 'a');
  await virtual.clock.run(120 * SECOND);
  expect(virtual.clock.timers).toBeLessThanOrEqual(1);
});
