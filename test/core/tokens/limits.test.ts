// How many calls a token and the whole service may make.

import { expect, test } from 'vitest';
import { Buckets, Limits, type Rate } from '../../../src/core/tokens/limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import fc from '../../support/properties.ts';

const PLENTY: Rate = { burst: 1_000, perSecond: 1_000 };

function setup(rates: { perToken?: Rate; global?: Rate; maxTokens?: number }) {
  const clock = new ManualClock();
  const { perToken = PLENTY, global = PLENTY, maxTokens = 100 } = rates;
  const limits = new Limits(clock, { perToken, global, maxTokens });
  /** How many seconds the caller must wait; 0 if the call was let in. */
  const take = (token: string): number => {
    try {
      limits.take('default', token);
      return 0;
    } catch (error) {
      expect(error).toMatchObject({ code: 'rate_limited' });
      return (error as { details: { retryAfterSeconds: number } }).details.retryAfterSeconds;
    }
  };
  return { clock, take };
}

test('a burst is let in, and later calls are told when to come again', () => {
  const { clock, take } = setup({ perToken: { burst: 3, perSecond: 0.2 } });
  expect([take('a'), take('a'), take('a'), take('a')]).toEqual([0, 0, 0, 5]);
  clock.advance(5_000);
  expect([take('a'), take('a')]).toEqual([0, 5]);
});

test('one token’s calls do not count for another', () => {
  const { take } = setup({ perToken: { burst: 1, perSecond: 1 } });
  expect([take('a'), take('a'), take('b')]).toEqual([0, 1, 0]);
});

test('all tokens together have a limit, too', () => {
  const { take } = setup({ global: { burst: 2, perSecond: 1 } });
  expect([take('a'), take('b'), take('c')]).toEqual([0, 0, 1]);
});

test('beyond the limit of remembered tokens, the one without calls for longest starts again', () => {
  const { take } = setup({ perToken: { burst: 1, perSecond: 0.01 }, maxTokens: 2 });
  take('a');
  take('b');
  take('c');
  expect(take('a')).toBe(0);
  expect(take('c')).toBeGreaterThan(0);
});

test('in any period no more is let in than the burst and the rate allow', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 200 });
  const rates = fc.record({
    burst: fc.integer({ min: 1, max: 20 }),
    perSecond: fc.double({ min: 0.1, max: 20, noNaN: true }),
  });
  fc.assert(
    fc.property(gaps, rates, (gapsMs, rate) => {
      const clock = new ManualClock();
      const buckets = new Buckets(clock, rate, 10);
      const startMs = clock.nowMs();
      let taken = 0;
      for (const gapMs of gapsMs) {
        clock.advance(gapMs);
        if (buckets.take('a') === 0) taken += 1;
      }
      const seconds = (clock.nowMs() - startMs) / 1_000;
      expect(taken).toBeLessThanOrEqual(rate.burst + seconds * rate.perSecond + 1e-6);
    }),
  );
});

test('a caller that waits as long as it was told is let in', () => {
  const rates = fc.record({
    burst: fc.integer({ min: 1, max: 5 }),
    perSecond: fc.double({ min: 0.05, max: 50, noNaN: true }),
  });
  fc.assert(
    fc.property(rates, fc.integer({ min: 1, max: 30 }), (rate, calls) => {
      const clock = new ManualClock();
      const buckets = new Buckets(clock, rate, 10);
      for (let n = 0; n < calls; n += 1) clock.advance(buckets.take('a'));
      clock.advance(buckets.waitMs('a'));
      expect(buckets.take('a')).toBe(0);
    }),
  );
});
