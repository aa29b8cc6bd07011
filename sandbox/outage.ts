// A provider that fails for every token: the kinds of outage, and what each does to one push.
import { z } from 'zod';
import type { Fault } from './faults.ts';
import type { ProviderName } from './records.ts';

const kinds = [
  /** The port is closed and open connections are reset. */
  'refused',
  'status_500',
  /** 502 with the HTML page of a load balancer. */
  'html_502',
  /** 503, with `retryAfterSeconds` if given. */
  'status_503',
  /** 429 for every token, without naming whose limit it is; with `retryAfterSeconds` if given. */
  'status_429',
  /** Every push resets its connection. */
  'reset_connection',
  'reset_stream',
  /** No push is answered; PING is. */
  'hang',
] as const;

export const outageSchema = z.strictObject({
  kind: z.enum(kinds),
  retryAfterSeconds: z.int().min(0).optional(),
  /** For resets and `hang`: whether the push is taken although no answer says so. */
  accepted: z.boolean().optional(),
});

export type Outage = Readonly<z.infer<typeof outageSchema>>;
export type OutageKind = Outage['kind'];

/** Every kind, for a test that goes through all of them. */
export const OUTAGE_KINDS: readonly OutageKind[] = kinds;

/** The fault that a push of this provider gets; undefined if the port is closed, so that no push arrives. */
export function outageFault(outage: Outage, provider: ProviderName): Fault | undefined {
  const { retryAfterSeconds, accepted } = outage;
  const ofApns = provider === 'apns';
  switch (outage.kind) {
    case 'refused':
      return undefined;
    case 'status_500':
      return ofApns
        ? { kind: 'reason', reason: 'InternalServerError', retryAfterSeconds }
        : { kind: 'fcm_error', error: 'INTERNAL', retryAfterSeconds };
    case 'html_502':
      return { kind: 'html', status: 502, retryAfterSeconds };
    case 'status_503':
      return ofApns
        ? { kind: 'reason', reason: 'ServiceUnavailable', retryAfterSeconds }
        : { kind: 'fcm_error', error: 'UNAVAILABLE', retryAfterSeconds };
    case 'status_429':
      return ofApns
        ? { kind: 'reason', reason: 'TooManyRequests', retryAfterSeconds }
        : { kind: 'fcm_error', error: 'QUOTA_EXCEEDED', retryAfterSeconds };
    case 'reset_connection':
      return { kind: 'reset', scope: 'connection', accepted };
    case 'reset_stream':
      return { kind: 'reset', scope: 'stream', accepted };
    case 'hang':
      return { kind: 'hang', accepted };
  }
}
