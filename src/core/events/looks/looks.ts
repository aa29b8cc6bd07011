// When endpoints look into the table of events: shortly after a fact, whose transaction is on its way, and every ten
// seconds for what no event of the core announces.

import type { Clock, Timer } from '../../ports/clock.ts';

/** From a fact to looks into the table: its transaction may take longer. */
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

  /** There may be something to tell soon. */
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
