// How many costly signatures (secp256k1, about 0.5 ms each) are verified a second. Who finds no place waits in a
// short queue, in which URLs and callers take turns: a flood from one address does not displace other callers.

import { ServiceError } from '../../core/errors.ts';
import type { Clock, Timer } from '../../core/ports/clock.ts';
import { Buckets } from '../../core/tokens/limits.ts';
import type { Forgeries } from './forgeries.ts';

/** In all: 5 % of a processor. */
const ALL = { burst: 100, perSecond: 100 };
/** For a URL at which forgeries arrive. */
const FORGED_URL = { burst: 1, perSecond: 20 };
const MAX_URLS = 10_000;
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
  readonly #forgeries: Forgeries;
  readonly #all: Buckets;
  readonly #forgedUrls: Buckets;
  #waiting: readonly Waiting[] = [];
  /** The number of the last turn of each caller at each URL; the oldest first. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
  #wake: Timer | undefined;

  constructor(clock: Clock, forgeries: Forgeries) {
    this.#clock = clock;
    this.#forgeries = forgeries;
    this.#all = new Buckets(clock, ALL, 1);
    this.#forgedUrls = new Buckets(clock, FORGED_URL, MAX_URLS);
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
      this.#all.take('all');
      if (this.#forgeries.areMany(next.url)) this.#forgedUrls.take(next.url);
      this.#noteTurn(callerOf(next));
      next.admit();
    }
    if (this.#waiting.length === 0) return;
    const waitMs = Math.min(...this.#waiting.map((one) => this.#waitMs(one)));
    this.#wake = this.#clock.after(waitMs, () => this.#admitWaiting());
  }

  /** Of those that may be verified now, the one whose caller was served longest ago; then the one that waits longest. */
  #next(): Waiting | undefined {
    const lastTurnOf = (one: Waiting) => this.#turns.get(callerOf(one)) ?? 0;
    return this.#waiting
      .filter((one) => this.#waitMs(one) === 0)
      .toSorted((one, other) => lastTurnOf(one) - lastTurnOf(other))[0];
  }

  #waitMs({ url }: SignatureCheck): number {
    const ofUrl = this.#forgeries.areMany(url) ? this.#forgedUrls.waitMs(url) : 0;
    return Math.max(ofUrl, this.#all.waitMs('all'));
  }

  #noteTurn(caller: string): void {
    this.#turn += 1;
    this.#turns.delete(caller);
    this.#turns.set(caller, this.#turn);
    if (this.#turns.size <= MAX_REMEMBERED_TURNS) return;
    const [oldest] = this.#turns.keys();
    if (oldest !== undefined) this.#turns.delete(oldest);
  }

  /** The newest of the caller that waits most often, at the URL that is waited for most often. */
  #mostCrowding(): Waiting | undefined {
    const atUrl = largestGroup(this.#waiting, ({ url }) => url);
    return largestGroup(atUrl, callerOf).at(-1);
  }
}

const LIMIT =
  'Too many signatures wait to be verified: 100 a second in all, 20 a second at a URL that gets many wrong ones.';

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
