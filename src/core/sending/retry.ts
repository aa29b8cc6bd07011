// When a delivery is tried again: the gaps, the jitter, and what no longer fits its useful life.

import { type Next, usefulUntilMs } from '../delivery.ts';
import type { Outcome } from '../outcome.ts';

const SECOND = 1_000;
const GAPS_MS = [1, 2, 4, 8, 15, 30, 60].map((seconds) => seconds * SECOND);
const JITTER = 0.2;

/** The pause after `failures` tries in a row (1 or more), with ±20 % jitter from `fraction` (0 to 1). */
export function gapMs(failures: number, fraction: number): number {
  const index = Math.min(Math.max(failures, 1), GAPS_MS.length) - 1;
  const gap = GAPS_MS[index] ?? SECOND;
  return Math.round(gap * (1 - JITTER + 2 * JITTER * fraction));
}

export interface RetryInput {
  readonly failures: number;
  readonly nowMs: number;
  readonly expiresAtMs: number;
  readonly lifetimeMs: number;
  readonly fraction: number;
  /** The provider's wish; the gap is never shorter. */
  readonly retryAfterMs?: number;
  readonly reason?: string;
}

/** Queued for another try if one can still start within the useful life, else expired. */
export function scheduleRetry(input: RetryInput): Next {
  const gap = Math.max(gapMs(input.failures, input.fraction), input.retryAfterMs ?? 0);
  const dueAtMs = input.nowMs + gap;
  if (dueAtMs > usefulUntilMs(input.expiresAtMs, input.lifetimeMs)) {
    return { status: 'expired', ...(input.reason === undefined ? {} : { reason: input.reason }) };
  }
  return { status: 'queued', dueAtMs };
}

/**
 * Whether a failed try is worth one more at once, on a fresh connection: what certainly was not processed,
 * and the first end that leaves it open. The id and the collapse id stay, so a phone shows one.
 */
export function isRetriedAtOnce(outcome: Outcome, triesInThisRun: number): boolean {
  return (
    outcome.kind === 'retry' &&
    outcome.retryAfterMs === undefined &&
    (outcome.certainty === 'not_processed' || outcome.certainty === 'uncertain') &&
    triesInThisRun === 1
  );
}
