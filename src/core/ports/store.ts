// The port to the log. Every operation is one transaction and is given the time; adapters batch neighbours.
//
// Two clocks (ports/clock.ts): fields named `wall…` and the times of a `LoggedDelivery` are wall time; `nowMs`,
// due times, holds, leases and ends of lifetimes are service time.

import type { Attempt, Delivery, DeliveryStatus, Next } from '../delivery.ts';
import type { Platform, ProviderName } from '../target.ts';
import type { Condemned } from './events.ts';
import type { Claim, ClaimResult, HastenOptions, Renewal } from './plans.ts';
import type { DeliveryWake } from './receipts.ts';

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
   * Present only in a store that several machines share. If a single process owns the store, its memory has the keys,
   * and the row is written while the push is sent. Called before the push of a call with a duplicate key: writes key
   * and row together, as `insert` would, if nobody has the key and the token is not in quarantine.
   */
  claimKey?(keyed: KeyedDelivery): Promise<KeyClaim>;

  /**
   * Records one ended attempt and what the delivery becomes, in one transaction. A final status erases
   * token and payload, and one other than `delivered` releases the delivery's duplicate key.
   * Returns false, and writes nothing, if `owner` no longer holds the lease.
   */
  settle(settlement: Settlement): Promise<boolean>;

  /**
   * Settles an open delivery as delivered, whichever process holds its lease, because the provider's late answer or the
   * phone itself proves the push. `attempts`, in the order of their numbers, replace the recorded ones of these
   * numbers. False, and nothing written, if the delivery is not open.
   */
  confirm(confirmation: Confirmation): Promise<boolean>;

  /** A repeat of an open delivery: its lifetime runs from now. It is due at `dueAtMs` at the latest. False if it ended. */
  renew(renewal: Renewal): Promise<boolean>;

  /**
   * Leases up to `limit` queued deliveries of one app and provider whose lease is absent or over at `nowMs`
   * and whose `notBeforeMs` has passed, chosen by `select`. A row that cannot be decrypted is settled as
   * `misconfigured` and not returned.
   */
  claimDue(claim: Claim): Promise<ClaimResult>;

  /**
   * Whether this process may start another attempt of what it leased at `leasedAtMs`, service time: not while the other
   * machines may consider it dead, nor if they did so since. Always true for a store that one process owns.
   */
  mayRetry(leasedAtMs: number): boolean;

  /**
   * Gives up every lease of `owner`, which ends: what is still queued is due at once, and `interrupted` if no attempt of
   * it was recorded.
   */
  releaseLeases(owner: string): Promise<void>;

  /**
   * Run once at start, before anything is accepted. Clears all leases; planned times stay as they were, but what was
   * leased when the process ended is due at once, and `interrupted` if no attempt of it was recorded. A delivery whose
   * receipt lies in the future (the wall clock was set back) is treated as received at `nowMs`, keeping its lifetime.
   * Returns how many are open.
   */
  recover(options: { readonly nowMs: number }): Promise<number>;

  /**
   * The provider's outage is over. Queued races of that app and provider become due at once, news within
   * `newsSpreadMs`, evenly; none later than planned. `notBeforeMs` still holds; a race that was tried
   * less than `restMs` ago is due when these have passed, and such news keeps its time. Returns how many were moved.
   */
  hasten(options: HastenOptions): Promise<number>;

  /**
   * Settles as `expired` up to `limit` queued deliveries whose lifetime ended before `nowMs` and whose lease is
   * absent or over, whatever app and provider they belong to (an app may have left the configuration).
   */
  expireOverdue(options: {
    readonly nowMs: number;
    readonly wallMs: number;
    readonly limit: number;
  }): Promise<readonly string[]>;

  /** How many deliveries are open, and for how long the one that is due longest has been due. */
  queueState(options: { readonly nowMs: number }): Promise<QueueState>;

  /** The delivery that holds a duplicate key, if its window lasts or the delivery is still queued. */
  findDuplicate(options: {
    readonly keyHash: string;
    readonly nowMs: number;
  }): Promise<string | undefined>;

  /** Puts a token in quarantine, or replaces its entry. `about` is what the event about it needs. */
  quarantine(entry: QuarantineEntry, about?: Condemned): Promise<void>;
  /** Ends a quarantine by hand, or because the device registered again. True if there was one. */
  releaseQuarantine(tokenHash: string): Promise<boolean>;
  /** Quarantines that have not ended at `wallMs`, newest first. */
  listQuarantine(options: {
    readonly wallMs: number;
    readonly limit: number;
  }): Promise<readonly QuarantineEntry[]>;

  /** Fingerprints of tokens that a provider has accepted pushes for, most recent first. */
  listProvenTokens(limit: number): Promise<readonly string[]>;

  /** The newest deliveries that match, with their attempts. */
  findDeliveries(query: DeliveryQuery): Promise<readonly LoggedDelivery[]>;

  /**
   * Deletes up to `limit` settled deliveries received before `beforeMs` with their attempts, expired duplicate keys
   * (not those of queued deliveries) and quarantines. Returns how many rows went; call again until 0.
   */
  prune(options: {
    readonly beforeMs: number;
    readonly nowMs: number;
    readonly wallMs: number;
    readonly limit: number;
  }): Promise<number>;

  /**
   * Writes and removes a row, and checks that the open file is still the one at its path. Rejects
   * with the reason if the database cannot take a row or the file was moved, deleted or replaced.
   */
  probe(): Promise<void>;

  /**
   * `listener` is called for every failure of the database, whichever operation or thread had it, and of a file
   * that was moved, deleted or damaged, within seconds.
   */
  onTrouble(listener: (reason: StoreUnavailableError['reason']) => void): void;

  /** Records when the device replied to a delivery that asked for it; bodies are not stored. */
  recordReply(options: {
    readonly deliveryId: string;
    readonly answeredAtMs: number;
  }): Promise<void>;

  /** Finishes pending operations, then closes the database. Later calls reject. */
  close(): Promise<void>;
}

export interface QueueState {
  /** Being sent or waiting. */
  readonly deliveries: number;
  /** 0 if none is due. Deliveries that are held back or being sent are not due. */
  readonly oldestDueForMs: number;
}

export interface AcceptedDelivery {
  readonly delivery: Delivery;
  readonly owner: string;
  /** Service time, like all times here that are not named wall. */
  readonly leaseUntilMs: number;
  /** Kept only if the window is long enough to matter across a restart. */
  readonly duplicateKey?: { readonly keyHash: string; readonly expiresAtMs: number };
}

/** Includes the key, however short its window is. */
export type KeyedDelivery = AcceptedDelivery & Required<Pick<AcceptedDelivery, 'duplicateKey'>>;

/**
 * - `taken`: key and row are written; `hold` if the provider throttles the token until then.
 * - `held`: the window of that delivery lasts, or it is still queued; nothing is written.
 * - `quarantined`: the token is refused, or held back beyond the useful life; nothing is written.
 */
export type KeyClaim =
  | { readonly kind: 'taken'; readonly hold?: QuarantineEntry | undefined }
  | { readonly kind: 'held'; readonly deliveryId: string }
  | { readonly kind: 'quarantined'; readonly entry: QuarantineEntry };

export interface Settlement {
  readonly deliveryId: string;
  readonly owner: string;
  /** Absent when the delivery ends without a new attempt (expired while waiting). */
  readonly attempt?: Attempt;
  readonly next: Next;
  readonly nowMs: number;
  readonly wallMs: number;
  /** Keeps the lease until then; for a second attempt that starts at once. */
  readonly keepLeaseUntilMs?: number;
  /**
   * The end of its lifetime as this machine knows it. A shared store refuses `expired`, and releases the delivery for
   * any machine, if a repeat at another machine has moved that end meanwhile.
   */
  readonly expiresAtMs?: number;
  /** Keeps the duplicate key for the rest of its window although the delivery ended undelivered. */
  readonly keepKey?: boolean;
}

export interface Confirmation {
  readonly deliveryId: string;
  readonly attempts: readonly Attempt[];
  readonly reason?: string | undefined;
  readonly nowMs: number;
  readonly wallMs: number;
}

export interface QuarantineEntry {
  /** Fingerprint of app and token. */
  readonly tokenHash: string;
  readonly app: string;
  readonly provider: ProviderName;
  /**
   * `unregistered`: answered 410. `bad_token`: answered 422. `throttled`: the provider holds the token back
   * until `untilMs`; calls are queued if that lies within their useful life, else answered 429.
   */
  readonly kind: 'unregistered' | 'bad_token' | 'throttled';
  /** From our own tables. */
  readonly reason: string;
  /** Wall time, like `untilMs`, which is what the clock will show unless it is set before. */
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
  readonly app?: string | undefined;
  /** Received then or later, wall time. */
  readonly sinceMs?: number | undefined;
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
  readonly lifetimeMs: number;
  readonly settledAtMs?: number;
  readonly tokenHash: string;
  readonly subjectHash?: string;
  readonly deviceId?: string;
  /** The call: its route's pattern, its source, its request id. */
  readonly door?: string;
  readonly source?: string;
  readonly requestId?: string;
  /**
   * What the first caller was answered: `delivered`, `queued`, `replied` or the code of a problem; the HTTP status; when.
   * Absent while it is not known, and for good if the process was killed within a second of the answer.
   */
  readonly told?: string;
  readonly toldStatus?: number;
  readonly toldAtMs?: number;
  /** Calls that were answered `duplicate`, when the last was, and when the last that gave it a new lifetime. */
  readonly repeats: number;
  readonly repeatedAtMs?: number;
  readonly renewedAtMs?: number;
  /** Wall time at which the device's reply arrived (`invoice_request`). */
  readonly answeredAtMs?: number;
  readonly wake?: DeliveryWake;
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

/** The database cannot take an operation now. `reason` says what an operator must fix. */
export class StoreUnavailableError extends Error {
  readonly reason:
    | 'full'
    | 'locked'
    | 'read_only'
    | 'corrupt'
    | 'moved'
    | 'unreachable'
    | 'busy'
    | 'closed'
    | 'io';

  constructor(reason: StoreUnavailableError['reason'], options?: ErrorOptions) {
    super(`the store cannot take the operation: ${reason}`, options);
    this.name = 'StoreUnavailableError';
    this.reason = reason;
  }
}
