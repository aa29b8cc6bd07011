// What the log is asked to do with the plans of open deliveries: claims of what is due, and changes from outside. Times are
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
  /** When a row that cannot be decrypted was settled. */
  readonly wallMs: number;
  readonly select: ClaimSelection;
  readonly leaseUntilMs: number;
  readonly limit: number;
}

/**
 * - `due`: due at `nowMs`; the earliest end of useful life first, which puts races before news.
 * - `probe`: due or not; the one tried longest ago first, those never tried before all others.
 * - `last_moment`: due or not, leased by nobody (not even by a lease that is over), with a useful life that ends
 *   by `usefulUntilByMs`; the earliest end first.
 * - `unsent`: leased to the claim's own owner until exactly `leaseUntilMs`, due or not: what an earlier claim leased that
 *   nobody sends.
 */
export type ClaimSelection =
  | { readonly kind: 'due' }
  | { readonly kind: 'probe' }
  | { readonly kind: 'last_moment'; readonly usefulUntilByMs: number }
  | { readonly kind: 'unsent'; readonly leaseUntilMs: number };

/** The moment that the selection compares with. */
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

/** What is still queued for the app and provider, the claimed ones left out; absent if nothing is. */
export interface ClaimResult {
  readonly deliveries: readonly Delivery[];
  /** The earliest instant at which something is due and not held, or a lease ends. */
  readonly nextDueAtMs?: number | undefined;
  /** The earliest end of useful life among what nobody leases. */
  readonly nextUsefulUntilMs?: number | undefined;
}

export interface HastenOptions {
  readonly app: string;
  readonly provider: ProviderName;
  readonly nowMs: number;
  readonly newsSpreadMs: number;
  readonly restMs: number;
}
