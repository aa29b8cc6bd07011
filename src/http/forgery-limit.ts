// How many wrong signatures one address may send to one handle before nothing of it is looked at for a
// while. Counted by both, so that a stranger's forgeries do not shut out the true caller.

import type { Clock } from '../core/clock.ts';
import { ServiceError } from '../core/errors.ts';
import { Buckets } from '../core/limits.ts';

const MAX_KEYS = 50_000;
/** A caller whose secret is being rotated may fail a few times. */
const PER_HANDLE = { burst: 20, perSecond: 0.2 };
const PER_ADDRESS = { burst: 200, perSecond: 2 };

export class ForgeryLimit {
  readonly #perHandle: Buckets;
  readonly #perAddress: Buckets;

  constructor(clock: Clock) {
    this.#perHandle = new Buckets(clock, PER_HANDLE, MAX_KEYS);
    this.#perAddress = new Buckets(clock, PER_ADDRESS, MAX_KEYS);
  }

  /** Throws `rate_limited`. */
  check(handleOf: string, address: string): void {
    const waitMs = Math.max(
      this.#perHandle.waitMs(`${handleOf}\n${address}`),
      this.#perAddress.waitMs(address),
    );
    if (waitMs > 0) {
      throw new ServiceError('rate_limited', { retryAfterSeconds: Math.ceil(waitMs / 1_000) });
    }
  }

  /** Counts a wrong signature; true when it was the one that used up the allowance: worth an alert. */
  count(handleOf: string, address: string): boolean {
    const key = `${handleOf}\n${address}`;
    this.#perHandle.take(key);
    this.#perAddress.take(address);
    return this.#perHandle.waitMs(key) > 0;
  }
}
