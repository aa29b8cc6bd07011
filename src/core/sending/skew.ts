// How far the clock of this machine is from Google's.

import type { Clock } from '../ports/clock.ts';

/** The header counts whole seconds and an answer takes its time; less than this is no skew. */
const TOLERANCE_MS = 5_000;

/**
 * How far this machine's clock is from Google's, measured by the Date header of Google's answers. A clock a minute
 * behind would make APNs store nothing, in silence, because `apns-expiration` had passed.
 */
export class Skew {
  readonly #clock: Clock;
  #measuredMs = 0;
  /** When it was measured: wall time less service time, which nobody sets. */
  #wallAheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Google's answer, read now, carried this time (Unix milliseconds). */
  note(serverUnixMs: number): void {
    const wallMs = this.#clock.wallMs();
    this.#measuredMs = serverUnixMs - wallMs;
    this.#wallAheadMs = wallMs - this.#clock.nowMs();
  }

  /** Milliseconds to add to this machine's wall time to get the true time; 0 within the tolerance. */
  get correctionMs(): number {
    const { offsetMs } = this;
    return Math.abs(offsetMs) > TOLERANCE_MS ? offsetMs : 0;
  }

  /**
   * How far Google's clock is ahead of this machine's; 0 before the first measurement. A wall clock that is set right
   * after it needs no other answer. Nothing beyond what was measured is believed: after a suspension, service time
   * is behind for a second.
   */
  get offsetMs(): number {
    const setByMs = this.#clock.wallMs() - this.#clock.nowMs() - this.#wallAheadMs;
    const left = this.#measuredMs - setByMs;
    return this.#measuredMs < 0
      ? Math.min(0, Math.max(this.#measuredMs, left))
      : Math.max(0, Math.min(this.#measuredMs, left));
  }

  /** What readiness says about it. */
  get detail(): string | undefined {
    const { correctionMs } = this;
    if (correctionMs === 0) return undefined;
    const seconds = Math.round(Math.abs(correctionMs) / 1_000);
    const direction = correctionMs > 0 ? 'behind' : 'ahead of';
    return `the clock of this machine is ${seconds} s ${direction} Google's: synchronise it`;
  }
}
