// The state of one delivery while it is being sent, which others may change from outside: a late answer proves
// an earlier attempt, a repeat of the call gives the delivery a new lifetime.

import type { Attempt, Delivery } from '../delivery.ts';

export class Run {
  readonly #proof = Promise.withResolvers<Attempt>();
  #provenBy: Attempt | undefined;
  #expiresAtMs: number | undefined;

  /** Resolves with the attempt that a late answer proved; never rejects, perhaps never resolves. */
  get proof(): Promise<Attempt> {
    return this.#proof.promise;
  }

  get provenBy(): Attempt | undefined {
    return this.#provenBy;
  }

  prove(attempt: Attempt): void {
    if (this.#provenBy !== undefined) return;
    this.#provenBy = attempt;
    this.#proof.resolve(attempt);
  }

  /** From now on the delivery's lifetime ends at `expiresAtMs`, service time. */
  renew(expiresAtMs: number): void {
    this.#expiresAtMs = expiresAtMs;
  }

  /** The delivery with the lifetime that it has now. */
  current(delivery: Delivery): Delivery {
    return this.#expiresAtMs === undefined
      ? delivery
      : { ...delivery, expiresAtMs: this.#expiresAtMs };
  }
}
