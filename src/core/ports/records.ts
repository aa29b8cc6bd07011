// The port to what the log keeps beside deliveries, for which no caller waits: what callers were told, refused calls,
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
/** The source of refusals that operators got: their mistakes lost no push. */
export const OPERATOR_SOURCE = 'operator';

/** The device, token or payment that a refused, repeated or ignored call named: only as fingerprints. */
export interface NamedCall {
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
}

/** Calls of one kind that were refused within a minute. */
export interface Refusal extends NamedCall {
  /** When the first and the last of them were refused. */
  readonly atMs: number;
  readonly lastAtMs: number;
  readonly count: number;
  /** Of the first; the ids of the others lie between the two times. */
  readonly requestId?: string | undefined;
  /** The pattern of the route; `*` for a path that is not served. */
  readonly door: string;
  readonly source?: string | undefined;
  /** A configured one. */
  readonly app?: string | undefined;
  /** An `ErrorCode`, or `duplicate`. */
  readonly code: string;
  readonly status: number;
  /** False if it names no known device, handle, domain or proven token: anybody can invent such calls. */
  readonly isKnown: boolean;
}

/** An app that could not push by a provider. */
export interface Outage {
  readonly app: string;
  readonly provider: ProviderName;
  /** From our own tables. */
  readonly reason: string;
  /** The provider refused the configuration; it did not fail. Not read from the log. */
  readonly isMisconfigured?: boolean | undefined;
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

/** A row of refusals that was written before, and what became of it since. */
export interface CountedRefusal {
  readonly rowId: number;
  readonly count: number;
  readonly lastAtMs: number;
}

/** Calls that repeated a delivery. */
export interface CountedRepeats {
  readonly deliveryId: string;
  readonly calls: number;
  readonly lastAtMs: number;
}

export interface RefusalsWrite {
  readonly added: readonly Refusal[];
  readonly counted: readonly CountedRefusal[];
  readonly repeats: readonly CountedRepeats[];
}

/** Rows that share a bound: those of one door and code, or all that name nothing known. */
export type SharedBound = { readonly door: string; readonly code: string } | 'strangers';

/**
 * Promises reject with `StoreUnavailableError` when the database cannot take the operation: nothing was written.
 * The caller of this port bounds what callers can invent.
 */
export interface Records {
  /**
   * Is written with the next transaction, within a second, and makes none of its own. Lost if that fails or the process
   * is killed before; has no effect on a delivery that is not in the log.
   */
  tell(told: Told): void;

  /** Returns the row ids of those that were added, in their order. */
  writeRefusals(write: RefusalsWrite): Promise<readonly number[]>;

  /** Deletes the oldest rows beyond the newest `keep`, up to `limit`. Returns how many went; call again until 0. */
  trimRefusals(options: {
    readonly of: SharedBound;
    readonly keep: number;
    readonly limit: number;
  }): Promise<number>;

  /** Adds an outage, or ends the one that began at that moment. */
  recordOutage(outage: Outage): Promise<void>;

  recordGap(gap: Gap): Promise<void>;

  /**
   * A process begins to write the log. The time since the last process wrote is a gap, and outages that were open at
   * its end count as open until now.
   */
  begin(options: { readonly wallMs: number }): Promise<void>;

  /** The process ends: a gap begins. */
  end(options: { readonly wallMs: number }): Promise<void>;

  /**
   * Deletes up to `limit` refusals from before `refusedBeforeMs`, and outages and gaps that ended before
   * `endedBeforeMs`. Returns how many rows went; call again until 0.
   */
  prune(options: {
    readonly refusedBeforeMs: number;
    readonly endedBeforeMs: number;
    readonly limit: number;
  }): Promise<number>;
}
