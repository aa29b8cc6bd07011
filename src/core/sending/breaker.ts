// The breaker of one lane: after repeated failures of the provider itself it stops the flow and lets one
// probe through at a time, so that an outage costs a few tries a second instead of every delivery's.

export interface BreakerOptions {
  /**
   * Rounds of failure in a row that open it. Everything that was in flight when a failure came belongs to
   * its round: one lost connection with a thousand sends on it is one failure, not a thousand.
   */
  readonly failuresToOpen: number;
  /** Pause between probes while it is open. */
  readonly probeIntervalMs: number;
}

/** Leave to try. */
export interface Pass {
  /** The round in which the try counts. */
  readonly round: number;
  /** The number of the probe that it is; absent for any other try. */
  readonly probe?: number;
}

export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #round = 0;
  #open = false;
  #probes = 0;
  /** The probe under way, by its number. */
  #probe: number | undefined;
  #nextProbeAtMs = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** When to ask for a probe; meaningless while closed. While one is under way, later. */
  probeDueAtMs(nowMs: number): number {
    if (this.#probe === undefined) return this.#nextProbeAtMs;
    return Math.max(this.#nextProbeAtMs, nowMs + this.#options.probeIntervalMs);
  }

  /** A pass for a try that starts now; nothing if it may not. Whoever gets a probe's must end it. */
  admit(nowMs: number): Pass | undefined {
    if (!this.#open) return { round: this.#round };
    if (this.#probe !== undefined || nowMs < this.#nextProbeAtMs) return undefined;
    this.#probes += 1;
    this.#probe = this.#probes;
    return { round: this.#round, probe: this.#probe };
  }

  /** The try is over, or did not take place after all. Only the probe's own end makes way for the next. */
  end({ probe }: Pass): void {
    if (probe !== undefined && probe === this.#probe) this.#probe = undefined;
  }

  /** The provider answered. Returns true if this closed the breaker. */
  succeeded(): boolean {
    this.#failures = 0;
    this.#nextProbeAtMs = 0;
    if (!this.#open) return false;
    this.#open = false;
    this.#probe = undefined;
    return true;
  }

  /** The provider failed a try that started in `round`. Returns true if this opened the breaker. */
  failed(round: number, nowMs: number, retryAfterMs = 0): boolean {
    if (round !== this.#round) return false;
    this.#round += 1;
    this.#failures += 1;
    // A Retry-After holds, whatever else fails before it is over.
    const probeAtMs = nowMs + Math.max(this.#options.probeIntervalMs, retryAfterMs);
    this.#nextProbeAtMs = Math.max(this.#nextProbeAtMs, probeAtMs);
    if (this.#open || this.#failures < this.#options.failuresToOpen) return false;
    this.#open = true;
    return true;
  }
}
