// The port to the log. Every operation is one transaction and is told the time; adapters batch neighbours.

import type { Attempt, Delivery, DeliveryStatus, Next } from '../delivery.ts';
import type { Platform, ProviderName } from '../target.ts';

/**
 * Every promise rejects with `StoreUnavailableError` when the database cannot take the operation (full,
 * locked beyond the wait, read-only, corrupt, or the bounded queue before it is full): nothing was written.
 */
export interface Store {
  /**
   * Records an accepted delivery as `queued`, leased to `owner` until `leaseUntilMs`, together with the
   * duplicate key it holds. Resolves when the transaction is committed to disk. If its device was deleted
   * meanwhile, the delivery ends at once as `rejected` with the reason `device_deleted`, without the key.
   */
  insert(accepted: AcceptedDelivery): Promise<void>;

  /**
   * Records one ended attempt and what the delivery becomes, in one transaction. A final status erases
   * token and payload, and one other than `delivered` releases the delivery's duplicate key.
   * Returns false, and writes nothing, if `owner` no longer holds the lease.
   */
  settle(settlement: Settlement): Promise<boolean>;

  /**
   * Leases up to `limit` queued deliveries of one app and provider that are due before or at `dueByMs` and
   * whose lease is absent or over at `nowMs`, earliest due first, and tells when the next queued one is due
   * or its lease ends. A row that cannot be decrypted is settled as `misconfigured` and not returned.
   */
  claimDue(claim: Claim): Promise<ClaimResult>;

  /** Gives up every lease of `owner`: what is still queued is due at once. */
  releaseLeases(owner: string): Promise<void>;

  /**
   * Run once at start, before anything is accepted: every queued delivery is due at once and leased by
   * nobody; one whose receipt lies in the future (the wall clock was set back) is treated as received at
   * `nowMs`, keeping its lifetime. Returns how many are open.
   */
  recover(options: { readonly nowMs: number }): Promise<number>;

  /** Makes every queued delivery of a provider due within `spreadMs` from `nowMs`: its outage is over. */
  hasten(options: HastenOptions): Promise<number>;

  /** The delivery that holds a duplicate key, if the key is still valid. */
  findDuplicate(options: {
    readonly keyHash: string;
    readonly nowMs: number;
  }): Promise<string | undefined>;

  /** Puts a token in quarantine, or replaces its entry. */
  quarantine(entry: QuarantineEntry): Promise<void>;
  /** Ends a quarantine by hand, or because the device registered again. True if there was one. */
  releaseQuarantine(tokenHash: string): Promise<boolean>;
  /** Quarantines that have not ended at `nowMs`, newest first. */
  listQuarantine(options: {
    readonly nowMs: number;
    readonly limit: number;
  }): Promise<readonly QuarantineEntry[]>;

  /** Fingerprints of tokens that a provider has accepted pushes for, most recent first. */
  listProvenTokens(limit: number): Promise<readonly string[]>;

  /** The newest deliveries that match, with their attempts. */
  findDeliveries(query: DeliveryQuery): Promise<readonly LoggedDelivery[]>;

  /**
   * Deletes up to `limit` settled deliveries received before `beforeMs` with their attempts, and expired
   * duplicate keys and quarantines. Returns how many rows went; call again until 0.
   */
  prune(options: {
    readonly beforeMs: number;
    readonly nowMs: number;
    readonly limit: number;
  }): Promise<number>;

  /** Writes and removes a row. Rejects with the reason if the database cannot take one. */
  probe(): Promise<void>;

  /** Records when the device replied to a delivery that asked for it; bodies are not stored. */
  recordReply(options: {
    readonly deliveryId: string;
    readonly answeredAtMs: number;
  }): Promise<void>;

  /** Finishes what was asked, closes the database. Later calls reject. */
  close(): Promise<void>;
}

export interface AcceptedDelivery {
  readonly delivery: Delivery;
  readonly owner: string;
  /** Service time, as all times here that are not named wall. */
  readonly leaseUntilMs: number;
  /** Kept only if the window is long enough to matter across a restart. */
  readonly duplicateKey?: { readonly keyHash: string; readonly expiresAtMs: number };
}

export interface Settlement {
  readonly deliveryId: string;
  readonly owner: string;
  /** Absent when the delivery ends without a new attempt (expired while waiting). */
  readonly attempt?: Attempt;
  readonly next: Next;
  readonly nowMs: number;
  /** Keeps the lease until then; for a second attempt that starts at once. */
  readonly keepLeaseUntilMs?: number;
}

export interface Claim {
  readonly owner: string;
  readonly app: string;
  readonly provider: ProviderName;
  readonly nowMs: number;
  /** `nowMs` as a rule; later to choose a probe among what waits for a provider that is down. */
  readonly dueByMs: number;
  readonly leaseUntilMs: number;
  readonly limit: number;
}

export interface ClaimResult {
  readonly deliveries: readonly Delivery[];
  /** When to ask again: the earliest of due time or end of lease among what is still queued; absent if nothing is. */
  readonly nextDueAtMs?: number;
}

export interface HastenOptions {
  readonly app: string;
  readonly provider: ProviderName;
  readonly nowMs: number;
  readonly spreadMs: number;
}

export interface QuarantineEntry {
  /** Fingerprint of app and token. */
  readonly tokenHash: string;
  readonly app: string;
  readonly provider: ProviderName;
  /** `unregistered`: answered 410. `bad_token`: answered 422. */
  readonly kind: 'unregistered' | 'bad_token';
  /** From our own tables. */
  readonly reason: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** The provider's own timestamp, Unix milliseconds. */
  readonly providerSinceMs?: number;
}

export interface DeliveryQuery {
  readonly id?: string;
  readonly tokenHash?: string;
  readonly subjectHash?: string;
  readonly status?: DeliveryStatus;
  /** 1 to 1,000. */
  readonly limit: number;
}

/** A row as an operator reads it: no token, no payload. */
export interface LoggedDelivery {
  readonly id: string;
  readonly app: string;
  readonly platform: Platform;
  readonly provider: ProviderName;
  readonly type: string;
  readonly status: DeliveryStatus;
  readonly reason?: string;
  readonly receivedAtMs: number;
  readonly settledAtMs?: number;
  readonly tokenHash: string;
  readonly subjectHash?: string;
  /** Wall time at which the device's reply arrived (`invoice_request`). */
  readonly answeredAtMs?: number;
  readonly attempts: readonly LoggedAttempt[];
}

export interface LoggedAttempt {
  readonly number: number;
  readonly startedAtMs: number;
  readonly latencyMs: number;
  readonly outcome: string;
  readonly reason?: string;
  readonly messageId?: string;
}

/** The database cannot take an operation now. `reason` says what an operator must mend. */
export class StoreUnavailableError extends Error {
  readonly reason: 'full' | 'locked' | 'read_only' | 'corrupt' | 'busy' | 'closed' | 'io';

  constructor(reason: StoreUnavailableError['reason'], options?: ErrorOptions) {
    super(`the store cannot take the operation: ${reason}`, options);
    this.name = 'StoreUnavailableError';
    this.reason = reason;
  }
}
