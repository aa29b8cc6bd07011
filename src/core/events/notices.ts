// What the core's reports mean for endpoints: that the table may have new events, and which alerts are mailed at once
// from memory, because a failing store could not be asked for them.

import type { Trouble } from '../ports/events.ts';
import type { ServiceEvent } from '../ports/observer.ts';

const HINTS: ReadonlySet<ServiceEvent['name']> = new Set([
  'delivery_settled',
  'delivery_overdue',
  'token_quarantined',
  'breaker_changed',
  'endpoint_disabled',
  'receipt_taken',
  'device_silent',
  'device_returned',
]);

/** Whether this report may have led to an event. */
export function isHint({ name }: ServiceEvent): boolean {
  return HINTS.has(name);
}

export function noticeOf(
  event: ServiceEvent,
  {
    atMs,
    appOf,
  }: { readonly atMs: number; readonly appOf: (endpointId: string) => string | undefined },
): Trouble | undefined {
  switch (event.name) {
    case 'store_failed':
      return { type: 'mail.store_failed', atMs, reason: event.reason };
    case 'endpoint_failing': {
      const { endpointId, reason, failingForMs } = event;
      const type = 'mail.endpoint_failing';
      return { type, atMs, app: appOf(endpointId), endpointId, reason, failingForMs };
    }
    default:
      return undefined;
  }
}
