// The lane of one app at one provider: a bounded pool of sends in flight, a bounded queue before it, a breaker
// and the pace that a project's quota allows. Lanes share nothing, so that a provider that hangs delays no push to
// another.

import { isRace } from '../notification.ts';
import type { Outcome } from '../outcome.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Provider, Trust } from '../ports/provider.ts';
import { Breaker, type Pass } from './breaker.ts';

export interface LaneOptions {
  /** Sends in flight at once. */
  readonly maxInFlight: number;
  /** The share of `maxInFlight` for tokens that never worked. */
  readonly maxUnprovenInFlight: number;
  /** Deliveries that wait in memory for a place in flight. */
  readonly maxQueued: number;
  /** How long a delivery waits there before it is kept for a later attempt instead. */
  readonly maxQueueMs: number;
}

export interface LaneConfig {
  readonly app: string;
  readonly provider: Provider;
  readonly clock: Clock;
  readonly options: LaneOptions;
}

/** A place in flight. */
export interface Ticket {
  readonly trust: Trust;
  readonly pass: Pass;
}

export interface EnterOptions {
  /** Whether and how long a delivery that finds no place in flight waits for one. */
  readonly waitMs: number;
  /**
   * The last attempt within the useful life is made even if the breaker is open or its share of the places is used up.
   */
  readonly isLastMoment?: boolean;
}

/** How an attempt ended, as the lane needs to know it. */
export interface LaneReport {
  readonly outcome: Outcome;
  readonly tokenHash: string;
}

/** How a report changed the breaker. */
export type BreakerChange = 'opened' | 'closed' | undefined;

/** How long the last push is evidence: about the credentials if it arrived, about the provider if it failed. */
const LATELY_MS = 600_000;
/** An outage older than a race's useful life (60 s less the 8 s that a phone needs) takes no more races. */
const LONGEST_OUTAGE_FOR_RACES_MS = 52_000;
/** A project's quota error halves the number in flight, down to this, at most once a second. */
const SLOWEST_PACE = 8;
const SLOW_DOWN_EVERY_MS = 1_000;
/** A 429 that names no quota is the project's if this many different tokens get one within this time. */
const TOKENS_OF_PROJECT = 3;
const PROJECT_WINDOW_MS = 5_000;

/** Last attempts take places beyond `maxInFlight`, up to this many times `maxInFlight` in all. */
const LAST_MOMENT_PLACES = 2;

interface Waiter {
  readonly timer: Timer;
  settle(ticket: Ticket | undefined): void;
}

export class Lane {
  readonly app: string;
  /** A reload may replace it; pushes that the old one prepared are sent by the old one. */
  provider: Provider;
  readonly #clock: Clock;
  readonly #options: LaneOptions;
  readonly #breaker = new Breaker();
  readonly #waiting: Record<Trust, Set<Waiter>> = { proven: new Set(), unproven: new Set() };
  readonly #inFlight: Record<Trust, number> = { proven: 0, unproven: 0 };
  #deliveredAtMs: number | undefined;
  /** The provider refused our credentials, and no push has arrived since. */
  #isRefused = false;
  #pace: number;
  #slowedDownAtMs = Number.NEGATIVE_INFINITY;
  readonly #throttledAtMs = new Map<string, number>();

  constructor({ app, provider, clock, options }: LaneConfig) {
    this.app = app;
    this.provider = provider;
    this.#clock = clock;
    this.#options = options;
    this.#pace = options.maxInFlight;
  }

  /** Whether a delivery that came now would find a place in flight, in the queue or (breaker open) in the store. */
  hasRoom(trust: Trust): boolean {
    const share = trust === 'unproven' ? this.#options.maxQueued / 2 : this.#options.maxQueued;
    return this.#waiting[trust].size < share && this.queued < this.#options.maxQueued;
  }

  get isOpen(): boolean {
    return this.#breaker.isOpen;
  }

  /**
   * For which reason the provider failed and may still fail; undefined if it does not. Without traffic nothing probes an open breaker, and after a while
   * it no longer says anything about the provider.
   */
  get failure(): string | undefined {
    const isLate = this.#breaker.failureAgeMs(this.#clock.nowMs()) >= LATELY_MS;
    return this.isOpen && !isLate ? this.#breaker.reason : undefined;
  }

  /** When the next probe may go; meaningless while the breaker is closed. */
  get probeDueAtMs(): number {
    return this.#breaker.probeDueAtMs(this.#clock.nowMs());
  }

  /** Whether a delivery with this lifetime may be left for later: a payer's money must not wait for an outage. */
  mayQueue(lifetimeMs: number): boolean {
    if (!isRace(lifetimeMs)) return true;
    return this.#breaker.outageAgeMs(this.#clock.nowMs()) < LONGEST_OUTAGE_FOR_RACES_MS;
  }

  /** Whether a delivery that came now would be tried at once, as far as the breaker is concerned. */
  get takesAttempts(): boolean {
    return !this.isOpen || this.probeDueAtMs <= this.#clock.nowMs();
  }

  /** Whether a push of this app arrived lately, which clears its credentials of suspicion. */
  get deliveredLately(): boolean {
    const atMs = this.#deliveredAtMs;
    return atMs !== undefined && this.#clock.nowMs() - atMs < LATELY_MS;
  }

  get inFlight(): number {
    return this.#inFlight.proven + this.#inFlight.unproven;
  }

  get queued(): number {
    return this.#waiting.proven.size + this.#waiting.unproven.size;
  }

  /** How many more deliveries would find a place in flight at once, if all were for tokens of this kind. */
  freePlaces(trust: Trust): number {
    const free = this.#pace - this.#taken - this.#waiting.proven.size;
    if (trust === 'proven') return Math.max(0, free);
    const share = this.#options.maxUnprovenInFlight - this.#inFlight.unproven;
    return Math.max(0, Math.min(free, share) - this.#waiting.unproven.size);
  }

  /**
   * Takes a place in flight, or waits for one. Every ticket must be given to `leave` or
   * `abandon`. No ticket: the breaker is open, or the wait grew too long.
   */
  enter(trust: Trust, { waitMs, isLastMoment = false }: EnterOptions): Promise<Ticket | undefined> {
    if (isLastMoment) {
      const isFull = this.inFlight >= LAST_MOMENT_PLACES * this.#options.maxInFlight;
      return Promise.resolve(isFull ? undefined : this.#take(trust, this.#breaker.admitLast()));
    }
    const pass = this.#breaker.admit(this.#clock.nowMs());
    if (pass === undefined) return Promise.resolve(undefined);
    if (this.#hasPlace(trust)) return Promise.resolve(this.#take(trust, pass));
    this.#breaker.end(pass);
    if (waitMs <= 0 || !this.hasRoom(trust)) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const queue = this.#waiting[trust];
      const waiter: Waiter = {
        timer: this.#clock.after(Math.min(waitMs, this.#options.maxQueueMs), () =>
          waiter.settle(undefined),
        ),
        settle: (ticket) => {
          if (!queue.delete(waiter)) return;
          waiter.timer.cancel();
          resolve(ticket);
        },
      };
      queue.add(waiter);
    });
  }

  /** A 429 that names no quota means one phone's, unless several different tokens get one within seconds. */
  classify(outcome: Outcome, tokenHash: string): Outcome {
    if (outcome.kind !== 'retry' || outcome.certainty !== 'throttled') return outcome;
    const nowMs = this.#clock.nowMs();
    for (const [token, atMs] of this.#throttledAtMs) {
      if (nowMs - atMs > PROJECT_WINDOW_MS) this.#throttledAtMs.delete(token);
    }
    if (this.#throttledAtMs.size < TOKENS_OF_PROJECT) this.#throttledAtMs.set(tokenHash, nowMs);
    const isProject = this.#throttledAtMs.size >= TOKENS_OF_PROJECT;
    return { ...outcome, certainty: isProject ? 'throttled_project' : 'throttled_token' };
  }

  /** Gives the place back and counts the attempt's outcome. */
  leave(ticket: Ticket, report: LaneReport): BreakerChange {
    this.#inFlight[ticket.trust] -= 1;
    this.#breaker.end(ticket.pass);
    const change = this.#learn(report, ticket.pass.round);
    if (this.#breaker.isOpen) this.#turnAllAway();
    else this.#admitWaiting();
    return change;
  }

  /** An answer that came after its attempt's deadline shows only that the provider works. */
  hear(outcome: Outcome): BreakerChange {
    if (outcome.kind === 'retry') return undefined;
    return this.#noteAnswer(outcome);
  }

  /** True once, when a push arrives after the provider had refused our credentials: waiting deliveries are then due. */
  isAcceptedAgain(outcome: Outcome): boolean {
    if (outcome.kind !== 'delivered' || !this.#isRefused) return false;
    this.#isRefused = false;
    return true;
  }

  /** Gives the place back without an outcome. */
  abandon(ticket: Ticket): void {
    this.#inFlight[ticket.trust] -= 1;
    this.#breaker.end(ticket.pass);
    if (!this.#breaker.isOpen) this.#admitWaiting();
  }

  /** Places in flight, without those that tokens which never worked take beyond their share at a last moment. */
  get #taken(): number {
    const { proven, unproven } = this.#inFlight;
    return proven + Math.min(unproven, this.#options.maxUnprovenInFlight);
  }

  #take(trust: Trust, pass: Pass): Ticket {
    this.#inFlight[trust] += 1;
    return { trust, pass };
  }

  #learn({ outcome, tokenHash }: LaneReport, round: number): BreakerChange {
    if (outcome.kind !== 'retry') return this.#noteAnswer(outcome);
    switch (outcome.certainty) {
      case 'not_started':
      case 'throttled_token':
      case 'throttled':
        return undefined;
      case 'throttled_project':
        this.#slowDown();
        return this.#breaker.succeeded() ? 'closed' : undefined;
      case 'not_processed':
      case 'uncertain':
      case 'unanswered':
      case 'answered': {
        const { retryAfterMs, reason } = outcome;
        const nowMs = this.#clock.nowMs();
        return this.#breaker.failed({ round, tokenHash, nowMs, reason, retryAfterMs })
          ? 'opened'
          : undefined;
      }
    }
  }

  #noteAnswer(outcome: Outcome): BreakerChange {
    if (outcome.kind === 'misconfigured') this.#isRefused = true;
    if (outcome.kind === 'delivered') {
      this.#deliveredAtMs = this.#clock.nowMs();
      this.#pace = Math.min(this.#pace + 1, this.#options.maxInFlight);
    }
    return this.#breaker.succeeded() ? 'closed' : undefined;
  }

  #slowDown(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#slowedDownAtMs < SLOW_DOWN_EVERY_MS) return;
    this.#slowedDownAtMs = nowMs;
    this.#pace = Math.max(SLOWEST_PACE, Math.floor(Math.min(this.#pace, this.inFlight + 1) / 2));
  }

  #hasPlace(trust: Trust): boolean {
    if (this.#taken >= this.#pace) return false;
    return trust === 'proven' || this.#inFlight.unproven < this.#options.maxUnprovenInFlight;
  }

  #admitWaiting(): void {
    // Proven tokens first: strangers' invented ones must never delay them.
    for (const trust of ['proven', 'unproven'] as const) {
      for (const waiter of this.#waiting[trust]) {
        const pass = this.#hasPlace(trust) ? this.#breaker.admit(this.#clock.nowMs()) : undefined;
        if (pass === undefined) break;
        waiter.settle(this.#take(trust, pass));
      }
    }
  }

  #turnAllAway(): void {
    for (const trust of ['proven', 'unproven'] as const) {
      for (const waiter of this.#waiting[trust]) waiter.settle(undefined);
    }
  }
}
