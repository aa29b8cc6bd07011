// A machine on which one life of the service follows another: it has a wall clock, a disk or network, and a supervisor.

import type { Ground } from './ground.ts';
import { Life } from './life.ts';
import type { Wall } from './timeline.ts';
import type { DiskSpan, Interruption } from './weather.ts';
import type { World } from './world.ts';

export interface MachineParts {
  readonly world: World;
  readonly ground: Ground;
  readonly wall: Wall;
  readonly diskSpans: readonly DiskSpan[];
  readonly interruptions: readonly Interruption[];
}

export class Machine {
  readonly world: World;
  readonly ground: Ground;
  readonly wall: Wall;
  readonly diskSpans: readonly DiskSpan[];
  readonly #interruptions: readonly Interruption[];
  #life: Life | undefined;
  /** The run was broken off or has ended: from now on nothing interrupts the last life. */
  #isOver = false;

  constructor({ world, ground, wall, diskSpans, interruptions }: MachineParts) {
    this.world = world;
    this.ground = ground;
    this.wall = wall;
    this.diskSpans = diskSpans;
    this.#interruptions = interruptions;
  }

  get life(): Life | undefined {
    return this.#life;
  }

  start(): void {
    this.#begin(0);
  }

  expectInterruptions(): void {
    const { timeline } = this.world;
    for (const one of this.#interruptions) timeline.after(one.atMs, () => this.#interrupt(one));
  }

  /** Stops the last life in order. */
  async end(): Promise<void> {
    this.#isOver = true;
    const life = this.#life;
    if (life === undefined) return;
    const { timeline } = this.world;
    let isStopped = false;
    timeline.after(0, () => {
      void life.stop().then(() => {
        isStopped = true;
      });
    });
    await timeline.run(() => isStopped);
    await life.end();
  }

  #interrupt(one: Interruption): void | Promise<void> {
    const { journal, timeline } = this.world;
    if (this.#isOver) return;
    switch (one.kind) {
      case 'jump':
        journal.note('jump', String(one.byMs));
        journal.count('jumps');
        journal.jumpsAtMs.push(timeline.nowMs);
        this.wall.jump(one.byMs);
        return;
      case 'crash':
        return this.#crash(one.downMs);
      case 'stop':
        this.#stop(one.downMs);
        return;
      case 'pause':
        this.#pause(one.forMs);
        return;
    }
  }

  #pause(forMs: number): void {
    const { journal, timeline } = this.world;
    const life = this.#life;
    if (life === undefined) return;
    journal.note('pause', `${life.number} ${forMs.toFixed(0)}`);
    journal.count('pauses');
    const fromMs = timeline.nowMs;
    journal.fleet?.stopped(life.number, { fromMs, toMs: fromMs + forMs });
    life.pause(forMs);
  }

  async #crash(downMs: number): Promise<void> {
    const { journal, timeline, rules } = this.world;
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    journal.ends.set(life.number, { kind: 'crash', atMs: timeline.nowMs });
    journal.note('crash', String(life.number));
    journal.count(life.isServing ? 'crashes' : 'deaths_at_start');
    this.ground.keep();
    await life.end();
    rules.punctuality.died(life.number, () => this.world.survivor());
    this.#begin(downMs);
  }

  #stop(downMs: number): void {
    const { journal, timeline } = this.world;
    const life = this.#life;
    if (life?.isServing !== true) return;
    journal.ends.set(life.number, { kind: 'stop', atMs: timeline.nowMs });
    journal.note('stop', String(life.number));
    journal.count('stops');
    void life.stop().then(() => {
      timeline.after(0, async () => {
        if (this.#life !== life) return;
        this.#life = undefined;
        await life.end();
        this.#begin(downMs);
      });
    });
  }

  #begin(delayMs: number): void {
    const { timeline, journal } = this.world;
    timeline.after(delayMs, async () => {
      if (this.#isOver) return;
      const number = this.world.nextLife();
      journal.note('begin', String(number));
      const opening = Life.begin(this, number);
      if (this.ground.isThreaded) await opening;
      void opening.then(
        (life) => this.#takeUp(life),
        () => this.#begin(1_000),
      );
    });
  }

  async #takeUp(life: Life): Promise<void> {
    const { journal, timeline, rules } = this.world;
    const { number } = life;
    this.#life = life;
    const isUp = await life.takeUp();
    journal.note(isUp ? 'serves' : 'cannot start', String(number));
    // A supervisor starts the service again.
    if (!isUp && this.#life === life) timeline.after(0, () => this.#crash(1_000));
    if (!isUp) return;
    journal.begins.set(number, timeline.nowMs);
    rules.punctuality.tookUp(life);
  }
}
