// An endpoint's way through the events, on a real store and in virtual time.

import { expect, test } from 'vitest';
import { retryDelayMs, verdictOf } from '../../../src/core/events/schedule.ts';
import type { SendResult } from '../../../src/core/ports/events.ts';
import { useFiles } from '../../stores/sqlite/files.ts';
import { startOutbox } from './outbox-setup.ts';

const { newFile, open } = useFiles();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const OK: SendResult = { kind: 'answered', status: 200 };
const DOWN: SendResult = { kind: 'answered', status: 503 };

async function setup() {
  const opened = await open(newFile());
  const started = await startOutbox(opened, ['provider.*']);
  let number = 0;
  return {
    ...started,
    opened,
    store: opened.events,
    /** Records one event for it. */
    record: async () => {
      number += 1;
      const beganAtMs = started.clock.wallMs() + number / 1_000;
      const outage = { app: 'default', provider: 'fcm', reason: `r${number}` } as const;
      await opened.records.recordOutage({ ...outage, beganAtMs: Math.round(beganAtMs) + number });
    },
  };
}

test('sends the recorded events in order, each once', async () => {
  const { outbox, calls, record, idle } = await setup();
  for (let count = 0; count < 5; count += 1) await record();
  outbox.nudge();
  while (calls.length < 5) await idle();
  outbox.nudge();
  await idle();
  const reasons = calls.map(({ data }) => JSON.stringify(data).slice(-5, -2));
  expect(reasons).toEqual(['"r1', '"r2', '"r3', '"r4', '"r5']);
  expect(outbox.progress.cursor).toBe(5);
});

test('tries only the next event while calls fail, with one id, at growing gaps', async () => {
  const { outbox, calls, record, idle, clock, state } = await setup();
  state.answer = DOWN;
  await record();
  await record();
  outbox.nudge();
  await idle();
  for (const gapMs of [5_000, 10_000, 20_000]) {
    clock.advance(gapMs - 1);
    outbox.nudge();
    await idle();
    const before = calls.length;
    clock.advance(1);
    await idle();
    expect(calls.length).toBe(before + 1);
  }
  expect(new Set(calls.map(({ id }) => id)).size).toBe(1);
  state.answer = OK;
  clock.advance(40_000);
  await idle();
  expect(outbox.progress).toEqual({ cursor: 2, refused: 0, failingSinceMs: undefined });
});

test('skips an event that was refused three times, and records that', async () => {
  const { outbox, calls, record, idle, clock, state, store } = await setup();
  state.answer = { kind: 'answered', status: 404 };
  await record();
  outbox.nudge();
  await idle();
  for (const gapMs of [5_000, 10_000]) {
    clock.advance(gapMs);
    await idle();
  }
  expect(calls).toHaveLength(3);
  expect(outbox.progress.cursor).toBe(1);
  expect(outbox.progress.failingSinceMs).toBeDefined();
  const attempts = await store.listAttempts({ endpointId: 'ep_a', limit: 5 });
  expect(attempts.map(({ outcome }) => outcome)).toEqual(['skipped', 'failed', 'failed']);
});

test('a receiver that cannot keep up is called at half the rate each time, and at twice the rate after each success', async () => {
  const { outbox, calls, record, idle, clock, state } = await setup();
  for (let count = 0; count < 5; count += 1) await record();
  state.next.push(...[429, 502, 504].map((status) => ({ kind: 'answered', status }) as const));
  outbox.nudge();
  await idle();
  // The schedule of 5, 10 and 20 s, plus the pace; then the pace alone.
  const waits = [
    [5_000, 100],
    [10_000, 200],
    [20_000, 400],
    [0, 200],
    [0, 100],
  ] as const;
  for (const [scheduledMs, paceMs] of waits) {
    const before = calls.length;
    clock.advance(scheduledMs);
    await idle();
    clock.advance(paceMs - 1);
    await idle();
    expect(calls.length).toBe(before);
    clock.advance(1);
    await idle();
  }
  await idle();
  expect(calls).toHaveLength(8);
});

test('410 disables the endpoint at once, and others are told', async () => {
  const { opened, outbox, record, idle, state, told } = await setup();
  const other = await startOutbox(opened, ['endpoint.*'], { endpoint: { id: 'ep_b' } });
  state.answer = { kind: 'answered', status: 410 };
  await record();
  outbox.nudge();
  await idle();
  expect(outbox.endpoint).toMatchObject({ status: 'disabled', disabledReason: 'gone' });
  expect(told.map(({ name }) => name)).toContain('endpoint_disabled');
  other.outbox.nudge();
  while (other.calls.length === 0) await idle();
  expect(other.calls).toMatchObject([
    { type: 'endpoint.disabled', data: { endpoint_id: 'ep_a', reason: 'gone' } },
  ]);
});

test('after five days down it was warned of three times, is disabled, and is told the number of missed events', async () => {
  const { outbox, calls, record, idle, state, store, clock, told } = await setup();
  state.answer = DOWN;
  await record();
  outbox.nudge();
  await idle();
  for (let hour = 1; outbox.endpoint.status === 'enabled' && hour < 200; hour += 1) {
    await record();
    clock.advance(HOUR);
    await idle();
    await store.pruneEvents({ beforeMs: clock.wallMs() - DAY, limit: 500 });
  }
  expect(outbox.endpoint).toMatchObject({ status: 'disabled', disabledReason: 'failing' });
  const warnings = told.filter(({ name }) => name === 'endpoint_failing');
  expect(warnings).toHaveLength(3);
  expect(calls.length).toBeLessThan(150);

  const before = calls.length;
  const all = await store.nextEvents({ endpointId: 'ep_a', afterRowId: 0, limit: 1_000 });
  const recorded = all.events.at(-1)?.rowId ?? 0;
  expect(all.dropped?.count).toBe(recorded - all.events.length);
  state.answer = OK;
  const stored = await store.putEndpoint({
    ...outbox.endpoint,
    status: 'enabled',
    disabledReason: undefined,
  });
  outbox.change(stored);
  while (calls.length < before + 1 + all.events.length) await idle();
  const [notice, ...rest] = calls.slice(before);
  expect(notice?.type).toBe('events.dropped');
  expect(notice?.data).toMatchObject({ count: recorded - all.events.length });
  expect(rest).toHaveLength(all.events.length);
  expect(
    (await store.nextEvents({ endpointId: 'ep_a', afterRowId: 0, limit: 1 })).dropped,
  ).toBeUndefined();
});

test('a restart forgets neither since when an endpoint fails nor which warnings it had', async () => {
  const { opened, clock, record, ...before } = await setup();
  const beganAtMs = clock.wallMs();
  const failUntil = async ({ outbox, idle }: typeof before, isOver: () => boolean) => {
    outbox.nudge();
    await idle();
    while (!isOver()) {
      clock.advance(HOUR);
      await idle();
    }
  };
  const warnings = ({ told }: Pick<typeof before, 'told'>) =>
    told.flatMap((event) => (event.name === 'endpoint_failing' ? [event.failingForMs / DAY] : []));
  before.state.answer = DOWN;
  await record();
  await failUntil(before, () => clock.wallMs() >= beganAtMs + 2 * DAY);
  before.outbox.stop();
  expect(warnings(before)).toHaveLength(2);

  const after = { ...before, ...(await startOutbox(opened, ['provider.*'], { clock })) };
  after.state.answer = DOWN;
  const givenUpAtMs = beganAtMs + 5 * DAY;
  await failUntil(after, () => after.outbox.endpoint.status === 'disabled');
  expect(warnings(after).map(Math.floor)).toEqual([3]);
  expect(clock.wallMs() - givenUpAtMs).toBeGreaterThanOrEqual(0);
  expect(clock.wallMs() - givenUpAtMs).toBeLessThan(3 * HOUR);
});

test('reads answers as the specification says', () => {
  const verdict = (status: number) => verdictOf({ kind: 'answered', status });
  expect([200, 204, 299].map(verdict)).toEqual(['delivered', 'delivered', 'delivered']);
  expect([302, 408, 429, 500].map(verdict)).toEqual(['failed', 'failed', 'failed', 'failed']);
  expect([400, 404, 410].map(verdict)).toEqual(['refused', 'refused', 'gone']);
});

test('waits from 5 s to an hour, more or less a fifth', () => {
  expect(retryDelayMs(1, { fraction: 0 })).toBe(4_000);
  expect(retryDelayMs(1, { fraction: 1 })).toBeCloseTo(6_000);
  expect(retryDelayMs(50, { fraction: 0.5 })).toBe(HOUR);
  expect(retryDelayMs(1, { fraction: 0.5, retryAfterMs: 30_000 })).toBe(30_000);
  expect(retryDelayMs(1, { fraction: 0.5, retryAfterMs: DAY })).toBe(HOUR);
});
