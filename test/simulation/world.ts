// Everything outside of the service: time, phones, providers, callers, the machine that dies and comes back.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PushMessage } from '../../src/core/ports/provider.ts';
import { AnswerRules } from './answer-rules.ts';
import { AttemptRules } from './attempt-rules.ts';
import { Callers } from './callers.ts';
import { type CallRecord, isKeptForLong, Journal, type Told } from './journal.ts';
import { Life } from './life.ts';
import { Phones } from './phones.ts';
import { ProviderModel } from './provider-model.ts';
import { createRandom, type Random } from './random.ts';
import type { Rules } from './rules.ts';
import { Timeline, Wall } from './timeline.ts';
import { drawWeather, type Interruption, type Weather } from './weather.ts';

const START_MS = 1_754_049_600_000;
const PHONES = 500;
/** Calls come at some 14 a second, and most of them become deliveries. */
const DELIVERIES_PER_SECOND = 11;
/** When the last call was answered and the weather is calm, everything ends within this. */
const ENDING_MS = 300_000;

export interface WorldOptions {
  readonly seed: number;
  readonly deliveries: number;
  /** Where the databases lie, one for each life. */
  readonly folder: string;
  readonly print?: (line: string) => void;
}

export class World {
  readonly seed: number;
  readonly timeline = new Timeline();
  readonly wall = new Wall(this.timeline, START_MS);
  readonly journal: Journal;
  readonly weather: Weather;
  readonly rules: Rules;
  readonly phones: Phones;
  readonly providers: readonly ProviderModel[];
  readonly #folder: string;
  readonly #callers: Callers;
  readonly #chance: Random;
  #life: Life | undefined;
  #lives = 0;
  #fileNumber = 0;
  /** The run was broken off or has ended: nothing more interrupts the last life. */
  #isOver = false;

  constructor({ seed, deliveries, folder, print }: WorldOptions) {
    const { timeline } = this;
    const untilMs = (deliveries / DELIVERIES_PER_SECOND) * 1_000;
    this.seed = seed;
    this.#folder = folder;
    this.#chance = createRandom(seed, 'world');
    this.journal = new Journal(timeline, print);
    this.weather = drawWeather(createRandom(seed, 'weather'), untilMs);
    this.rules = { attempts: new AttemptRules(this), answers: new AnswerRules(this) };
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
      life: () => this.#life,
      deliveries,
      untilMs,
      floodsAtMs: this.weather.floodsAtMs,
      quietSpans: this.weather.quietSpans,
    });
  }

  /** Runs until everything has ended or a rule is broken. */
  async run(): Promise<void> {
    const { timeline, journal, weather } = this;
    mkdirSync(this.#folder, { recursive: true });
    this.#begin(0);
    this.#callers.start();
    for (const one of weather.interruptions) timeline.after(one.atMs, () => this.#interrupt(one));
    let endingSinceMs: number | undefined;
    await timeline.run(() => {
      if (journal.violations.length > 0) return true;
      if (!this.#callers.isDone || timeline.nowMs < weather.untilMs) return false;
      endingSinceMs ??= timeline.nowMs;
      if (this.#isQuiet()) return true;
      if (timeline.nowMs < endingSinceMs + ENDING_MS) return false;
      journal.violate(
        'everything ends',
        `${this.#openDeliveries()} deliveries are open, ${this.#life?.core.sender.running} are being sent`,
      );
      return true;
    });
  }

  get life(): Life | undefined {
    return this.#life;
  }

  /** Stops the last life in order; gives the file that it leaves. */
  async end(): Promise<string> {
    this.#isOver = true;
    const life = this.#life;
    if (life === undefined) return this.#file();
    let isStopped = false;
    this.timeline.after(0, () => {
      void life.stop().then(() => {
        isStopped = true;
      });
    });
    await this.timeline.run(() => isStopped);
    await life.close();
    return this.#file();
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

  #interrupt(one: Interruption): void | Promise<void> {
    if (this.#isOver) return;
    switch (one.kind) {
      case 'jump':
        this.journal.note('jump', String(one.byMs));
        this.journal.count('jumps');
        this.journal.jumpsAtMs.push(this.timeline.nowMs);
        this.wall.jump(one.byMs);
        return;
      case 'crash':
        return this.#crash(one.downMs);
      case 'stop':
        this.#stop(one.downMs);
        return;
    }
  }

  async #crash(downMs: number): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    this.journal.ends.set(life.number, { kind: 'crash', atMs: this.timeline.nowMs });
    this.journal.note('crash', String(life.number));
    this.journal.count(life.isServing ? 'crashes' : 'deaths_at_start');
    const file = this.#file();
    this.#fileNumber += 1;
    await life.die(file, this.#file());
    this.#begin(downMs);
  }

  #stop(downMs: number): void {
    const life = this.#life;
    if (life?.isServing !== true) return;
    this.journal.ends.set(life.number, { kind: 'stop', atMs: this.timeline.nowMs });
    this.journal.note('stop', String(life.number));
    this.journal.count('stops');
    void life.stop().then(() => {
      this.timeline.after(0, async () => {
        if (this.#life !== life) return;
        this.#life = undefined;
        await life.close();
        this.#begin(downMs);
      });
    });
  }

  #begin(delayMs: number): void {
    this.timeline.after(delayMs, async () => {
      if (this.#isOver) return;
      this.#lives += 1;
      const number = this.#lives;
      this.journal.note('begin', String(number));
      const life = await Life.begin(this, number, this.#file());
      this.#life = life;
      void life.takeUp().then((isUp) => {
        this.journal.note(isUp ? 'serves' : 'cannot start', String(number));
        // A supervisor starts the service again.
        if (!isUp && this.#life === life) this.timeline.after(0, () => this.#crash(1_000));
        if (!isUp) return;
        this.journal.begins.set(number, this.timeline.nowMs);
        this.rules.attempts.tookUp(life);
      });
    });
  }

  /** A phone that gets a question answers it after a while, or does not. */
  #wake(message: PushMessage): void {
    if (message.type !== 'invoice_request' || !this.#chance.chance(0.8)) return;
    const payload: unknown = JSON.parse(message.payload);
    if (typeof payload !== 'object' || payload === null || !('reply_url' in payload)) return;
    const replyId = String(payload.reply_url).split('/').at(-1) ?? '';
    this.timeline.after(this.#chance.between(500, 20_000), () => {
      void this.#life?.core.exchange.deliver(replyId, Buffer.from('{"invoice":"lni1"}'));
    });
  }

  #isQuiet(): boolean {
    if (this.#life?.isServing !== true || this.#openDeliveries() > 0) return false;
    // News that was kept for long may be on its way just now.
    if (this.#life.core.sender.running > 0) return false;
    return this.journal.calls.every((call) => call.told !== undefined || call.isCut === true);
  }

  #openDeliveries(): number {
    let open = 0;
    for (const delivery of this.journal.deliveries.values()) {
      if (!delivery.isStored || delivery.final !== undefined) continue;
      if (!isKeptForLong(delivery, this.journal, this.timeline.nowMs)) open += 1;
    }
    return open;
  }

  #file(): string {
    return join(this.#folder, `life-${this.#fileNumber}.sqlite`);
  }
}
