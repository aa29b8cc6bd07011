// How many notifications a token and the whole service may get: token buckets that allow a burst.

import type { CurrentRules } from '../app-rules.ts';
import { ServiceError } from '../errors.ts';
import type { LimitName } from '../limit-name.ts';
import type { Clock } from '../ports/clock.ts';
import { Recent } from './recent.ts';

export interface Rate {
  /** Calls that may come at once. */
  readonly burst: number;
  /** Calls that are added every second. */
  readonly perSecond: number;
}

export interface LimitsOptions {
  readonly perToken: Rate;
  /** For apps whose tokens have another rate. */
  readonly rules?: CurrentRules | undefined;
  readonly global: Rate;
  /** Tokens that are remembered; beyond this, those that were quiet longest are forgotten. */
  readonly maxTokens: number;
}

interface Bucket {
  level: number;
  filledAtMs: number;
}

/** Token buckets by key, bounded: a key that is not remembered has a full bucket. */
export class Buckets {
  readonly #clock: Clock;
  readonly #rate: Rate;
  readonly #buckets: Recent<Bucket>;

  constructor(clock: Clock, rate: Rate, maxKeys: number) {
    this.#clock = clock;
    this.#rate = rate;
    this.#buckets = new Recent(maxKeys);
  }

  /** Takes one call from the key's bucket; returns how many milliseconds to wait if it is empty, else 0. */
  take(key: string): number {
    const bucket = this.#filled(key);
    if (bucket.level < 1) return Math.ceil(((1 - bucket.level) / this.#rate.perSecond) * 1_000);
    bucket.level -= 1;
    this.#buckets.use(key, bucket);
    return 0;
  }

  /** How long the key has to wait for its next call, without taking one. */
  waitMs(key: string): number {
    const { level } = this.#filled(key);
    return level >= 1 ? 0 : Math.ceil(((1 - level) / this.#rate.perSecond) * 1_000);
  }

  /** Undoes one `take`. */
  giveBack(key: string): void {
    const bucket = this.#filled(key);
    bucket.level = Math.min(this.#rate.burst, bucket.level + 1);
  }

  #filled(key: string): Bucket {
    const nowMs = this.#clock.nowMs();
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return { level: this.#rate.burst, filledAtMs: nowMs };
    const gained = ((nowMs - bucket.filledAtMs) / 1_000) * this.#rate.perSecond;
    bucket.level = Math.min(this.#rate.burst, bucket.level + gained);
    bucket.filledAtMs = nowMs;
    return bucket;
  }
}

export class Limits {
  readonly #clock: Clock;
  readonly #options: LimitsOptions;
  readonly #perToken: Buckets;
  readonly #global: Buckets;
  /** Of apps with a rate of their own; a rate that was changed starts with full buckets. */
  readonly #ofApps = new Map<string, { readonly rate: Rate; readonly buckets: Buckets }>();

  constructor(clock: Clock, options: LimitsOptions) {
    const { perToken, global, maxTokens } = options;
    this.#clock = clock;
    this.#options = options;
    this.#perToken = new Buckets(clock, perToken, maxTokens);
    this.#global = new Buckets(clock, global, 1);
  }

  /** Counts one call for a token of an app. Throws `rate_limited`. */
  take(app: string, tokenHash: string): void {
    const rate = this.#options.rules?.of(app).tokenRate;
    if (rate === undefined) {
      refuseFor(
        this.#perToken.take(tokenHash),
        'Too many notifications for this token (NDS_TOKEN_RATE).',
        'token_rate',
      );
    } else {
      refuseFor(
        this.#bucketsOf(app, rate).take(tokenHash),
        'Too many notifications for this token (`token_rate` of its app).',
        'token_rate',
      );
    }
    refuseFor(
      this.#global.take('all'),
      'Too many notifications in all (NDS_GLOBAL_RATE).',
      'global_rate',
    );
  }

  /** Undoes one `take`: the call was a repeat. */
  giveBack(app: string, tokenHash: string): void {
    const rate = this.#options.rules?.of(app).tokenRate;
    (rate === undefined ? this.#perToken : this.#bucketsOf(app, rate)).giveBack(tokenHash);
    this.#global.giveBack('all');
  }

  #bucketsOf(app: string, rate: Rate): Buckets {
    const known = this.#ofApps.get(app);
    if (known?.rate === rate) return known.buckets;
    const buckets = new Buckets(this.#clock, rate, this.#options.maxTokens);
    this.#ofApps.set(app, { rate, buckets });
    return buckets;
  }
}

/** Throws `rate_limited` if there is anything to wait for; `detail` names the limit in words. */
export function refuseFor(waitMs: number, detail: string, limit?: LimitName): void {
  if (waitMs === 0) return;
  const retryAfterSeconds = Math.ceil(waitMs / 1_000);
  throw new ServiceError('rate_limited', { detail, limit, retryAfterSeconds });
}
