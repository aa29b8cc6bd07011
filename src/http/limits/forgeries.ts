// Counts wrong signatures by the URL they were sent to. A URL with many of them is reported to the operator;
// no call is refused because of them, since a stranger who learned a URL could then lock out its true caller.

import type { Clock } from '../../core/ports/clock.ts';
import { Buckets } from '../../core/tokens/limits.ts';

const MAX_URLS = 10_000;
const MINUTE_MS = 60_000;
/** A caller whose secret is being rotated may fail a few times: 20 in a minute are too many. */
const ALLOWED = { burst: 20, perSecond: 20 / 60 };

export class Forgeries {
  readonly #clock: Clock;
  readonly #allowance: Buckets;
  /** URLs with too many, until when they count as such; the oldest first. */
  readonly #attackedUntilMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#allowance = new Buckets(clock, ALLOWED, MAX_URLS);
  }

  /** Counts one; true if the URL got too many in the last minute, which is worth an alert. */
  count(url: string): boolean {
    this.#allowance.take(url);
    if (this.#allowance.waitMs(url) === 0 && !this.#areMany(url)) return false;
    this.#attackedUntilMs.delete(url);
    this.#attackedUntilMs.set(url, this.#clock.nowMs() + MINUTE_MS);
    if (this.#attackedUntilMs.size > MAX_URLS) {
      const [oldest = ''] = this.#attackedUntilMs.keys();
      this.#attackedUntilMs.delete(oldest);
    }
    return true;
  }

  /** Whether there were too many, the last of them less than a minute ago. */
  #areMany(url: string): boolean {
    return (this.#attackedUntilMs.get(url) ?? 0) > this.#clock.nowMs();
  }
}
