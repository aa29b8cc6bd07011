// Virtual time: events happen one at a time, and time moves on only when everything that follows from an event without
// waiting has happened, too. Real threads are waited for inside an event, so their speed changes nothing.

import type { Clock, Timer } from '../../src/core/ports/clock.ts';
import { turn } from '../support/intercept-store.ts';

interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void | Promise<void>;
  isCancelled: boolean;
}

export class Timeline {
  /** A binary heap by time, then by order of planning. */
  readonly #heap: Planned[] = [];
  #nowMs = 0;
  #order = 0;

  /** Milliseconds since the beginning of the world. */
  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void | Promise<void>): Timer {
    this.#order += 1;
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const planned: Planned = { atMs, order: this.#order, task, isCancelled: false };
    this.#push(planned);
    return {
      cancel: () => {
        planned.isCancelled = true;
      },
    };
  }

  /** Runs events until `isOver` returns true after one, or none is planned. */
  async run(isOver: () => boolean): Promise<void> {
    for (let next = this.#pop(); next !== undefined; next = this.#pop()) {
      if (next.isCancelled) continue;
      this.#nowMs = next.atMs;
      await next.task();
      await turn();
      if (isOver()) return;
    }
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    heap.push(planned);
    let index = heap.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #pop(): Planned | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let index = 0; ; ) {
      const left = 2 * index + 1;
      const right = left + 1;
      let least = index;
      if (this.#isBefore(left, least)) least = left;
      if (this.#isBefore(right, least)) least = right;
      if (least === index) return first;
      this.#swap(index, least);
      index = least;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const a = this.#heap[one];
    const b = this.#heap[other];
    if (a === undefined || b === undefined) return false;
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  #swap(one: number, other: number): void {
    const a = this.#heap[one];
    const b = this.#heap[other];
    if (a === undefined || b === undefined) return;
    this.#heap[one] = b;
    this.#heap[other] = a;
  }
}

/** The wall clock of the machine, which outlives every process and sometimes jumps. */
export class Wall {
  readonly #timeline: Timeline;
  #startMs: number;

  constructor(timeline: Timeline, startMs: number) {
    this.#timeline = timeline;
    this.#startMs = startMs;
  }

  get nowMs(): number {
    return this.#startMs + this.#timeline.nowMs;
  }

  jump(ms: number): void {
    this.#startMs += ms;
  }
}

/** The clock of one process: its timers end with the process. */
export class LifeClock implements Clock {
  readonly #timeline: Timeline;
  readonly #wall: Wall;
  readonly #offsetMs: number;
  #stoppedUntilMs = 0;
  #isDead = false;

  constructor(timeline: Timeline, wall: Wall) {
    this.#timeline = timeline;
    this.#wall = wall;
    this.#offsetMs = wall.nowMs - timeline.nowMs;
  }

  wallMs(): number {
    return this.#wall.nowMs;
  }

  nowMs(): number {
    return this.#offsetMs + this.#timeline.nowMs;
  }

  /** How far this process's time is ahead of the world's. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  after(delayMs: number, task: () => void): Timer {
    let isCancelled = false;
    const timer = this.#timeline.after(delayMs, () =>
      this.whenRunning(() => {
        if (!isCancelled) task();
      }),
    );
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  /** Runs the task now, or when the process is no longer stopped; never if it is dead. */
  whenRunning(task: () => void): void {
    if (this.#isDead) return;
    const leftMs = this.#stoppedUntilMs - this.#timeline.nowMs;
    if (leftMs <= 0) task();
    else this.#timeline.after(leftMs, () => this.whenRunning(task));
  }

  /** The process does nothing for this long, as after SIGSTOP; its time runs on. */
  stop(forMs: number): void {
    this.#stoppedUntilMs = this.#timeline.nowMs + forMs;
  }

  /** The process is gone: none of its timers fires. */
  kill(): void {
    this.#isDead = true;
  }
}
