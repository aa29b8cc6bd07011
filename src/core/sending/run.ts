// One delivery while it is being sent, and what proves that its push arrived.

import type { Attempt, Delivery } from '../delivery.ts';

/** Proof that a push arrived: the provider's late answer to an attempt, or a reply or receipt from the phone. */
export interface Proof {
  /** Those that the provider took, in the order of their numbers. */
  readonly attempts: readonly Attempt[];
  readonly reason?: 'receipt' | undefined;
}

export const BY_PHONE: Proof = { attempts: [], reason: 'receipt' };

/**
 * One delivery while it is being sent. Others change it from outside: a late answer or the phone proves an
 * earlier attempt, a repeat of the call gives the delivery a new lifetime.
 */
export class Run {
  readonly #proof = Promise.withResolvers<Proof>();
  #provenBy: Proof | undefined;
  #expiresAtMs: number | undefined;
  /** Writes the attempt that was under way when the delivery was proven, and the proof, to the log. */
  recording: Promise<void> | undefined;
  #isLost = false;

  /** Service time; the delivery has been leased since then, or a little longer. */
  readonly beganAtMs: number;

  constructor(beganAtMs: number) {
    this.beganAtMs = beganAtMs;
  }

  /** Resolves with proof that the phone got the push; never rejects, and may never resolve. */
  get proof(): Promise<Proof> {
    return this.#proof.promise;
  }

  get provenBy(): Proof | undefined {
    return this.#provenBy;
  }

  /** The store said that another machine has the delivery, or that it has ended. */
  get isLost(): boolean {
    return this.#isLost;
  }

  lose(): void {
    this.#isLost = true;
  }

  prove(proof: Proof): void {
    if (this.#provenBy !== undefined) return;
    this.#provenBy = proof;
    this.#proof.resolve(proof);
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
