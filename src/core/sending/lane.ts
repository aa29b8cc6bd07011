// The lane of one app at one provider: a bounded pool of sends in flight, a bounded queue before it, and a
// breaker. Lanes share nothing, so that a hanging provider cannot slow another one's pushes.

import type { Outcome } from '../outcome.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Provider, Trust } from '../ports/provider.ts';
import { Roster } from '../roster.ts';
import { Breaker, type BreakerOptions, type Pass } from './breaker.ts';

export interface LaneOptions {
  /** Sends in flight at once. */
  readonly maxInFlight: number;
  /** The part of `maxInFlight` that tokens which never worked may take. */
  readonly maxUnprovenInFlight: number;
  /** Deliveries that wait in memory for a place in flight. */
  readonly maxQueued: number;
  /** How long one waits there before it is kept for a later try instead. */
  readonly maxQueueMs: number;
  readonly breaker: BreakerOptions;
}

export interface LaneConfig {
  readonly app: string;
  readonly provider: Provider;
  readonly clock: Clock;
  readonly options: LaneOptions;
}

/** A place in flight. Absent where one was expected: the breaker is open, or the wait grew too long. */
export interface Ticket {
  readonly trust: Trust;
  readonly pass: Pass;
}

/** Whether a delivery that finds no place in flight waits for one. */
export type Patience = 'queue' | 'none';

const LATELY_MS = 600_000;

interface Waiter {
  readonly timer: Timer;
  settle(ticket: Ticket | undefined): void;
}

/** How a report changed the breaker. */
export type BreakerChange = 'opened' | 'closed' | undefined;

export class Lane {
  readonly app: string;
  readonly provider: Provider;
  readonly #clock: Clock;
  readonly #options: LaneOptions;
  readonly #breaker: Breaker;
  readonly #waiting: Record<Trust, Roster<Waiter>> = {
    proven: new Roster(),
    unproven: new Roster(),
  };
  #lastDeliveredAtMs: number | undefined;
  readonly #inFlight: Record<Trust, number> = { proven: 0, unproven: 0 };

  constructor({ app, provider, clock, options }: LaneConfig) {
    this.app = app;
    this.provider = provider;
    this.#clock = clock;
    this.#options = options;
    this.#breaker = new Breaker(options.breaker);
  }

  /** Whether a delivery that came now would find room, in flight, in the queue or (breaker open) in the store. */
  hasRoom(trust: Trust): boolean {
    const share = trust === 'unproven' ? this.#options.maxQueued / 2 : this.#options.maxQueued;
    return this.#waiting[trust].size < share && this.queued < this.#options.maxQueued;
  }

  get isOpen(): boolean {
    return this.#breaker.isOpen;
  }

  /** When the next probe may go; meaningless while the breaker is closed. */
  get probeDueAtMs(): number {
    return this.#breaker.probeDueAtMs(this.#clock.nowMs());
  }

  /** Whether a push of this app arrived lately, which clears its credentials of suspicion. */
  get deliveredLately(): boolean {
    const last = this.#lastDeliveredAtMs;
    return last !== undefined && this.#clock.nowMs() - last < LATELY_MS;
  }

  get inFlight(): number {
    return this.#inFlight.proven + this.#inFlight.unproven;
  }

  get queued(): number {
    return this.#waiting.proven.size + this.#waiting.unproven.size;
  }

  /** How many more deliveries would find a place in flight at once, if all were for such tokens. */
  freePlaces(trust: Trust): number {
    const free = this.#options.maxInFlight - this.inFlight - this.#waiting.proven.size;
    if (trust === 'proven') return Math.max(0, free);
    const share = this.#options.maxUnprovenInFlight - this.#inFlight.unproven;
    return Math.max(0, Math.min(free, share) - this.#waiting.unproven.size);
  }

  /** Takes a place in flight, or waits for one. Whoever gets a ticket must `leave` with it and the outcome. */
  enter(trust: Trust, patience: Patience): Promise<Ticket | undefined> {
    const pass = this.#breaker.admit(this.#clock.nowMs());
    if (pass === undefined) return Promise.resolve(undefined);
    if (this.#hasPlace(trust)) return Promise.resolve(this.#take(trust, pass));
    this.#breaker.end(pass);
    if (patience === 'none') return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const queue = this.#waiting[trust];
      const waiter: Waiter = {
        timer: this.#clock.after(this.#options.maxQueueMs, () => waiter.settle(undefined)),
        settle: (ticket) => {
          if (!queue.remove(place)) return;
          waiter.timer.cancel();
          resolve(ticket);
        },
      };
      const place = queue.add(waiter);
    });
  }

  /** Gives the place back and tells the breaker what became of the try. */
  leave(ticket: Ticket, outcome: Outcome): BreakerChange {
    this.#inFlight[ticket.trust] -= 1;
    this.#breaker.end(ticket.pass);
    if (outcome.kind === 'delivered') this.#lastDeliveredAtMs = this.#clock.nowMs();
    const change = this.#report(ticket, outcome);
    if (this.#breaker.isOpen) this.#turnAllAway();
    else this.#admitWaiting();
    return change;
  }

  /** Gives the place back without a try. */
  abandon(ticket: Ticket): void {
    this.#inFlight[ticket.trust] -= 1;
    this.#breaker.end(ticket.pass);
    if (!this.#breaker.isOpen) this.#admitWaiting();
  }

  #take(trust: Trust, pass: Pass): Ticket {
    this.#inFlight[trust] += 1;
    return { trust, pass };
  }

  #report(ticket: Ticket, outcome: Outcome): BreakerChange {
    // Our own queue was too long: neither a sign of life nor a failure of the provider.
    if (outcome.kind === 'retry' && outcome.certainty === 'not_started') return undefined;
    const failed = outcome.kind === 'retry' && outcome.certainty !== 'throttled';
    if (!failed) return this.#breaker.succeeded() ? 'closed' : undefined;
    const opened = this.#breaker.failed(
      ticket.pass.round,
      this.#clock.nowMs(),
      outcome.retryAfterMs,
    );
    return opened ? 'opened' : undefined;
  }

  #hasPlace(trust: Trust): boolean {
    if (this.inFlight >= this.#options.maxInFlight) return false;
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
