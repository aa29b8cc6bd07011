// When a delivery is tried again: rules that must hold for every time of receipt, outcome, random value and hour.

import { expect, test } from 'vitest';
import type { Outcome, RetryCertainty } from '../../../src/core/outcome.ts';
import {
  holdMs,
  isRetriedAtOnce,
  MAX_UNANSWERED,
  planRetry,
  type RetryInput,
} from '../../../src/core/sending/retry.ts';
import fc from '../../support/properties.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const RECEIVED_MS = 1_754_049_600_000;
const SHORTEST_GAP_MS = 500;
const FAILED: Outcome = { kind: 'retry', reason: 'UNAVAILABLE', certainty: 'answered' };
const CERTAINTIES: readonly RetryCertainty[] = [
  'not_processed',
  'uncertain',
  'unanswered',
  'answered',
  'throttled_token',
  'throttled_project',
  'not_started',
];

/** A rule that one moment in a hundred could break needs more than fast-check's hundred tries. */
const RUNS = { numRuns: 1_000 };

const fraction = fc.double({ min: 0, max: 0.999_999, noNaN: true });
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant<Outcome>({ kind: 'misconfigured', reason: 'InvalidProviderToken' }),
  fc
    .record({
      certainty: fc.constantFrom(...CERTAINTIES),
      retryAfterS: fc.option(fc.integer({ min: 0, max: 7_200 }), { nil: undefined }),
    })
    .map(({ certainty, retryAfterS }): Outcome => {
      const failed = { kind: 'retry', reason: 'for_the_test', certainty } as const;
      return retryAfterS === undefined ? failed : { ...failed, retryAfterMs: retryAfterS * SECOND };
    }),
);
/** The useful lives in the catalogue: 22, 42 or 52 s, 4 h or a day. */
const life = fc.constantFrom(
  { usefulMs: 22 * SECOND, isRace: true },
  { usefulMs: 42 * SECOND, isRace: true },
  { usefulMs: 52 * SECOND, isRace: true },
  { usefulMs: 4 * HOUR, isRace: false },
  { usefulMs: 24 * HOUR, isRace: false },
);
const input: fc.Arbitrary<RetryInput> = fc
  .record({
    life,
    // Mistakes are most likely in the first and the last second.
    age: fc.oneof(
      fc.double({ min: 0, max: 1.1, noNaN: true }),
      fc.double({ min: 0, max: 0.02, noNaN: true }),
      fc.double({ min: 0.97, max: 1, noNaN: true }),
    ),
    unanswered: fc.integer({ min: 0, max: MAX_UNANSWERED }),
    fraction,
    outcome,
    holdS: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
  })
  .map(({ life: { usefulMs, isRace }, age, holdS, ...rest }) => {
    const nowMs = RECEIVED_MS + age * usefulMs;
    return {
      ...rest,
      nowMs,
      receivedAtMs: RECEIVED_MS,
      usefulUntilMs: RECEIVED_MS + usefulMs,
      isRace,
      heldUntilMs: holdS === undefined ? undefined : nowMs + holdS * SECOND,
    };
  });

function race(nowMs: number, given: Partial<RetryInput> = {}): RetryInput {
  return {
    nowMs: RECEIVED_MS + nowMs,
    receivedAtMs: RECEIVED_MS,
    usefulUntilMs: RECEIVED_MS + 52 * SECOND,
    isRace: true,
    unanswered: 0,
    fraction: 0.5,
    outcome: FAILED,
    ...given,
  };
}

test('every due time lies within the useful life', () => {
  fc.assert(
    fc.property(input, (given) => {
      const planned = planRetry(given);
      if (planned !== undefined) expect(planned.dueAtMs).toBeLessThanOrEqual(given.usefulUntilMs);
    }),
    RUNS,
  );
});

test('no two attempts are planned closer than 500 ms', () => {
  fc.assert(
    fc.property(input, (given) => {
      const planned = planRetry(given);
      if (planned === undefined) return;
      expect(planned.dueAtMs - given.nowMs).toBeGreaterThanOrEqual(SHORTEST_GAP_MS);
    }),
    RUNS,
  );
});

test('nothing is due before the hold of its token ends', () => {
  fc.assert(
    fc.property(input, (given) => {
      const planned = planRetry(given);
      if (planned === undefined || given.heldUntilMs === undefined) return;
      expect(planned.dueAtMs).toBeGreaterThanOrEqual(given.heldUntilMs);
      expect(planned.notBeforeMs).toBeGreaterThanOrEqual(given.heldUntilMs);
    }),
    RUNS,
  );
});

test('while useful life is left, only a hold or four unanswered attempts end a delivery', () => {
  fc.assert(
    fc.property(input, (given) => {
      const lifeLeftMs = given.usefulUntilMs - given.nowMs;
      const isOverdue = lifeLeftMs <= SHORTEST_GAP_MS;
      const isHeldTooLong = (given.heldUntilMs ?? 0) > given.usefulUntilMs - SHORTEST_GAP_MS;
      const isUncertain = given.unanswered >= 2;
      if (isOverdue || isHeldTooLong || isUncertain) return;
      expect(planRetry(given)).toBeDefined();
    }),
    RUNS,
  );
});

test('a probe or a restart between two due times uses none of them up', () => {
  const moment = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(life, moment, fraction, moment, ({ usefulMs, isRace }, age, chance, part) => {
      const nowMs = RECEIVED_MS + age * usefulMs;
      const given = { usefulUntilMs: RECEIVED_MS + usefulMs, isRace, fraction: chance };
      const planned = planRetry(race(0, { ...given, nowMs }));
      if (planned === undefined) return;
      // Slightly less than the exact moment, because sums of fractions are not exact.
      const spareMs = planned.dueAtMs - SHORTEST_GAP_MS - nowMs - 0.01;
      const again = planRetry(race(0, { ...given, nowMs: nowMs + part * Math.max(0, spareMs) }));
      expect(again?.dueAtMs).toBe(planned.dueAtMs);
    }),
    RUNS,
  );
});

test('a due time that jitter moved past a full step still comes after that step', () => {
  // News from 105 s on: a step of 60 s, which the greatest jitter makes 72 s.
  const news = { usefulUntilMs: RECEIVED_MS + 24 * HOUR, isRace: false, fraction: 1 };
  const dueAfter = (seconds: number): number | undefined => {
    const planned = planRetry(race(seconds * SECOND, news));
    return planned && (planned.dueAtMs - RECEIVED_MS) / SECOND;
  };
  expect([118, 164, 166, 176].map(dueAfter)).toEqual([177, 177, 177, 177]);
  expect([177, 226, 236].map(dueAfter)).toEqual([237, 237, 237]);
});

test('a race that fails at every due time is tried at least seven times, last in its last ten seconds', () => {
  fc.assert(
    fc.property(fc.array(fraction, { minLength: 20, maxLength: 20 }), (chances) => {
      const dueAtMs: number[] = [];
      let nowMs = 10;
      for (const chance of chances) {
        const planned = planRetry(race(nowMs, { fraction: chance }));
        if (planned === undefined) break;
        nowMs = planned.dueAtMs - RECEIVED_MS;
        dueAtMs.push(nowMs);
      }
      expect(dueAtMs.length).toBeGreaterThanOrEqual(7);
      expect(dueAtMs.length).toBeLessThanOrEqual(12);
      expect(dueAtMs.at(-1)).toBeGreaterThanOrEqual(42 * SECOND);
    }),
    RUNS,
  );
});

test('the due times of a race and of news are those of the design', () => {
  const pointsOf = (given: Partial<RetryInput>, count: number) => {
    const points: number[] = [];
    for (let nowMs = 0; points.length < count; nowMs = points.at(-1) ?? 0) {
      points.push((planRetry(race(nowMs, given))?.dueAtMs ?? 0) - RECEIVED_MS);
    }
    return points.map((ms) => ms / SECOND);
  };
  expect(pointsOf({}, 8)).toEqual([1, 3, 7, 15, 25, 35, 45, 51.5]);
  const news = { isRace: false, usefulUntilMs: RECEIVED_MS + 24 * HOUR };
  expect(pointsOf(news, 6)).toEqual([15, 45, 105, 165, 225, 285]);
});

test.each([1, 5, 30, 120, 3_600])('a Retry-After of %i s is respected, up to 10 s', (seconds) => {
  const retryAfterMs = seconds * SECOND;
  const planned = planRetry(race(100, { outcome: { ...FAILED, retryAfterMs } }));
  const waitMs = (planned?.dueAtMs ?? 0) - RECEIVED_MS - 100;
  expect(waitMs).toBeGreaterThanOrEqual(Math.min(retryAfterMs, 10 * SECOND));
  expect(waitMs).toBeLessThanOrEqual(15 * SECOND);
});

test('after two unanswered attempts the next waits ten seconds, after four there is none', () => {
  const timeout: Outcome = { kind: 'retry', reason: 'timeout', certainty: 'unanswered' };
  const plan = (unanswered: number) => planRetry(race(4_000, { outcome: timeout, unanswered }));
  expect(plan(1)?.notBeforeMs).toBeUndefined();
  expect(plan(2)?.notBeforeMs).toBe(RECEIVED_MS + 14_000);
  expect(plan(3)?.dueAtMs).toBeGreaterThanOrEqual(RECEIVED_MS + 14_000);
  expect(plan(4)).toBeUndefined();
});

test('a queued delivery that meets wrong credentials waits a minute, or until its last moment', () => {
  const misconfigured: Outcome = { kind: 'misconfigured', reason: 'InvalidProviderToken' };
  const news = { isRace: false, usefulUntilMs: RECEIVED_MS + 24 * HOUR };
  const kept = planRetry(race(1_000, { ...news, outcome: misconfigured }));
  expect(kept?.dueAtMs).toBe(RECEIVED_MS + 61 * SECOND);
  const payment = planRetry(race(1_000, { outcome: misconfigured }));
  expect(payment?.dueAtMs).toBe(RECEIVED_MS + 51_500);
});

test('a throttled token is held for its Retry-After, else until the next due time', () => {
  const throttled: Outcome = {
    kind: 'retry',
    reason: 'TooManyRequests',
    certainty: 'throttled_token',
  };
  expect(holdMs({ ...throttled, retryAfterMs: 90_000 }, race(2_000))).toBe(90_000);
  expect(holdMs(throttled, race(2_000))).toBe(1_000);
  // A hold that the service itself chose does not outlast the useful life.
  expect(holdMs(throttled, race(46_000))).toBe(5_500);
});

test('one more attempt follows at once after an attempt that was not processed, and after the first uncertain one', () => {
  const followed = CERTAINTIES.filter((certainty) => {
    const failed: Outcome = { kind: 'retry', reason: 'for_the_test', certainty };
    return isRetriedAtOnce(failed, { tries: 1, unanswered: certainty === 'unanswered' ? 1 : 0 });
  });
  expect(followed).toEqual(['not_processed', 'uncertain', 'unanswered']);
  const refused: Outcome = { kind: 'retry', reason: 'goaway', certainty: 'not_processed' };
  expect(isRetriedAtOnce(refused, { tries: 2, unanswered: 0 })).toBe(false);
  const later = { ...refused, retryAfterMs: 1_000 };
  expect(isRetriedAtOnce(later, { tries: 1, unanswered: 0 })).toBe(false);
  const timeout: Outcome = { kind: 'retry', reason: 'timeout', certainty: 'unanswered' };
  expect(isRetriedAtOnce(timeout, { tries: 1, unanswered: 2 })).toBe(false);
});
