// What the log does with the plans of open deliveries: claims of due deliveries, and changes from outside. Times are
// service time, unless they are named wall.

import type { Delivery } from '../delivery.ts';
import type { ProviderName } from '../target.ts';

export interface Renewal {
  readonly deliveryId: string;
  readonly expiresAtMs: number;
  readonly usefulUntilMs: number;
  readonly dueAtMs: number;
  readonly wallMs: number;
}

export interface Claim {
  readonly owner: string;
  readonly app: string;
  readonly provider: ProviderName;
  readonly nowMs: number;
  /** Wall time to record for a row that is settled because it cannot be decrypted. */
  readonly wallMs: number;
  readonly select: ClaimSelection;
  readonly leaseUntilMs: number;
  readonly limit: number;
}

/**
 * - `due`: due at `nowMs`; the earliest end of useful life first, which puts races before news.
 * - `probe`: due or not; the one tried longest ago first, those never tried before all others.
 * - `last_moment`: due or not, without a lease (not even an expired one), with a useful life that ends by
 *   `usefulUntilByMs`; the earliest end first.
 * - `unsent`: leased to the claim's own owner until exactly `leaseUntilMs`, due or not: leased by an earlier claim and
 *   not being sent.
 */
export type ClaimSelection =
  | { readonly kind: 'due' }
  | { readonly kind: 'probe' }
  | { readonly kind: 'last_moment'; readonly usefulUntilByMs: number }
  | { readonly kind: 'unsent'; readonly leaseUntilMs: number };

/** The time that the selection compares with. */
export function momentOf({ select, nowMs }: Pick<Claim, 'select' | 'nowMs'>): number {
  switch (select.kind) {
    case 'due':
    case 'probe':
      return nowMs;
    case 'last_moment':
      return select.usefulUntilByMs;
    case 'unsent':
      return select.leaseUntilMs;
  }
}

/** What is still queued for the app and provider, without the claimed deliveries; absent if nothing is. */
export interface ClaimResult {
  readonly deliveries: readonly Delivery[];
  /** The earliest instant at which something is due and not held, or a lease ends. */
  readonly nextDueAtMs?: number | undefined;
  /** The earliest end of useful life among deliveries that are not leased. */
  readonly nextUsefulUntilMs?: number | undefined;
}

export interface HastenOptions {
  readonly app: string;
  readonly provider: ProviderName;
  readonly nowMs: number;
  readonly newsSpreadMs: number;
  readonly restMs: number;
}
