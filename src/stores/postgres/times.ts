// Times on their way into the database. Every machine has a service time of its own, which starts with its wall clock and
// then follows its monotonic time. Other machines must be able to read a plan: service times are stored as the
// database's own time, by the difference that each machine measures (nodes.ts, once a second).

import type { Clock } from '../../core/ports/clock.ts';
import { wholeEndMs, wholeMs } from '../values.ts';

/** Closer clocks count as equal, because an answer's travel time is not known more exactly. */
const EQUAL_MS = 50;

export class Times {
  readonly #clock: Pick<Clock, 'wallMs' | 'nowMs'>;
  #aheadMs = 0;

  constructor(clock: Pick<Clock, 'wallMs' | 'nowMs'>) {
    this.#clock = clock;
  }

  /** How far the database's clock is ahead of this machine's service time. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** Takes a measurement: the database answered `databaseMs` between two moments of service time. */
  measure(
    databaseMs: number,
    { sentAtMs, answeredAtMs }: { readonly sentAtMs: number; readonly answeredAtMs: number },
  ) {
    const aheadMs = Math.round(databaseMs - (sentAtMs + answeredAtMs) / 2);
    const doubtMs = EQUAL_MS + (answeredAtMs - sentAtMs) / 2;
    const isEqual = Math.abs(aheadMs - this.#aheadMs) <= doubtMs;
    if (!isEqual) this.#aheadMs = Math.abs(aheadMs) <= doubtMs ? 0 : aheadMs;
  }

  /** A moment of service time as the database's. */
  at(serviceMs: number): string {
    return iso(wholeMs(serviceMs) + this.#aheadMs);
  }

  maybeAt(serviceMs: number | undefined): string | null {
    return serviceMs === undefined ? null : this.at(serviceMs);
  }

  /** For an end: rounds so that it is never later. */
  endAt(serviceMs: number): string {
    return iso(wholeEndMs(serviceMs) + this.#aheadMs);
  }

  /** A moment of the database as this machine's service time. */
  from(databaseMs: number): number {
    return databaseMs - this.#aheadMs;
  }

  /** A moment of this machine's wall clock, as it goes now, as the database's. */
  atWall(wallMs: number): string {
    return this.at(wallMs - this.#steppedMs());
  }

  /** A moment of the database as this machine's wall clock, as it goes now. */
  wallFrom(databaseMs: number): number {
    return this.from(databaseMs) + this.#steppedMs();
  }

  /** How far the wall clock was set since service time began. */
  #steppedMs(): number {
    const steppedMs = Math.round(this.#clock.wallMs() - this.#clock.nowMs());
    return Math.abs(steppedMs) < EQUAL_MS ? 0 : steppedMs;
  }
}

/** A moment of wall time, as this machine's clock said. */
export function wall(ms: number): string {
  return iso(wholeMs(ms));
}

export function maybeWall(ms: number | undefined): string | null {
  return ms === undefined ? null : wall(ms);
}

/** Throws a RangeError for a value that `timestamptz` or Date cannot hold. */
function iso(ms: number): string {
  return new Date(ms).toISOString();
}
