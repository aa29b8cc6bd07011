// What e-mail endpoints are told of at once that is no event of the table: a store that fails could not be asked for it.

import type { Trouble } from '../ports/events.ts';
import type { ServiceEvent } from '../ports/observer.ts';

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
