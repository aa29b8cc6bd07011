// What an operator should know of an endpoint that takes no events: for readiness and for the page.

import type { StoredEndpoint } from '../ports/events.ts';
import { GIVE_UP_MS, warningsDue } from './schedule.ts';

const HOUR_MS = 3_600_000;

/** Absent if all is well, or if it was disabled by hand. It says so after an hour of failure, as the log does. */
export function troubleOf(
  { endpoint, progress }: StoredEndpoint,
  wallMs: number,
): string | undefined {
  const { status, disabledReason } = endpoint;
  if (status === 'disabled') {
    if (disabledReason === 'by_operator') return undefined;
    const words = disabledReason === 'gone' ? 'it answered 410' : 'it failed for five days';
    return `is disabled: ${words}`;
  }
  const failingForMs = wallMs - (progress.failingSinceMs ?? wallMs);
  if (warningsDue(failingForMs) === 0) return undefined;
  const leftMs = Math.max(0, GIVE_UP_MS - failingForMs);
  return `has taken no event for ${hoursOf(failingForMs)}, and is disabled in ${hoursOf(leftMs)}`;
}

function hoursOf(ms: number): string {
  return `${Math.floor(ms / HOUR_MS)} h`;
}
