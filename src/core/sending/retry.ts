// When a delivery is tried again. Pure: due times are fixed points of time since receipt, so that a probe, a
// restart or an outage uses up none of them; a point that passed is skipped.

import { lastAttemptMs } from '../notification.ts';
import type { Outcome } from '../outcome.ts';

const SECOND = 1_000;

/** Milliseconds since receipt; after the last one, one more at every step. */
interface Schedule {
  readonly pointsMs: readonly number[];
  readonly stepMs: number;
}

const RACE: Schedule = {
  pointsMs: [1, 3, 7, 15, 25, 35, 45].map((seconds) => seconds * SECOND),
  stepMs: 10 * SECOND,
};
const NEWS: Schedule = {
  pointsMs: [15, 45, 105].map((seconds) => seconds * SECOND),
  stepMs: 60 * SECOND,
};
/** Each gap between two points is stretched or shortened by up to this part. */
const JITTER = 0.2;
/** Nothing is tried again sooner than this, except the one attempt that follows at once. */
const SHORTEST_PAUSE_MS = 500;
/** After this many unanswered attempts the next one waits; after `MAX_UNANSWERED` none follows. */
const UNANSWERED_BEFORE_WAIT = 2;
const UNANSWERED_WAIT_MS = 10 * SECOND;
export const MAX_UNANSWERED = 4;
/** A delivery waits no longer than this, even if a provider's Retry-After is longer: see the breaker. */
const LONGEST_RETRY_AFTER_MS = 10 * SECOND;
/** A delivery that found no place in flight has used up nothing: it asks again after this at the latest. */
const CROWDED_GAP_MS = 3 * SECOND;
/** A delivery whose caller was answered `queued` waits this long for someone to fix the credentials. */
const MISCONFIGURED_GAP_MS = 60 * SECOND;

export interface RetryInput {
  /** Service time, as all times here. */
  readonly nowMs: number;
  readonly receivedAtMs: number;
  readonly usefulUntilMs: number;
  readonly isRace: boolean;
  /** Attempts so far that the provider left unanswered. */
  readonly unanswered: number;
  /** Chance, from 0 to 1. */
  readonly fraction: number;
  /** How the last attempt ended. */
  readonly outcome: Outcome;
  /** Until when the token is held back, if it is. */
  readonly heldUntilMs?: number | undefined;
  /** It was not tried because all places in flight were taken. */
  readonly isCrowdedOut?: boolean;
}

export interface PlannedRetry {
  readonly dueAtMs: number;
  readonly notBeforeMs?: number | undefined;
}

/** The next attempt; `undefined` if none can start within the useful life. */
export function planRetry(input: RetryInput): PlannedRetry | undefined {
  const { nowMs, usefulUntilMs, unanswered, heldUntilMs } = input;
  const lastMs = lastAttemptMs(usefulUntilMs);
  if (nowMs >= lastMs || unanswered >= MAX_UNANSWERED) return undefined;
  const waitUntilMs =
    unanswered >= UNANSWERED_BEFORE_WAIT && isUnanswered(input.outcome)
      ? nowMs + UNANSWERED_WAIT_MS
      : undefined;
  const notBeforeMs = latest(heldUntilMs, waitUntilMs);
  if (notBeforeMs !== undefined && notBeforeMs > usefulUntilMs) return undefined;
  const pointMs = nextPointMs(input);
  const wishMs = input.isCrowdedOut
    ? Math.min(pointMs, nowMs + CROWDED_GAP_MS)
    : Math.max(pointMs, nowMs + shortestGapMs(input.outcome));
  const earliestMs = Math.max(nowMs + SHORTEST_PAUSE_MS, notBeforeMs ?? 0);
  const dueAtMs = Math.max(Math.min(wishMs, lastMs), earliestMs);
  return { dueAtMs, notBeforeMs };
}

/**
 * How long a token is held back that the provider throttles: its `Retry-After`, else the delivery's next gap, which
 * ends at its last useful moment.
 */
export function holdMs(outcome: Outcome, input: Omit<RetryInput, 'outcome'>): number {
  if (outcome.kind === 'retry' && outcome.retryAfterMs !== undefined) return outcome.retryAfterMs;
  const lastMs = lastAttemptMs(input.usefulUntilMs);
  return Math.max(Math.min(nextPointMs(input), lastMs) - input.nowMs, SHORTEST_PAUSE_MS);
}

/**
 * Whether another attempt follows at once, on a fresh connection: if the push was certainly not processed, and after
 * the first uncertain end. The id and the collapse id stay, so a phone shows one.
 */
export function isRetriedAtOnce(
  outcome: Outcome,
  { tries, unanswered }: { readonly tries: number; readonly unanswered: number },
): boolean {
  if (outcome.kind !== 'retry' || outcome.retryAfterMs !== undefined || tries > 1) return false;
  switch (outcome.certainty) {
    case 'not_processed':
    case 'uncertain':
      return true;
    case 'unanswered':
      return unanswered === 1;
    default:
      return false;
  }
}

export function isUnanswered(outcome: Outcome): boolean {
  return outcome.kind === 'retry' && outcome.certainty === 'unanswered';
}

export function isThrottledToken(outcome: Outcome): boolean {
  return outcome.kind === 'retry' && outcome.certainty === 'throttled_token';
}

/** The first point of the schedule, with its jitter, that is not too close to now. */
function nextPointMs(input: Omit<RetryInput, 'outcome'>): number {
  const { nowMs, receivedAtMs, fraction } = input;
  const { pointsMs, stepMs } = input.isRace ? RACE : NEWS;
  const stretch = 1 - JITTER + 2 * JITTER * fraction;
  const earliestMs = nowMs + SHORTEST_PAUSE_MS;
  let before = 0;
  for (const point of pointsMs) {
    const atMs = receivedAtMs + before + (point - before) * stretch;
    if (atMs >= earliestMs) return atMs;
    before = point;
  }
  // One step back, because jitter may have moved that point past now.
  const passed = Math.floor((nowMs - receivedAtMs - before) / stepMs) - 1;
  for (let step = Math.max(0, passed); ; step += 1) {
    const atMs = receivedAtMs + before + (step + stretch) * stepMs;
    if (atMs >= earliestMs) return atMs;
  }
}

function shortestGapMs(outcome: Outcome): number {
  if (outcome.kind === 'misconfigured') return MISCONFIGURED_GAP_MS;
  const retryAfterMs = outcome.kind === 'retry' ? outcome.retryAfterMs : undefined;
  return Math.min(retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS);
}

function latest(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.max(one, other);
}
