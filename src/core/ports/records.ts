// The port to what the log keeps beside deliveries and never makes anybody wait: what callers were told, refused calls,
// outages of the providers, and the gaps of the log itself. All times are wall time.

import type { ProviderName } from '../target.ts';

/** What the caller of a delivery was answered; the first answer stays. */
export interface Told {
  readonly deliveryId: string;
  /** `delivered`, `queued`, `replied` or the code of a problem. */
  readonly told: string;
  /** Of HTTP. */
  readonly status: number;
  readonly atMs: number;
}

/** The code of a call that repeated an earlier one: taken, but without a delivery of its own. */
export const REPEATED = 'duplicate';

/** Calls of one kind that were refused within a minute. Nobody is named but by fingerprint. */
export interface Refusal {
  /** When the first was refused, and when the last. */
  readonly atMs: number;
  readonly lastAtMs: number;
  readonly count: number;
  /** Of the first; those of the others lie in time between the two. */
  readonly requestId?: string | undefined;
  /** The pattern of the route; `*` for a path that is not served. */
  readonly door: string;
  readonly source?: string | undefined;
  /** A configured one. */
  readonly app?: string | undefined;
  /** An `ErrorCode`, or `duplicate`. */
  readonly code: string;
  readonly status: number;
  /** Which limit was reached. */
  readonly limit?: string | undefined;
  readonly tokenHash?: string | undefined;
  /** Of a handle that no device has. */
  readonly handleHash?: string | undefined;
  readonly subjectHash?: string | undefined;
  readonly deviceId?: string | undefined;
  /** Names of the fields at fault, joined by commas. */
  readonly fields?: string | undefined;
  /** The Lightning node that signed, whether it may or not. */
  readonly nodeId?: string | undefined;
  readonly addressHash?: string | undefined;
  /** The delivery that was repeated. */
  readonly deliveryId?: string | undefined;
  /** False if it names no known device, handle, domain or proven token: anybody can invent such calls. */
  readonly isKnown: boolean;
}

/** An app that could not push by a provider. */
export interface Outage {
  readonly app: string;
  readonly provider: ProviderName;
  /** From our own tables. */
  readonly reason: string;
  readonly beganAtMs: number;
  /** Absent while it lasts. */
  readonly endedAtMs?: number | undefined;
}

/**
 * When the log is not complete: the process did not run, or the database could not be written. The first gap began at 0
 * and ended when the log was made.
 */
export interface Gap {
  readonly kind: 'stopped' | 'store';
  readonly beganAtMs: number;
  /** Absent since the process was stopped. */
  readonly endedAtMs?: number | undefined;
  /** Deliveries that left no row. */
  readonly unlogged: number;
}
