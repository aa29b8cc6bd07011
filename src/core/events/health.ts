// What an operator should know about an endpoint that accepts no events: for readiness and for the page.

import type { StoredEndpoint } from '../ports/events.ts';
import { warningsDue } from './schedule.ts';

const HOUR_MS = 3_600_000;

/**
 * Absent if all is well, or if it was disabled by hand. A failure is reported after an hour, as in the log; a missing
 * mail setting (`mailFault`) at once.
 */
export function healthDetail(
  { endpoint, progress, reason }: StoredEndpoint & { readonly reason?: string | undefined },
  { wallMs, mailFault }: { readonly wallMs: number; readonly mailFault?: string | undefined },
): string | undefined {
  const { status, disabledReason, digest } = endpoint;
  if (status === 'disabled') {
    if (disabledReason === 'by_operator') return undefined;
    const words = disabledReason === 'gone' ? 'it answered 410' : 'it failed for five days';
    return `is disabled: ${words}`;
  }
  if (digest !== undefined && mailFault !== undefined) return mailFault;
  const failingForMs = wallMs - (progress.failingSinceMs ?? wallMs);
  if (warningsDue(failingForMs) === 0) return undefined;
  const why = reason === undefined ? '' : `: ${reason}`;
  return `has taken no event for ${Math.floor(failingForMs / HOUR_MS)} h${why}`;
}
