// One notification to one target: the row in the log, its states, and what an attempt leaves behind.

import type { Notification } from './notification.ts';
import type { Outcome } from './outcome.ts';
import type { ProviderName, Target } from './target.ts';

/** `queued` is the only open state; the others are final. */
export type DeliveryStatus =
  | 'queued'
  | 'delivered'
  | 'unregistered'
  | 'rejected'
  | 'misconfigured'
  | 'expired';

/** A delivery that is still on its way: everything needed to send it again. */
export interface Delivery {
  /** Also the `apns-id`, the same on every try. */
  readonly id: string;
  readonly target: Target;
  /** The registered device that it is for; absent for the token form. */
  readonly deviceId?: string;
  readonly provider: ProviderName;
  readonly notification: Notification;
  /** Fingerprint of app and token. */
  readonly tokenHash: string;
  /** Fingerprint of the notification's subject. */
  readonly subjectHash?: string;
  /** Wall time of receipt, Unix milliseconds. */
  readonly receivedAtMs: number;
  /** Service time after which the push is worth nothing. */
  readonly expiresAtMs: number;
  /** Attempts that ended so far. */
  readonly attempts: number;
}

/** One try at a provider. */
export interface Attempt {
  /** 1 for the first. */
  readonly number: number;
  /** Wall time, Unix milliseconds. */
  readonly startedAtMs: number;
  readonly latencyMs: number;
  readonly outcome: Outcome;
}

/** What a delivery becomes when an attempt has ended or its time is over. */
export type Next =
  | { readonly status: 'queued' /** Service time. */; readonly dueAtMs: number }
  | { readonly status: Exclude<DeliveryStatus, 'queued'>; readonly reason?: string };

const SHORT_LIFE_MS = 60_000;
const PHONE_NEEDS_MS = 8_000;

/**
 * The last instant (service time) at which an attempt may still start. The phone needs 8 s or more to
 * wake, connect and take the payment, so the last 8 s of a lifetime of up to a minute are of no use.
 */
export function usefulUntilMs(expiresAtMs: number, lifetimeMs: number): number {
  return lifetimeMs <= SHORT_LIFE_MS ? expiresAtMs - PHONE_NEEDS_MS : expiresAtMs;
}
