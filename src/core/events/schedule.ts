// When a failing endpoint is tried again, what its answers mean, and when it is disabled.

import type { SendResult } from '../ports/events.ts';

const FIRST_MS = 5_000;
const LONGEST_MS = 3_600_000;
const JITTER = 0.2;
const DAY_MS = 86_400_000;
/** After this long without a success the endpoint is disabled. */
export const GIVE_UP_MS = 5 * DAY_MS;
/** An event that was refused this often is not tried again. */
export const MAX_REFUSALS = 3;
/** How long an endpoint fails until the log says so. */
const WARN_MS = [3_600_000, DAY_MS, 3 * DAY_MS] as const;
/** Statuses of 4xx that say nothing about the event. */
const NOT_ABOUT_THE_EVENT: ReadonlySet<number> = new Set([408, 410, 429]);
/** Statuses of a receiver that cannot keep up. */
const OVERLOADED: ReadonlySet<number> = new Set([429, 502, 504]);

export type SendVerdict = 'delivered' | 'refused' | 'gone' | 'failed';

/** 2xx is success; a redirect is a failure. */
export function verdictOf(result: SendResult): SendVerdict {
  if (result.kind === 'failed') return 'failed';
  const { status } = result;
  if (status >= 200 && status < 300) return 'delivered';
  if (status === 410) return 'gone';
  return status >= 400 && status < 500 && !NOT_ABOUT_THE_EVENT.has(status) ? 'refused' : 'failed';
}

export function isOverloaded(result: SendResult): boolean {
  return result.kind === 'answered' && OVERLOADED.has(result.status);
}

/** 5 s, doubling to an hour, ±20 %. `failures` counts from 1; `Retry-After` counts up to an hour. */
export function retryDelayMs(
  failures: number,
  {
    fraction,
    retryAfterMs = 0,
  }: { readonly fraction: number; readonly retryAfterMs?: number | undefined },
): number {
  const plannedMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  const jitteredMs = plannedMs * (1 - JITTER + 2 * JITTER * fraction);
  return Math.max(jitteredMs, Math.min(retryAfterMs, LONGEST_MS));
}

/** How many warnings are due for an endpoint that has failed for this long. */
export function warningsDue(failingForMs: number): number {
  return WARN_MS.filter((ms) => failingForMs >= ms).length;
}
