// The conclusion about a wake: the sentence that an operator reads, which never claims a cause that cannot be known.

import { expect, test } from 'vitest';
import type { DeliveryWake } from '../../../src/core/ports/receipts.ts';
import { concludeWake, describeWake } from '../../../src/core/receipts/conclusion.ts';
import type { Receipt } from '../../../src/core/receipts/receipt.ts';

const NOW = 1_754_049_600_000;

function wakeOf(
  receipts: readonly (Receipt & { readonly atMs: number })[],
  given: Partial<DeliveryWake> = {},
): DeliveryWake {
  return {
    ...{ receivedAtMs: NOW, lifetimeMs: 60_000, provider: 'apns', isAsked: true },
    ...{ acceptedAtMs: NOW + 41, recent: '11111111111110', isSender: true, receipts, ...given },
  };
}

function at(ms: number, stage: Receipt['stage'], more: Partial<Receipt> = {}) {
  return { atMs: NOW + ms, stage, n: 1, ...more } as const;
}

test('tells how far the phone came, and when', () => {
  const wake = wakeOf([at(1_900, 'started'), at(3_200, 'connected'), at(4_000, 'done')]);
  expect(concludeWake(wake)).toEqual({ kind: 'woke', stage: 'done' });
  expect(describeWake(wake)).toBe(
    'Apple took it at +41 ms, the phone started at +1.9 s, connected at +3.2 s, done at +4.0 s',
  );
});

test('the furthest stage counts, whatever the order of arrival', () => {
  const wake = wakeOf([at(4_000, 'done'), at(4_100, 'started')]);
  expect(concludeWake(wake)).toEqual({ kind: 'woke', stage: 'done' });
  const failed = wakeOf([at(2_000, 'failed', { why: 'quota' }), at(2_100, 'started')]);
  expect(concludeWake(failed)).toEqual({ kind: 'woke', stage: 'failed', why: 'quota' });
  expect(describeWake(failed)).toContain('failed (quota) at +2.0 s');
});

test('if a second push succeeds, the reason of the first one is not shown', () => {
  const wake = wakeOf([at(2_000, 'failed', { why: 'timeout' }), at(9_000, 'done', { n: 2 })]);
  expect(concludeWake(wake)).toEqual({ kind: 'woke', stage: 'done' });
});

test('a reply counts as a wake, as a receipt does, and is shown', () => {
  const wake = wakeOf([], { answeredAtMs: NOW + 2_000 });
  expect(concludeWake(wake)).toEqual({ kind: 'woke' });
  expect(describeWake(wake)).toBe('Apple took it at +41 ms, the phone replied at +2.0 s');
});

test('if only the phone proved the push, no acceptance is claimed', () => {
  const proven = wakeOf([at(4_500, 'started')], { acceptedAtMs: NOW + 4_500 });
  expect(describeWake(proven)).toBe('the phone started at +4.5 s');
  const answered = wakeOf([], { acceptedAtMs: NOW + 2_001, answeredAtMs: NOW + 2_000 });
  expect(describeWake(answered)).toBe('the phone replied at +2.0 s');
});

test('a first receipt after the useful life is late', () => {
  expect(concludeWake(wakeOf([at(52_000, 'started')])).kind).toBe('woke');
  const late = wakeOf([at(52_001, 'started'), at(53_000, 'done')]);
  expect(concludeWake(late).kind).toBe('late');
  expect(describeWake(late)).toBe(
    'Apple took it at +41 ms, the phone started at +52.0 s, done at +53.0 s, too late for a push that was useful for 52 s',
  );
});

test('after a repeat renewed the lifetime, the phone has its time from then on', () => {
  const renewed = { renewedAtMs: NOW + 40_000 };
  const woken = (ms: number) => concludeWake(wakeOf([at(ms, 'started')], renewed)).kind;
  expect(woken(92_000)).toBe('woke');
  expect(woken(92_001)).toBe('late');
  expect(describeWake(wakeOf([], renewed), NOW + 99_999)).toContain('no receipt yet');
  expect(describeWake(wakeOf([], renewed), NOW + 100_000)).not.toContain('yet');
});

test('a demotion is shown', () => {
  const demoted = { priority: 'normal', originalPriority: 'high' } as const;
  const wake = wakeOf([at(1_900, 'started', demoted)], { provider: 'fcm' });
  expect(concludeWake(wake).kind).toBe('demoted');
  expect(describeWake(wake)).toBe(
    'Google took it at +41 ms, the phone started at +1.9 s, Android demoted it (high → normal)',
  );
});

test('silence is shown with what the phone did before, and never explained', () => {
  const silent = wakeOf([], { recent: '111111110111111' });
  expect(concludeWake(silent)).toEqual({ kind: 'no_receipt' });
  expect(describeWake(silent)).toBe(
    'Apple took it at +41 ms, no receipt; this phone sent one for 14 of its last 15 pushes',
  );
  expect(describeWake(silent, NOW + 59_999)).toBe('Apple took it at +41 ms, no receipt yet');
  const unknown = wakeOf([], { recent: '000', isSender: false });
  expect(concludeWake(unknown)).toEqual({ kind: 'unknown' });
  for (const wake of [silent, unknown]) {
    expect(describeWake(wake)).not.toMatch(/lost|stopped|network|switched|off\b|uninstalled/);
  }
});

test('a history of one push, or of none, reads as a sentence', () => {
  for (const [recent, says] of [
    ['1', 'no receipt; this phone sent one for another push'],
    ['0', 'no receipt; this phone sent one before its last push'],
    ['', 'no receipt; this phone has sent one before'],
  ] as const) {
    expect(describeWake(wakeOf([], { recent }))).toBe(`Apple took it at +41 ms, ${says}`);
  }
});

test('a second push and what answered it are shown', () => {
  const wake = wakeOf([at(8_000, 'started', { n: 2 })], { knockedAtMs: NOW + 6_000 });
  expect(describeWake(wake)).toBe(
    'Apple took it at +41 ms, second push at +6.0 s, the phone started at +8.0 s after the second push',
  );
  expect(describeWake(wakeOf([], { isAsked: false }))).toBe(
    'the push asked for no receipt: it had no room for the address, or left an hour after the call',
  );
});
