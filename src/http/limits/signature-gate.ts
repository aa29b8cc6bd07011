// How many costly signatures (secp256k1, about 0.2 ms each) are verified a second: enough that 1,000 forgeries a second
// displace no true call, even if every caller has the same address. In a larger flood, calls that find no place wait in
// a short queue, in which URLs and callers take turns.

import { ServiceError } from '../../core/errors.ts';
import type { Clock, Timer } from '../../core/ports/clock.ts';
import { Buckets } from '../../core/tokens/limits.ts';

/** A third of a processor at most. */
const VERIFIED = { burst: 200, perSecond: 1_500 };
const MAX_WAITING = 50;
const MAX_WAIT_MS = 500;
const MAX_REMEMBERED_TURNS = 1_000;

export interface SignatureCheck {
  /** The URL: its source and device. */
  readonly url: string;
  /** The caller's address, as far as it is known. */
  readonly address: string;
}

interface Waiting extends SignatureCheck {
  readonly timer: Timer;
  readonly admit: () => void;
  readonly refuse: () => void;
}

export class SignatureGate {
  readonly #clock: Clock;
  readonly #bucket: Buckets;
  #waiting: readonly Waiting[] = [];
  /** The number of the last turn of each caller at each URL; the oldest first. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
  #wake: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#bucket = new Buckets(clock, VERIFIED, 1);
  }

  /** Resolves when the signature may be verified. Rejects with `rate_limited` after 500 ms, or if the queue is full. */
  admit(check: SignatureCheck): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      waiting.timer.cancel();
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
    };
    const refuse = () => {
      leave();
      const limit = { detail: LIMIT, limit: 'signature_rate', retryAfterSeconds: 1 } as const;
      reject(new ServiceError('rate_limited', limit));
    };
    const admit = () => {
      leave();
      resolve();
    };
    const timer = this.#clock.after(MAX_WAIT_MS, refuse);
    const waiting: Waiting = { ...check, timer, admit, refuse };
    this.#waiting = [...this.#waiting, waiting];
    this.#admitWaiting();
    if (this.#waiting.length > MAX_WAITING) this.#mostCrowding()?.refuse();
    return promise;
  }

  #admitWaiting(): void {
    this.#wake?.cancel();
    this.#wake = undefined;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#bucket.take('all');
      this.#noteTurn(callerOf(next));
      next.admit();
    }
    if (this.#waiting.length === 0) return;
    this.#wake = this.#clock.after(this.#bucket.waitMs('all'), () => this.#admitWaiting());
  }

  /**
   * The call whose caller was served longest ago; among equals the one that waits longest. None while the rate is used
   * up.
   */
  #next(): Waiting | undefined {
    if (this.#bucket.waitMs('all') > 0) return undefined;
    const lastTurnOf = (one: Waiting) => this.#turns.get(callerOf(one)) ?? 0;
    return this.#waiting.toSorted((one, other) => lastTurnOf(one) - lastTurnOf(other))[0];
  }

  #noteTurn(caller: string): void {
    this.#turn += 1;
    this.#turns.delete(caller);
    this.#turns.set(caller, this.#turn);
    if (this.#turns.size <= MAX_REMEMBERED_TURNS) return;
    const [oldest] = this.#turns.keys();
    if (oldest !== undefined) this.#turns.delete(oldest);
  }

  /** The newest call of the caller with the most waiting calls, at the URL with the most waiting calls. */
  #mostCrowding(): Waiting | undefined {
    const atUrl = largestGroup(this.#waiting, ({ url }) => url);
    return largestGroup(atUrl, callerOf).at(-1);
  }
}

const LIMIT = 'More than 1,500 signatures a second wait to be verified.';

function callerOf({ url, address }: SignatureCheck): string {
  return `${url}\n${address}`;
}

function largestGroup(
  all: readonly Waiting[],
  keyOf: (one: Waiting) => string,
): readonly Waiting[] {
  const groups = Map.groupBy(all, keyOf).values();
  return groups.reduce((largest, group) => (group.length >= largest.length ? group : largest), []);
}
