// One life of the service: the core as the service wires it, on the real store, from its start to a stop in order or a
// sudden death. Between lives only the database remains.

import { CurrentRules } from '../../src/core/app-rules.ts';
import { ServiceError } from '../../src/core/errors.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { Skew } from '../../src/core/sending/attempts.ts';
import { rulesByApp } from '../../src/service/app-rules.ts';
import { type Core, recoverCore, wireCore } from '../../src/service/core.ts';
import { stopService } from '../../src/service/lifecycle.ts';
import { Disk } from './disk.ts';
import type { OpenedGround } from './ground.ts';
import { createSimulatedIds } from './ids.ts';
import type { CallRecord, Told } from './journal.ts';
import type { Machine } from './machine.ts';
import { createRandom } from './random.ts';
import { recordCommits, recordTold } from './record-store.ts';
import { readSimulatedConfig } from './settings.ts';
import { LifeClock } from './timeline.ts';
import { Watch } from './watch.ts';
import type { World } from './world.ts';

/** More often than the service does, to check the state during the run. */
const SWEEP_EVERY_MS = 10_000;
const GRACE_MS = 5_000;

export class Life {
  readonly number: number;
  readonly core: Core;
  /** Makes the id of a request, as the HTTP server does. */
  readonly newId: () => string;
  readonly #world: World;
  readonly #clock: LifeClock;
  readonly #opened: OpenedGround;
  readonly #store: Store;
  readonly #disk: Disk;
  readonly #watch: Watch;
  readonly #open = new Set<CallRecord>();
  #allAnswered: (() => void) | undefined;
  #isServing = false;

  /** Opens the store; the rest of the start takes virtual time. */
  static async begin(machine: Machine, number: number): Promise<Life> {
    const { world, ground, wall, diskSpans } = machine;
    const { timeline, journal, seed } = world;
    const clock = new LifeClock(timeline, wall);
    const random = createRandom(seed, `disk ${number}`);
    const disk = new Disk({ timeline, random, spans: diskSpans, clock, journal });
    const aheadMs = journal.fleet === undefined ? 0 : clock.offsetMs;
    let life: Life | undefined;
    const opened = await ground.open({
      name: `life ${number}`,
      clock,
      disk,
      watch: (store) => recordCommits(store, journal, { life: number, timeline, aheadMs }),
      onDeclaredDead: (owner) => {
        journal.note('declared dead', owner);
        journal.count('taken_over');
        journal.fleet?.declaredDead(owner, timeline.nowMs);
        if (life?.isServing === true) life.core.retrier.start();
      },
      onLeft: () => life?.core.retrier.start(),
    });
    if (opened.owner !== undefined) journal.fleet?.joined(opened.owner, number);
    life = new Life({ world, number, opened, clock, disk });
    return life;
  }

  private constructor(given: {
    readonly world: World;
    readonly number: number;
    readonly opened: OpenedGround;
    readonly clock: LifeClock;
    readonly disk: Disk;
  }) {
    const { world, number, opened, clock, disk } = given;
    const { timeline, weather, journal, seed } = world;
    this.#world = world;
    this.number = number;
    this.#opened = opened;
    this.#clock = clock;
    this.#disk = disk;
    this.#store = recordTold(opened.store, journal);
    this.#watch = new Watch({
      timeline,
      weather,
      journal,
      rules: world.rules,
      life: number,
      clock: this.#clock,
      questionOf: (message) => world.questionOf(message),
    });
    const config = readSimulatedConfig();
    const ids = createSimulatedIds(createRandom(seed, `ids ${number}`), this.#clock);
    this.newId = () => ids.deliveryId();
    this.core = wireCore({
      config,
      rules: new CurrentRules(rulesByApp(config, [])),
      clock: this.#clock,
      ids,
      store: this.#store,
      providers: world.providers.map((model) => ({
        app: 'default',
        address: 'the model',
        provider: model.connect(this.#watch),
      })),
      observer: { observe: (event) => this.#watch.observe(event) },
      skew: new Skew(this.#clock),
      owner: opened.owner,
    });
    this.#watch.core = this.core;
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** Takes over what an earlier life left, then serves; false if the database cannot be used now. */
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

  /** Makes a call; `ask` passes it to the core. */
  call(record: CallRecord, ask: (core: Core) => Promise<Told>): void {
    this.#open.add(record);
    // While the process is stopped, the call waits in its socket.
    this.#clock.whenRunning(() => {
      const told = this.#watch.calls.run(record, () => ask(this.core).catch(refusalOf));
      void told.then((said) => {
        this.#watch.forget(record);
        if (!this.#open.delete(record)) return;
        this.#world.told(record, said);
        if (this.#open.size === 0) this.#allAnswered?.();
      });
    });
  }

  /** Delivers a phone's answer to a question. */
  reply(replyId: string, body: Buffer): void {
    this.#clock.whenRunning(() => void this.core.exchange.deliver(replyId, body));
  }

  /** The process does nothing for this long. */
  pause(forMs: number): void {
    this.#clock.stop(forMs);
  }

  /** Stops as on SIGTERM, in virtual time; `end` comes after it. */
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

  /** Ends suddenly: everything is lost that is not in the store. */
  async end(): Promise<void> {
    this.#isServing = false;
    this.#clock.kill();
    this.#disk.kill();
    this.#cutCalls();
    await this.#opened.close();
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
      // If the disk fails, the next sweep finds them.
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
