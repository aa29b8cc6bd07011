// How far this machine's clock is from Google's, measured by the Date header of Google's answers. A clock a
// minute behind would make APNs store nothing, in silence, because `apns-expiration` had passed.

import type { Clock } from '../ports/clock.ts';

/** The header counts whole seconds and an answer takes its time; less than this is no skew. */
const TOLERANCE_MS = 5_000;

export class Skew {
  readonly #clock: Clock;
  #offsetMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Google's answer, read now, carried this time (Unix milliseconds). */
  note(serverUnixMs: number): void {
    this.#offsetMs = serverUnixMs - this.#clock.wallMs();
  }

  /** What to add to this machine's wall time to get the true time; 0 within the tolerance. */
  get correctionMs(): number {
    return Math.abs(this.#offsetMs) > TOLERANCE_MS ? this.#offsetMs : 0;
  }

  /** What readiness says of it. */
  get detail(): string | undefined {
    if (this.correctionMs === 0) return undefined;
    const seconds = Math.round(Math.abs(this.#offsetMs) / 1_000);
    const direction = this.#offsetMs > 0 ? 'behind' : 'ahead of';
    return `the clock of this machine is ${seconds} s ${direction} Google's: synchronise it`;
  }
}
