// A clock that stands still until a test moves it; timers run when their time is reached, in order.

import type { Clock, Timer } from '../../src/core/ports/clock.ts';

/** By the next turn of the event loop, everything that follows without waiting has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
}

export class ManualClock implements Clock {
  #wallMs: number;
  #nowMs: number;
  #order = 0;
  readonly #planned = new Set<Planned>();

  constructor(wallMs = 1_754_049_600_000) {
    this.#wallMs = wallMs;
    this.#nowMs = wallMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  get timers(): number {
    return this.#planned.size;
  }

  after(delayMs: number, task: () => void): Timer {
    this.#order += 1;
    const planned: Planned = { atMs: this.#nowMs + delayMs, order: this.#order, task };
    this.#planned.add(planned);
    return { cancel: () => this.#planned.delete(planned) };
  }

  /** Moves both clocks on and runs the timers that are reached, each at its own time. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      const next = this.#next(end);
      if (next === undefined) break;
      this.#planned.delete(next);
      this.#wallMs += Math.max(0, next.atMs - this.#nowMs);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.task();
    }
    this.#wallMs += end - this.#nowMs;
    this.#nowMs = end;
  }

  /** As `advance`, but lets all promises settle before it starts, and after each task. */
  async run(ms: number): Promise<void> {
    await settled();
    const end = this.#nowMs + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.advance(Math.max(0, next.atMs - this.#nowMs));
      await settled();
    }
    this.advance(end - this.#nowMs);
    await settled();
  }

  /** Lets the wall clock jump, as an administrator or NTP may; service time is not affected. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }

  #next(end: number): Planned | undefined {
    let first: Planned | undefined;
    for (const planned of this.#planned) {
      if (planned.atMs > end) continue;
      if (first === undefined || planned.atMs < first.atMs) first = planned;
      else if (planned.atMs === first.atMs && planned.order < first.order) first = planned;
    }
    return first;
  }
}
