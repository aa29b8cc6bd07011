// Counts wrong signatures by the URL they were sent to. A URL with many of them is reported to the operator;
// nobody is refused for them, because a stranger who learned a URL could shut out its true caller.

import type { Clock } from '../../core/ports/clock.ts';
import { Buckets } from '../../core/tokens/limits.ts';

const MAX_KEYS = 50_000;
/** A caller whose secret is being rotated may fail a few times: 20 in a minute are too many. */
const ALLOWED = { burst: 20, perSecond: 20 / 60 };

export class Forgeries {
  readonly #allowance: Buckets;

  constructor(clock: Clock) {
    this.#allowance = new Buckets(clock, ALLOWED, MAX_KEYS);
  }

  /** Counts one; true if it made too many, which is worth an alert. */
  count(key: string): boolean {
    this.#allowance.take(key);
    return this.areMany(key);
  }

  /** Whether there were too many in about the last minute. */
  areMany(key: string): boolean {
    return this.#allowance.waitMs(key) > 0;
  }
}
