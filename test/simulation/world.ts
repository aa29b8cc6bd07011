// Everything outside of the service: time, phones, providers, callers, and the machines that die and come back.

import { mkdirSync } from 'node:fs';
import type { PushMessage } from '../../src/core/ports/provider.ts';
import { AnswerRules } from './answer-rules.ts';
import { AttemptRules } from './attempt-rules.ts';
import { Callers } from './callers.ts';
import { FileGround, type Ground, SharedGround } from './ground.ts';
import { type CallRecord, isKeptForLong, Journal, type Told } from './journal.ts';
import type { Life } from './life.ts';
import { Machine } from './machine.ts';
import { Phones } from './phones.ts';
import { ProviderModel } from './provider-model.ts';
import { PunctualityRules } from './punctuality-rules.ts';
import { createRandom, type Random } from './random.ts';
import type { Rows } from './rows.ts';
import type { Rules } from './rules.ts';
import { Timeline, Wall } from './timeline.ts';
import { drawFleet, drawWeather, type MachineWeather, type Weather } from './weather.ts';

const START_MS = 1_754_049_600_000;
const PHONES = 500;
/** Calls come at about 14 a second, and most of them become deliveries. */
const DELIVERIES_PER_SECOND = 11;
/** After the last call is answered and the weather is calm, everything ends within this time. */
const ENDING_MS = 300_000;

export interface WorldOptions {
  readonly seed: number;
  readonly deliveries: number;
  /** The number of machines over one store; absent: one machine with a file of its own. */
  readonly machines?: number | undefined;
  /** The folder of the databases, one for each life. */
  readonly folder: string;
  readonly print?: (line: string) => void;
}

export class World {
  readonly seed: number;
  readonly timeline = new Timeline();
  readonly journal: Journal;
  readonly weather: Weather;
  readonly rules: Rules;
  readonly phones: Phones;
  readonly providers: readonly ProviderModel[];
  readonly #callers: Callers;
  readonly #chance: Random;
  readonly #balancer: Random;
  readonly #ground: Ground;
  readonly #machines: readonly Machine[];
  #lives = 0;

  constructor({ seed, deliveries, machines, folder, print }: WorldOptions) {
    const { timeline } = this;
    const untilMs = (deliveries / DELIVERIES_PER_SECOND) * 1_000;
    this.seed = seed;
    this.#balancer = createRandom(seed, 'balancer');
    this.#chance = createRandom(seed, 'world');
    const isShared = machines !== undefined;
    this.journal = new Journal(timeline, { isShared, print });
    const weather = drawWeather(createRandom(seed, 'weather'), untilMs);
    const fleet = isShared
      ? drawFleet(createRandom(seed, 'fleet'), { machines, untilMs })
      : [{ disk: weather.disk, interruptions: weather.interruptions, aheadMs: 0 }];
    this.weather = isShared ? { ...weather, disk: fleet.flatMap(troubles) } : weather;
    mkdirSync(folder, { recursive: true });
    this.#ground = isShared ? new SharedGround(timeline, START_MS) : new FileGround(folder);
    this.#machines = fleet.map(
      ({ disk, interruptions, aheadMs }) =>
        new Machine({
          world: this,
          ground: this.#ground,
          wall: new Wall(timeline, START_MS + aheadMs),
          diskSpans: disk,
          interruptions,
        }),
    );
    this.rules = {
      attempts: new AttemptRules(this),
      punctuality: new PunctualityRules(this),
      answers: new AnswerRules(this),
    };
    this.phones = new Phones(createRandom(seed, 'phones'), { count: PHONES, untilMs });
    this.providers = (['apns', 'fcm'] as const).map(
      (name) =>
        new ProviderModel({
          ...this.#shared(),
          name,
          random: createRandom(seed, name),
          onTaken: (message) => this.#wake(message),
        }),
    );
    this.#callers = new Callers({
      ...this.#shared(),
      random: createRandom(seed, 'callers'),
      life: () => this.#someMachine().life,
      deliveries,
      untilMs,
      floodsAtMs: this.weather.floodsAtMs,
      quietSpans: this.weather.quietSpans,
    });
  }

  /** Runs until everything has ended or a rule is broken. */
  async run(): Promise<void> {
    const { timeline, journal, weather } = this;
    for (const machine of this.#machines) machine.start();
    this.#callers.start();
    for (const machine of this.#machines) machine.expectInterruptions();
    let endingSinceMs: number | undefined;
    await timeline.run(() => {
      if (journal.violations.length > 0) return true;
      if (!this.#callers.isDone || timeline.nowMs < weather.untilMs) return false;
      endingSinceMs ??= timeline.nowMs;
      if (this.#isQuiet()) return true;
      if (timeline.nowMs < endingSinceMs + ENDING_MS) return false;
      journal.violate(
        'everything ends',
        `${this.#openDeliveries()} deliveries are open, ${this.#running()} are being sent`,
      );
      return true;
    });
  }

  get lives(): readonly Life[] {
    return this.#machines.flatMap(({ life }) => (life === undefined ? [] : [life]));
  }

  /** A life that serves; undefined if there is none. */
  survivor(): Life | undefined {
    return this.lives.find(({ isServing }) => isServing);
  }

  nextLife(): number {
    this.#lives += 1;
    return this.#lives;
  }

  /** Stops the last lives in order; returns the rows that they leave. */
  async end(): Promise<Rows> {
    for (const machine of this.#machines) await machine.end();
    return this.#ground.rows();
  }

  told(call: CallRecord, told: Told): void {
    this.journal.note('told', `${call.number} ${JSON.stringify(told)}`);
    call.told = told;
    call.toldAtMs = this.timeline.nowMs;
    this.rules.answers.told(call, told);
    this.#callers.told(call, told);
  }

  cut(call: CallRecord): void {
    this.journal.note('cut', String(call.number));
    this.#callers.cut(call);
  }

  questionOf(message: PushMessage): CallRecord | undefined {
    return this.#callers.questionOf(message);
  }

  #shared() {
    const { timeline, weather, journal, phones } = this;
    return { timeline, weather, journal, phones };
  }

  /** A proxy in front of the machines sends a call to any of them. */
  #someMachine(): Machine {
    const [only, ...others] = this.#machines;
    if (only === undefined) throw new Error('a world without a machine');
    return others.length === 0 ? only : this.#balancer.pick(this.#machines);
  }

  /** A phone that gets a question answers it after a while, or not at all. */
  #wake(message: PushMessage): void {
    if (message.type !== 'invoice_request' || !this.#chance.chance(0.8)) return;
    const payload: unknown = JSON.parse(message.payload);
    if (typeof payload !== 'object' || payload === null || !('reply_url' in payload)) return;
    const replyId = String(payload.reply_url).split('/').at(-1) ?? '';
    this.timeline.after(this.#chance.between(500, 20_000), () => {
      for (const life of this.lives) life.reply(replyId, Buffer.from('{"invoice":"lni1"}'));
    });
  }

  #isQuiet(): boolean {
    const areServing = this.#machines.every(({ life }) => life?.isServing === true);
    if (!areServing || this.#openDeliveries() > 0) return false;
    // News that was kept for long may be under way at this moment.
    if (this.#running() > 0) return false;
    return this.journal.calls.every((call) => call.told !== undefined || call.isCut === true);
  }

  #running(): number {
    return this.lives.reduce((sum, { core }) => sum + core.sender.running, 0);
  }

  #openDeliveries(): number {
    let open = 0;
    for (const delivery of this.journal.deliveries.values()) {
      if (!delivery.isStored || delivery.final !== undefined) continue;
      if (!isKeptForLong(delivery, this.journal, this.timeline.nowMs)) open += 1;
    }
    return open;
  }
}

/** The troubles that the rules excuse; a pause counts as a slow disk. */
function troubles({ disk, interruptions }: MachineWeather): Weather['disk'] {
  const stops = interruptions.flatMap((one): Weather['disk'] =>
    one.kind === 'pause'
      ? [{ fromMs: one.atMs, toMs: one.atMs + one.forMs, trouble: { kind: 'slow', extraMs: 0 } }]
      : [],
  );
  return [...disk, ...stops];
}
