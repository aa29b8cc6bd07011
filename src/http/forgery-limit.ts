// How many wrong signatures one address may send to one handle before nothing of it is looked at for a
// while. Counted by both, so that a stranger's forgeries do not shut out the true caller.

import { ServiceError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import { Buckets } from '../core/tokens/limits.ts';

const MAX_KEYS = 50_000;
/** A caller whose secret is being rotated may fail a few times. */
const PER_HANDLE = { burst: 20, perSecond: 0.2 };
const PER_ADDRESS = { burst: 200, perSecond: 2 };

export interface Origin {
  readonly address: string;
  /**
   * A trusted hop told it. If not, it may be a proxy's, behind which everybody is: then no address is
   * limited, or whoever forges calls to a device of his own would shut out the callers of all others.
   */
  readonly isClient: boolean;
}

export class ForgeryLimit {
  readonly #perHandle: Buckets;
  readonly #perAddress: Buckets;

  constructor(clock: Clock) {
    this.#perHandle = new Buckets(clock, PER_HANDLE, MAX_KEYS);
    this.#perAddress = new Buckets(clock, PER_ADDRESS, MAX_KEYS);
  }

  /** Throws `rate_limited`. */
  check(handleOf: string, from: Origin): void {
    const waitMs = Math.max(
      this.#perHandle.waitMs(`${handleOf}\n${from.address}`),
      from.isClient ? this.#perAddress.waitMs(from.address) : 0,
    );
    if (waitMs > 0) {
      throw new ServiceError('rate_limited', { retryAfterSeconds: Math.ceil(waitMs / 1_000) });
    }
  }

  /** Counts a wrong signature; true when it was the one that used up the allowance: worth an alert. */
  count(handleOf: string, from: Origin): boolean {
    const key = `${handleOf}\n${from.address}`;
    this.#perHandle.take(key);
    if (from.isClient) this.#perAddress.take(from.address);
    return this.#perHandle.waitMs(key) > 0;
  }
}
