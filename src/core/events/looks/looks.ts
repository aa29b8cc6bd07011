// When endpoints read the table of events: shortly after a fact, because its transaction takes a moment, and every ten
// seconds for events that the core does not announce.

import type { Clock, Timer } from '../../ports/clock.ts';

/** Delays from a fact to reading the table; there are two, because its transaction may take longer. */
const NUDGES_MS = [100, 1_000] as const;
export const LOOK_EVERY_MS = 10_000;

export interface LooksParts {
  readonly clock: Clock;
  /** After a fact. */
  readonly nudge: () => void;
  /** Every ten seconds. */
  readonly look: () => void;
}

export class Looks {
  readonly #parts: LooksParts;
  readonly #nudges = new Map<number, Timer>();
  #look: Timer | undefined;

  constructor(parts: LooksParts) {
    this.#parts = parts;
  }

  begin(): void {
    if (this.#look === undefined) this.#plan();
  }

  stop(): void {
    for (const nudge of this.#nudges.values()) nudge.cancel();
    this.#nudges.clear();
    this.#look?.cancel();
    this.#look = undefined;
  }

  /** There may be an event soon. */
  hint(): void {
    const { clock, nudge } = this.#parts;
    for (const delayMs of NUDGES_MS) {
      if (this.#nudges.has(delayMs)) continue;
      const timer = clock.after(delayMs, () => {
        this.#nudges.delete(delayMs);
        nudge();
      });
      this.#nudges.set(delayMs, timer);
    }
  }

  #plan(): void {
    const { clock, look } = this.#parts;
    this.#look = clock.after(LOOK_EVERY_MS, () => {
      this.#plan();
      look();
    });
  }
}
