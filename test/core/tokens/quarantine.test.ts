// What is remembered about a token: refused, held back or proven, and until when.

import { expect, test } from 'vitest';
import type { Outcome } from '../../../src/core/outcome.ts';
import { Quarantine } from '../../../src/core/tokens/quarantine.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const HOUR = 3_600_000;
const OPTIONS = {
  unregisteredMs: 24 * HOUR,
  badTokenMs: 600_000,
  maxEntries: 3,
  maxProvenTokens: 2,
};
const DEAD = { kind: 'unregistered', reason: 'Unregistered', sinceMs: 5 } satisfies Outcome;
const BAD = { kind: 'rejected', reason: 'BadDeviceToken', blame: 'token' } satisfies Outcome;

function setup() {
  const clock = new ManualClock();
  return { clock, quarantine: new Quarantine(clock, OPTIONS) };
}

function token(tokenHash: string) {
  return { app: 'default', provider: 'apns', tokenHash } as const;
}

test('a dead token is refused for a day, a bad one for ten minutes', () => {
  const { clock, quarantine } = setup();
  quarantine.condemn(token('dead'), DEAD);
  quarantine.condemn(token('bad'), BAD);
  expect(quarantine.find('dead')).toMatchObject({ kind: 'unregistered', providerSinceMs: 5 });
  expect(quarantine.find('bad')).toMatchObject({ kind: 'bad_token', reason: 'BadDeviceToken' });
  clock.advance(OPTIONS.badTokenMs);
  expect(quarantine.find('bad')).toBeUndefined();
  clock.advance(OPTIONS.unregisteredMs);
  expect(quarantine.find('dead')).toBeUndefined();
});

test('a push that arrives ends the refusal and proves the token', () => {
  const { quarantine } = setup();
  quarantine.condemn(token('a'), BAD);
  expect(quarantine.prove('a')).toBe(true);
  expect(quarantine.find('a')).toBeUndefined();
  expect(quarantine.trustOf('a')).toBe('proven');
  expect(quarantine.prove('a')).toBe(false);
});

test('a token that died has to prove itself again, a bad one does not', () => {
  const { quarantine } = setup();
  quarantine.prove('dead');
  quarantine.prove('bad');
  quarantine.condemn(token('dead'), DEAD);
  quarantine.condemn(token('bad'), BAD);
  expect(quarantine.trustOf('dead')).toBe('unproven');
  expect(quarantine.trustOf('bad')).toBe('proven');
});

test('a token is trusted from its first push on, however many follow', () => {
  const { clock, quarantine } = setup();
  expect(quarantine.provenForMs('a')).toBeUndefined();
  quarantine.prove('a');
  clock.advance(HOUR);
  quarantine.prove('a');
  expect(quarantine.provenForMs('a')).toBe(HOUR);
});

test('a hold delays and does not refuse, and a push that arrives does not end it', () => {
  const { clock, quarantine } = setup();
  quarantine.hold(token('a'), { reason: 'TooManyRequests', forMs: 30_000 });
  quarantine.prove('a');
  expect(quarantine.find('a')).toBeUndefined();
  expect(quarantine.findHold('a')?.entry).toMatchObject({ kind: 'throttled' });
  clock.advance(30_000);
  expect(quarantine.findHold('a')).toBeUndefined();
});

test('a later, shorter answer does not shorten a hold', () => {
  const { clock, quarantine } = setup();
  const first = quarantine.hold(token('a'), { reason: 'TooManyRequests', forMs: 60_000 });
  clock.advance(1_000);
  const second = quarantine.hold(token('a'), { reason: 'TooManyRequests', forMs: 1_000 });
  expect(second.untilMs).toBe(first.untilMs);
});

test('a release ends refusal and hold, and returns whether there was one', () => {
  const { quarantine } = setup();
  quarantine.condemn(token('a'), DEAD);
  quarantine.hold(token('a'), { reason: 'TooManyRequests', forMs: 60_000 });
  expect(quarantine.release('a')).toBe(true);
  expect([quarantine.find('a'), quarantine.findHold('a')]).toEqual([undefined, undefined]);
  expect(quarantine.release('a')).toBe(false);
});

test('a restart keeps refusals, holds and proven tokens; tokens proven then are trusted', () => {
  const { quarantine: earlier, clock } = setup();
  const entries = [
    earlier.condemn(token('dead'), DEAD),
    earlier.hold(token('held'), { reason: 'TooManyRequests', forMs: HOUR }),
  ];
  const later = new Quarantine(clock, OPTIONS);
  later.load(entries, ['worked']);
  expect(later.find('dead')?.kind).toBe('unregistered');
  expect(later.find('held')).toBeUndefined();
  expect(later.findHold('held')?.entry.kind).toBe('throttled');
  expect(later.provenForMs('worked')).toBeGreaterThan(HOUR);
});

test('a clock that was set back before a restart makes no refusal or hold longer', () => {
  const { quarantine: earlier } = setup();
  const held = earlier.hold(token('a'), { reason: 'TooManyRequests', forMs: 30_000 });
  const clock = new ManualClock(held.sinceMs - 10 * HOUR);
  const later = new Quarantine(clock, OPTIONS);
  const changed = later.load([held], []);
  // It is stored, so that the next restart makes it no longer, either.
  expect(changed).toMatchObject([{ sinceMs: clock.nowMs(), untilMs: clock.nowMs() + 30_000 }]);
  clock.advance(29_999);
  expect(later.findHold('a')).toBeDefined();
  clock.advance(1);
  expect(later.findHold('a')).toBeUndefined();
});

for (const jumpMs of [HOUR, -HOUR]) {
  const way = jumpMs > 0 ? 'forward' : 'back';

  test(`an entry has the times of a wall clock that was set ${way}, and its length as before`, () => {
    const { clock, quarantine } = setup();
    quarantine.hold(token('early'), { reason: 'TooManyRequests', forMs: 60_000 });
    clock.jump(jumpMs);
    const sinceMs = clock.wallMs();
    const bad = quarantine.condemn(token('bad'), BAD);
    expect(bad).toMatchObject({ sinceMs, untilMs: sinceMs + OPTIONS.badTokenMs });
    // Never shorter than an earlier answer said, before the clock was set.
    const held = quarantine.hold(token('early'), { reason: 'TooManyRequests', forMs: 1_000 });
    expect(held).toMatchObject({ sinceMs, untilMs: sinceMs + 60_000 });
    clock.advance(59_999);
    expect(quarantine.findHold('early')?.entry).toBe(held);
    clock.advance(1);
    expect(quarantine.findHold('early')).toBeUndefined();
    clock.advance(OPTIONS.badTokenMs - 60_001);
    expect(quarantine.find('bad')).toBe(bad);
    clock.advance(1);
    expect(quarantine.find('bad')).toBeUndefined();
  });

  test(`a restart changes no refusal that began after the wall clock was set ${way}`, () => {
    const { clock: before, quarantine: earlier } = setup();
    before.jump(jumpMs);
    const bad = earlier.condemn(token('bad'), BAD);
    before.advance(60_000);
    const clock = new ManualClock(before.wallMs());
    const later = new Quarantine(clock, OPTIONS);
    expect(later.load([bad], [])).toEqual([]);
    clock.advance(OPTIONS.badTokenMs - 60_001);
    expect(later.find('bad')).toBe(bad);
    clock.advance(1);
    expect(later.find('bad')).toBeUndefined();
  });

  test(`another machine’s hold ends by service time after the wall clock was set ${way}`, () => {
    const { clock, quarantine } = setup();
    clock.jump(jumpMs);
    const sinceMs = clock.wallMs();
    const of = { ...token('held'), kind: 'throttled', reason: 'TooManyRequests' } as const;
    quarantine.learn({ ...of, sinceMs, untilMs: sinceMs + 30_000 });
    expect(quarantine.findHold('held')?.endsAtMs).toBe(clock.nowMs() + 30_000);
  });
}

test('beyond the limits the oldest entries are forgotten, also of those loaded at a restart', () => {
  const { quarantine } = setup();
  for (const name of ['1', '2', '3', '4']) quarantine.condemn(token(name), BAD);
  expect(['1', '2', '3', '4'].filter((name) => quarantine.find(name))).toEqual(['2', '3', '4']);
  // The log lists the newest first.
  quarantine.load([], ['newest', 'middle', 'oldest']);
  const proven = ['newest', 'middle', 'oldest'].filter(
    (name) => quarantine.trustOf(name) === 'proven',
  );
  expect(proven).toEqual(['newest', 'middle']);
});

test('another machine’s hold does not shorten a hold that is known here', () => {
  const { clock, quarantine } = setup();
  const own = quarantine.hold(token('held'), { reason: 'TooManyRequests', forMs: 30_000 });
  quarantine.learn({ ...own, untilMs: clock.nowMs() + 10_000 });
  expect(quarantine.findHold('held')?.entry).toBe(own);
  const longer = { ...own, untilMs: own.untilMs + 1 };
  quarantine.learn(longer);
  expect(quarantine.findHold('held')?.entry).toBe(longer);
});
