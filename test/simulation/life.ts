// One life of the service: the core as the service wires it, on the real store, from its start to a stop in
// order or a sudden death. Between lives only the database remains.

import { copyFileSync, existsSync } from 'node:fs';
import { CurrentRules } from '../../src/core/app-rules.ts';
import { ServiceError } from '../../src/core/errors.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { Skew } from '../../src/core/sending/attempts.ts';
import { rulesByApp } from '../../src/service/app-rules.ts';
import { type Core, recoverCore, wireCore } from '../../src/service/core.ts';
import { stopService } from '../../src/service/lifecycle.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { Disk } from './disk.ts';
import { createSimulatedIds } from './ids.ts';
import type { CallRecord, Told } from './journal.ts';
import { createRandom } from './random.ts';
import { recordCommits, recordTold } from './record-store.ts';
import { readSimulatedConfig } from './settings.ts';
import { LifeClock } from './timeline.ts';
import { Watch } from './watch.ts';
import type { World } from './world.ts';

const KEYS = { current: Buffer.alloc(32, 7), previous: [] };
/** Oftener than the service does, to look at it on the way. */
const SWEEP_EVERY_MS = 10_000;
const GRACE_MS = 5_000;

export class Life {
  readonly number: number;
  readonly core: Core;
  readonly #world: World;
  readonly #clock: LifeClock;
  readonly #real: Store;
  readonly #store: Store;
  readonly #disk: Disk;
  readonly #watch: Watch;
  readonly #open = new Set<CallRecord>();
  #allAnswered: (() => void) | undefined;
  #isAlive = true;
  #isServing = false;

  /** Opens the database; the rest of the start takes virtual time. */
  static async begin(world: World, number: number, file: string): Promise<Life> {
    const { store } = await openSqliteStore({ file, keys: KEYS });
    return new Life(world, number, store);
  }

  private constructor(world: World, number: number, real: Store) {
    const { timeline, wall, weather, journal, seed } = world;
    this.#world = world;
    this.number = number;
    this.#real = real;
    this.#clock = new LifeClock(timeline, wall);
    const random = createRandom(seed, `disk ${number}`);
    this.#disk = new Disk({ timeline, random, weather, journal });
    const committed = recordCommits(real, journal, { life: number, timeline });
    this.#store = recordTold(this.#disk.attach(committed), journal);
    this.#watch = new Watch({
      timeline,
      weather,
      journal,
      rules: world.rules,
      life: number,
      clock: this.#clock,
      isAlive: () => this.#isAlive,
      questionOf: (message) => world.questionOf(message),
    });
    const config = readSimulatedConfig();
    this.core = wireCore({
      config,
      rules: new CurrentRules(rulesByApp(config, [])),
      clock: this.#clock,
      ids: createSimulatedIds(createRandom(seed, `ids ${number}`), this.#clock),
      store: this.#store,
      providers: world.providers.map((model) => ({
        app: 'default',
        address: 'the model',
        provider: model.connect(this.#watch),
      })),
      observer: { observe: (event) => this.#watch.observe(event) },
      skew: new Skew(this.#clock),
    });
    this.#watch.core = this.core;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** Takes up what an earlier life left, then serves; false if the database cannot be used now. */
  async takeUp(): Promise<boolean> {
    try {
      await recoverCore(this.core, this.#store, this.#clock);
    } catch {
      return false;
    }
    this.#isServing = true;
    this.core.retrier.start();
    this.#sweep();
    return true;
  }

  /** Puts a call; `ask` is what the core is asked. */
  call(record: CallRecord, ask: (core: Core) => Promise<Told>): void {
    this.#open.add(record);
    this.#watch.currentCall = record;
    const told = ask(this.core).catch(refusalOf);
    this.#watch.currentCall = undefined;
    void told.then((said) => {
      this.#watch.forget(record);
      if (!this.#open.delete(record)) return;
      this.#world.told(record, said);
      if (this.#open.size === 0) this.#allAnswered?.();
    });
  }

  /** Loses everything but what is on the disk, which is copied as it is for the next life. */
  async die(file: string, nextFile: string): Promise<void> {
    this.#end();
    for (const suffix of ['', '-wal']) {
      if (existsSync(`${file}${suffix}`)) copyFileSync(`${file}${suffix}`, `${nextFile}${suffix}`);
    }
    await this.#real.close();
  }

  /** Ends as on SIGTERM, in virtual time; `close` comes after it. */
  async stop(): Promise<void> {
    const { core } = this;
    core.draining = true;
    this.#watch.isStopping = true;
    await stopService({
      ...core,
      store: this.#store,
      clock: this.#clock,
      graceMs: GRACE_MS,
      listeners: [
        {
          drain: () => {},
          close: () => this.#untilAllAnswered(),
          destroy: () => {
            for (const record of this.#open) this.#world.rules.answers.cutAtStop(record);
            this.#cutCalls();
          },
        },
      ],
      recorder: { close: async () => {} },
      live: { close: async () => {} },
    });
  }

  async close(): Promise<void> {
    this.#end();
    await this.#real.close();
  }

  #end(): void {
    this.#isAlive = false;
    this.#isServing = false;
    this.#clock.kill();
    this.#disk.kill();
    this.#cutCalls();
  }

  #cutCalls(): void {
    const cut = [...this.#open];
    this.#open.clear();
    for (const record of cut) {
      record.isCut = true;
      this.#world.cut(record);
    }
  }

  #untilAllAnswered(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#allAnswered = resolve;
    });
  }

  #sweep(): void {
    this.#clock.after(SWEEP_EVERY_MS, () => {
      this.core.duplicates.sweep();
      this.#watch.checkLanes();
      void this.#expire();
      this.#sweep();
    });
  }

  async #expire(): Promise<void> {
    const times = { nowMs: this.#clock.nowMs(), wallMs: this.#clock.wallMs() };
    try {
      const expired = await this.#store.expireOverdue({ ...times, limit: 500 });
      for (const id of expired) this.core.sender.expired(id);
    } catch {
      // A sick disk: the next sweep finds them.
    }
  }
}

function refusalOf(error: unknown): Told {
  if (!(error instanceof ServiceError)) {
    return { status: 'refused', code: 'internal' };
  }
  const { deliveryId } = error.details;
  return {
    status: 'refused',
    code: error.code,
    ...(deliveryId === undefined ? {} : { id: deliveryId }),
  };
}
