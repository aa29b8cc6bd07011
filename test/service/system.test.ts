// The machine's ids, fingerprints and clock.

import { createHmac, randomBytes } from 'node:crypto';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createSystemClock, createSystemIds } from '../../src/service/system.ts';
import fc from '../support/properties.ts';

test('fingerprints are the first 128 bits of the HMAC', () => {
  const key = randomBytes(32);
  const ids = createSystemIds(createSystemClock(), key);
  const rule = fc.property(fc.string({ unit: 'grapheme' }), (value) => {
    const hmac = createHmac('sha256', key).update(value).digest();
    expect(ids.fingerprint(value)).toBe(hmac.subarray(0, 16).toString('hex'));
  });
  fc.assert(rule, { numRuns: 1_000 });
});

test('a delivery id is a UUID of version 7 at the wall clock’s time', () => {
  const ids = createSystemIds(createSystemClock(), randomBytes(32));
  const made = Array.from({ length: 1_000 }, () => ids.deliveryId());
  expect(new Set(made).size).toBe(1_000);
  for (const id of made) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const unixMs = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
    expect(Math.abs(Date.now() - unixMs)).toBeLessThan(10_000);
  }
});

test('a secret is 128 bits as base64url', () => {
  const ids = createSystemIds(createSystemClock(), randomBytes(32));
  const made = Array.from({ length: 1_000 }, () => ids.secret());
  expect(new Set(made).size).toBe(1_000);
  expect(made.filter((secret) => !/^[A-Za-z0-9_-]{22}$/.test(secret))).toEqual([]);
});

/** A clock on time sources that the test moves; Node's timers are vitest's. */
function setupClock() {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const time = { wallMs: 1_750_000_000_000, monotonicMs: 5_000 };
  const clock = createSystemClock({
    wallMs: () => time.wallMs,
    monotonicMs: () => time.monotonicMs,
  });
  const suspensions: number[] = [];
  const following = clock.followSuspensions((ms) => suspensions.push(ms));
  /** Both clocks run, and timers with them. */
  const run = (ms: number) => {
    for (let left = ms; left > 0; left -= 100) {
      time.wallMs += Math.min(left, 100);
      time.monotonicMs += Math.min(left, 100);
      vi.advanceTimersByTime(Math.min(left, 100));
    }
  };
  /** Only the wall clock runs. */
  const suspend = (ms: number) => {
    time.wallMs += ms;
  };
  return { clock, time, suspensions, following, run, suspend };
}

test('within a second after a suspension, service time has moved on by its length, and due timers run', () => {
  const { clock, suspensions, run, suspend } = setupClock();
  const startMs = clock.nowMs();
  const fired: string[] = [];
  clock.after(70_000, () => fired.push('later'));
  clock.after(50_000, () => fired.push('second'));
  clock.after(40_000, () => fired.push('first'));
  clock.after(45_000, () => fired.push('cancelled')).cancel();
  run(10_000);
  suspend(45_000);
  expect(fired).toEqual([]);
  run(1_100);
  expect(suspensions).toEqual([45_000]);
  expect(clock.nowMs() - startMs).toBe(56_100);
  expect(fired).toEqual(['first', 'second']);
  run(13_800);
  expect(fired).toEqual(['first', 'second']);
  run(200);
  expect(fired).toEqual(['first', 'second', 'later']);
});

test('small corrections and steps back of the wall clock do not move service time', () => {
  const { clock, suspensions, run, suspend } = setupClock();
  const startMs = clock.nowMs();
  for (const stepMs of [5_000, -3_600_000, 4_000, -1]) {
    suspend(stepMs);
    run(2_000);
  }
  expect(suspensions).toEqual([]);
  expect(clock.nowMs() - startMs).toBe(8_000);
});

test('a stall of the process is no suspension, since monotonic time continues', () => {
  const { clock, time, suspensions, run } = setupClock();
  const startMs = clock.nowMs();
  time.wallMs += 60_000;
  time.monotonicMs += 60_000;
  run(2_000);
  expect(suspensions).toEqual([]);
  expect(clock.nowMs() - startMs).toBe(62_000);
});

test('nothing is checked any more once it was cancelled', () => {
  const { suspensions, following, run, suspend } = setupClock();
  following.cancel();
  expect(vi.getTimerCount()).toBe(0);
  suspend(60_000);
  run(2_000);
  expect(suspensions).toEqual([]);
});
