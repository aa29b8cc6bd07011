// The breaker of one lane: after repeated failures of the provider itself it stops the flow and lets one probe
// through at a time. It also measures how long the provider has been failing, which decides what may be queued.

/** Rounds of failures in a row that open it, and how many different tokens they must come from. */
const ROUNDS_TO_OPEN = 3;
const TOKENS_TO_OPEN = 2;
const SHORTEST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
/** The pause between probes is this fraction of the outage's age. */
const PAUSE_PER_AGE = 1 / 20;
/** A probe is sent after this, even if a provider's Retry-After is longer: payments wait for a minute at most. */
const LONGEST_RETRY_AFTER_MS = 10_000;
/** A closed lane without a failure for this long has no outage: a failure an hour ago says nothing. */
const IDLE_MS = 60_000;

/** Permission to try. */
export interface Pass {
  /**
   * The round in which the attempt counts. All attempts that were in flight at a failure belong to its round: one lost
   * connection with a thousand sends is one failure.
   */
  readonly round: number;
  /** The number of this probe; absent for any other attempt. */
  readonly probe?: number;
}

export interface ProviderFailure {
  readonly round: number;
  readonly tokenHash: string;
  readonly nowMs: number;
  readonly reason: string;
  readonly retryAfterMs?: number | undefined;
}

export class Breaker {
  #rounds = 0;
  #round = 0;
  readonly #tokens = new Set<string>();
  /** The first failure after the last success. */
  #failingSinceMs: number | undefined;
  #failedAtMs = 0;
  #reason: string | undefined;
  #open = false;
  #probes = 0;
  /** The probe under way, by its number. */
  #probe: number | undefined;
  #nextProbeAtMs = 0;

  get isOpen(): boolean {
    return this.#open;
  }

  /** Of the last failure. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** How long ago the provider failed last; meaningless while closed. */
  failureAgeMs(nowMs: number): number {
    return nowMs - this.#failedAtMs;
  }

  /** How long the provider has been failing; 0 while it is not. */
  outageAgeMs(nowMs: number): number {
    if (this.#failingSinceMs === undefined || this.#isForgotten(nowMs)) return 0;
    return nowMs - this.#failingSinceMs;
  }

  /** When to ask for a probe; meaningless while closed. While one is under way, a pause later. */
  probeDueAtMs(nowMs: number): number {
    if (this.#probe === undefined) return this.#nextProbeAtMs;
    return Math.max(this.#nextProbeAtMs, nowMs + this.#pauseMs(nowMs));
  }

  /** A pass for an attempt that starts now, if it may. A probe's pass must be given to `end`. */
  admit(nowMs: number): Pass | undefined {
    if (!this.#open) return { round: this.#round };
    if (this.#probe !== undefined || nowMs < this.#nextProbeAtMs) return undefined;
    this.#probes += 1;
    this.#probe = this.#probes;
    return { round: this.#round, probe: this.#probe };
  }

  /** A pass even while the breaker is open: for the last attempt within a delivery's useful life. */
  admitLast(): Pass {
    return { round: this.#round };
  }

  /** The attempt is over or did not take place. Only the end of the probe itself allows the next one. */
  end({ probe }: Pass): void {
    if (probe !== undefined && probe === this.#probe) this.#probe = undefined;
  }

  /** The provider answered. Returns true if this closed the breaker. */
  succeeded(): boolean {
    this.#rounds = 0;
    this.#tokens.clear();
    this.#failingSinceMs = undefined;
    this.#nextProbeAtMs = 0;
    if (!this.#open) return false;
    this.#open = false;
    this.#probe = undefined;
    return true;
  }

  /** The provider failed an attempt. Returns true if this opened the breaker. */
  failed({ round, tokenHash, nowMs, reason, retryAfterMs = 0 }: ProviderFailure): boolean {
    if (this.#isForgotten(nowMs)) this.succeeded();
    this.#failingSinceMs ??= nowMs;
    this.#failedAtMs = nowMs;
    this.#reason = reason;
    if (this.#tokens.size < TOKENS_TO_OPEN) this.#tokens.add(tokenHash);
    const pauseMs = Math.max(this.#pauseMs(nowMs), Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS));
    if (round === this.#round) {
      this.#round += 1;
      this.#rounds += 1;
      // A Retry-After stays in force, even if other attempts fail before it is over.
      this.#nextProbeAtMs = Math.max(this.#nextProbeAtMs, nowMs + pauseMs);
    }
    if (this.#open || this.#rounds < ROUNDS_TO_OPEN || this.#tokens.size < TOKENS_TO_OPEN) {
      return false;
    }
    this.#open = true;
    return true;
  }

  #pauseMs(nowMs: number): number {
    const pauseMs = this.outageAgeMs(nowMs) * PAUSE_PER_AGE;
    return Math.min(Math.max(pauseMs, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
  }

  #isForgotten(nowMs: number): boolean {
    return !this.#open && this.#failingSinceMs !== undefined && nowMs - this.#failedAtMs > IDLE_MS;
  }
}
