// What follows from the earlier wakes of a phone: when its receipt is overdue and whether a second push may be sent.

import { expect, test } from 'vitest';
import {
  afterKnock,
  afterPush,
  afterReceipt,
  afterReply,
  afterUselessKnock,
  answeredOf,
  knockRefusal,
  NO_HISTORY,
  overdueAfterMs,
  type WakeHistory,
} from '../../../src/core/receipts/history.ts';
import type { Receipt } from '../../../src/core/receipts/receipt.ts';

const NOW = 1_754_049_600_000;
const DAY_MS = 86_400_000;
const STARTED: Receipt = { stage: 'started', n: 1 };

/** The phone gets pushes and wakes after these times, one after the other. */
function wokenAfter(timesMs: readonly number[], from: WakeHistory = NO_HISTORY): WakeHistory {
  return timesMs.reduce((history, wakeMs, index) => {
    const acceptedAtMs = NOW + index * 60_000;
    const pushed = afterPush(history, { atMs: acceptedAtMs, isAnswered: false, isJudged: true });
    const push = { number: pushed.pushes, acceptedAtMs, isFirst: true, isKnocked: false };
    return afterReceipt(pushed, STARTED, { atMs: acceptedAtMs + wakeMs, push });
  }, from);
}

test('waits 6 s for a phone of which fewer than five wakes are known', () => {
  expect(overdueAfterMs(NO_HISTORY)).toBe(6_000);
  expect(overdueAfterMs(wokenAfter([9_000, 100, 100, 100]))).toBe(6_000);
});

test('waits for the slowest of the last twenty wakes and a second, at least three seconds', () => {
  expect(overdueAfterMs(wokenAfter([100, 100, 4_200, 100, 100]))).toBe(5_200);
  expect(overdueAfterMs(wokenAfter([100, 100, 100, 100, 100]))).toBe(3_000);
  const slowLongAgo = wokenAfter([20_000, ...new Array<number>(20).fill(2_500)]);
  expect(overdueAfterMs(slowLongAgo)).toBe(3_500);
});

test('measures only first pushes', () => {
  const pushed = afterPush(NO_HISTORY, { atMs: NOW, isAnswered: false, isJudged: true });
  const push = { number: 1, acceptedAtMs: NOW, isFirst: true, isKnocked: true };
  const knocked = afterReceipt(pushed, { stage: 'started', n: 2 }, { atMs: NOW + 9_000, push });
  expect(knocked.wakesMs).toEqual([]);
  expect(knocked.hasStarted).toBe(true);
});

test('a receipt for a push whose acceptance is unknown answers it but is not measured', () => {
  const awake = wokenAfter([1_000, 2_000]);
  const push = { number: undefined, acceptedAtMs: undefined, isFirst: true, isKnocked: false };
  const proven = afterReceipt(awake, STARTED, { atMs: NOW + 9_000, push });
  expect(proven).toEqual({ ...awake, lastWakeAtMs: NOW + 9_000 });
});

test('remembers for its newest fifteen pushes which ones were answered, in any order', () => {
  let history = NO_HISTORY;
  for (let push = 1; push <= 20; push += 1) {
    history = afterPush(history, { atMs: NOW + push, isAnswered: push === 20, isJudged: true });
  }
  expect(history.recent).toBe('000000000000001');
  const late = (number: number) => ({
    atMs: NOW + 60_000,
    push: { number, acceptedAtMs: NOW, isFirst: true, isKnocked: false },
  });
  expect(afterReceipt(history, STARTED, late(19)).recent).toBe('000000000000011');
  expect(afterReceipt(history, STARTED, late(6)).recent).toBe('100000000000001');
  expect(afterReceipt(history, STARTED, late(5)).recent).toBe(history.recent);
  expect(answeredOf(history)).toEqual({ answered: 1, pushes: 15 });
});

test('a phone that never sent `started`, was demoted or is silent gets no knock', () => {
  const awake = wokenAfter([1_000]);
  expect(knockRefusal(NO_HISTORY, NOW)).toBe('never_started');
  expect(knockRefusal(awake, NOW)).toBeUndefined();
  expect(knockRefusal({ ...awake, silentSinceMs: NOW }, NOW)).toBe('silent');
  const demoted = { ...awake, demotedAtMs: NOW };
  expect(knockRefusal(demoted, NOW + 7 * DAY_MS - 1)).toBe('demoted');
  expect(knockRefusal(demoted, NOW + 7 * DAY_MS)).toBeUndefined();
});

test('a phone gets three knocks a day, and none for a day after two useless ones in a row', () => {
  let history = wokenAfter([1_000]);
  for (const hour of [0, 1, 2]) history = afterKnock(history, NOW + hour * 3_600_000);
  expect(knockRefusal(history, NOW + DAY_MS - 1)).toBe('knocked_often');
  expect(knockRefusal(history, NOW + DAY_MS)).toBeUndefined();

  const once = afterUselessKnock(wokenAfter([1_000]), NOW);
  expect(knockRefusal(once, NOW)).toBeUndefined();
  const twice = afterUselessKnock(once, NOW + 1);
  expect(knockRefusal(twice, NOW + DAY_MS)).toBe('knocked_in_vain');
  expect(knockRefusal(twice, NOW + DAY_MS + 1)).toBeUndefined();
  const push = { number: 1, acceptedAtMs: NOW, isFirst: true, isKnocked: true };
  const rescued = afterReceipt(twice, { stage: 'started', n: 2 }, { atMs: NOW, push });
  expect(knockRefusal(rescued, NOW)).toBeUndefined();
});

test('a push that is not judged changes nothing unless it is answered', () => {
  const judged = afterPush(NO_HISTORY, { atMs: NOW, isAnswered: true, isJudged: true });
  const missing = { atMs: NOW + 1, isAnswered: false, isJudged: false };
  expect(afterPush(judged, missing)).toEqual({ ...judged, lastPushAtMs: NOW + 1 });
  const answered = afterPush(judged, { ...missing, isAnswered: true });
  expect(answered).toMatchObject({ pushes: 2, recent: '11' });
});

test('a reply ends a silence as a receipt does, but does not count as sending receipts', () => {
  let history = afterPush(NO_HISTORY, { atMs: NOW, isAnswered: false, isJudged: true });
  history = afterReply(history, { atMs: NOW + 1, number: 1 });
  expect(history).toMatchObject({ recent: '1', unanswered: 0, lastWakeAtMs: undefined });
  const silent = { ...history, lastWakeAtMs: NOW, silentSinceMs: NOW, unanswered: 5 };
  expect(afterReply(silent, { atMs: NOW + 2, number: undefined })).toMatchObject({
    ...{ recent: '1', unanswered: 0, lastWakeAtMs: NOW + 2, silentSinceMs: undefined },
  });
});
