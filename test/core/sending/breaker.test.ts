// The breaker: what opens it, how often it probes, what closes it, and how old an outage is.

import { expect, test } from 'vitest';
import { Breaker, type Pass } from '../../../src/core/sending/breaker.ts';

const SECOND = 1_000;

function setup() {
  const breaker = new Breaker();
  let nowMs = 0;
  const admit = (): Pass => {
    const pass = breaker.admit(nowMs);
    if (pass === undefined) throw new Error('no pass');
    return pass;
  };
  /** One attempt for this token, from start to failure. */
  const fail = (tokenHash: string, retryAfterMs?: number): boolean => {
    const pass = admit();
    breaker.end(pass);
    return breaker.failed({
      round: pass.round,
      tokenHash,
      nowMs,
      reason: 'INTERNAL',
      retryAfterMs,
    });
  };
  const open = () => {
    for (const token of ['a', 'b', 'a']) fail(token);
  };
  const wait = (ms: number) => {
    nowMs += ms;
  };
  /** How long until the breaker lets a probe through. */
  const pauseMs = () => breaker.probeDueAtMs(nowMs) - nowMs;
  return { breaker, admit, fail, open, wait, pauseMs, now: () => nowMs };
}

test('three rounds of failures in a row from two tokens open it', () => {
  const { fail, breaker } = setup();
  expect([fail('a'), fail('b'), fail('a')]).toEqual([false, false, true]);
  expect(breaker.isOpen).toBe(true);
});

test('failures of one token never open it, however many', () => {
  const { fail, breaker } = setup();
  for (let n = 0; n < 100; n += 1) fail('a');
  expect(breaker.isOpen).toBe(false);
  expect(fail('b')).toBe(true);
});

test('everything in flight when a failure came belongs to its round', () => {
  const { admit, breaker, now } = setup();
  const passes = Array.from({ length: 50 }, admit);
  for (const [n, { round }] of passes.entries()) {
    breaker.failed({ round, tokenHash: `token ${n}`, nowMs: now(), reason: 'INTERNAL' });
  }
  expect(breaker.isOpen).toBe(false);
});

test('a success in between starts the count again', () => {
  const { fail, breaker } = setup();
  fail('a');
  fail('b');
  expect(breaker.succeeded()).toBe(false);
  expect([fail('a'), fail('b')]).toEqual([false, false]);
});

test('lets one probe through at a time', () => {
  const { breaker, open, wait, now } = setup();
  open();
  expect(breaker.admit(now())).toBeUndefined();
  wait(250);
  const probe = breaker.admit(now());
  expect(probe?.probe).toBeDefined();
  wait(60 * SECOND);
  expect(breaker.admit(now())).toBeUndefined();
  breaker.end(probe ?? { round: 0 });
  expect(breaker.admit(now())).toBeDefined();
});

test('only the end of the probe makes way for the next', () => {
  const { breaker, admit, open, wait, now } = setup();
  const early = admit();
  open();
  wait(250);
  breaker.admit(now());
  breaker.end(early);
  expect(breaker.admit(now())).toBeUndefined();
});

test('probes after 250 ms or a twentieth of the age of the outage, five seconds at most', () => {
  const { fail, open, wait, pauseMs } = setup();
  open();
  expect(pauseMs()).toBe(250);
  const pauses: number[] = [];
  for (let atS = 0; atS < 200; atS += 10) {
    wait(10 * SECOND);
    fail('a');
    pauses.push(pauseMs());
  }
  expect(pauses[0]).toBe(500);
  expect(pauses[3]).toBe(2_000);
  expect(pauses.at(-1)).toBe(5_000);
});

test.each([1, 5, 30, 120, 3_600])(
  'a Retry-After of %i s delays the probe, by 10 s at most',
  (s) => {
    const { breaker, fail, pauseMs } = setup();
    fail('a');
    fail('b');
    fail('a', s * SECOND);
    expect(breaker.isOpen).toBe(true);
    expect(pauseMs()).toBe(Math.min(s, 10) * SECOND);
  },
);

test('a Retry-After stays valid, whatever else fails before it is over', () => {
  const { breaker, admit, fail, pauseMs, wait, now } = setup();
  const inFlight = admit();
  fail('a');
  fail('b');
  fail('a', 8 * SECOND);
  wait(SECOND);
  breaker.failed({ round: inFlight.round, tokenHash: 'c', nowMs: now(), reason: 'INTERNAL' });
  expect(pauseMs()).toBe(7 * SECOND);
});

test('the last attempt of a delivery passes while it is open', () => {
  const { breaker, open } = setup();
  open();
  expect(breaker.admitLast().probe).toBeUndefined();
});

test('the first success closes it, and the outage is over', () => {
  const { breaker, open, wait, now } = setup();
  open();
  wait(30 * SECOND);
  expect(breaker.outageAgeMs(now())).toBe(30 * SECOND);
  expect(breaker.succeeded()).toBe(true);
  expect(breaker.isOpen).toBe(false);
  expect(breaker.outageAgeMs(now())).toBe(0);
  expect(breaker.admit(now())).toEqual({ round: expect.any(Number) });
});

test('a failure of a closed lane is forgotten after a minute', () => {
  const { breaker, fail, wait, now } = setup();
  fail('a');
  fail('b');
  expect(breaker.outageAgeMs(now() + 60 * SECOND)).toBe(60 * SECOND);
  wait(61 * SECOND);
  expect(breaker.outageAgeMs(now())).toBe(0);
  expect(fail('a')).toBe(false);
  expect(breaker.isOpen).toBe(false);
});

test('an open breaker forgets nothing: the outage ages until the provider answers', () => {
  const { breaker, open, wait, now } = setup();
  open();
  wait(600 * SECOND);
  expect(breaker.isOpen).toBe(true);
  expect(breaker.outageAgeMs(now())).toBe(600 * SECOND);
});
