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

export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #round = 0;
  #open = false;
  #probing = false;
  #nextProbeAtMs = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** The round in which a try that starts now will count. */
  get round(): number {
    return this.#round;
  }

  /** When the next probe may go; meaningless while closed. */
  get nextProbeAtMs(): number {
    return this.#nextProbeAtMs;
  }

  /** Whether a try may start now. While open, a `true` is the one probe: report its end. */
  mayStart(nowMs: number): boolean {
    if (!this.#open) return true;
    if (this.#probing || nowMs < this.#nextProbeAtMs) return false;
    this.#probing = true;
    return true;
  }

  /** The probe did not take place after all. */
  abandonProbe(): void {
    this.#probing = false;
  }

  /** The provider answered. Returns true if this closed the breaker. */
  succeeded(): boolean {
    this.#failures = 0;
    this.#probing = false;
    if (!this.#open) return false;
    this.#open = false;
    return true;
  }

  /** The provider failed a try that started in `round`. Returns true if this opened the breaker. */
  failed(round: number, nowMs: number, retryAfterMs = 0): boolean {
    this.#probing = false;
    if (round !== this.#round) return false;
    this.#round += 1;
    this.#failures += 1;
    this.#nextProbeAtMs = nowMs + Math.max(this.#options.probeIntervalMs, retryAfterMs);
    if (this.#open || this.#failures < this.#options.failuresToOpen) return false;
    this.#open = true;
    return true;
  }
}
