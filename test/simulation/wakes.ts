// `npm run simulate -- --lost 0.05 --knock`: races to phones with different wake times, some of whose pushes are lost
// silently. How many phones do second knocks wake, and do they ever disturb? The core is the service's own.

import { type Behaviour, Phone, type Run } from '../../sandbox/phones/phone.ts';
import { isComplete, readSettings } from '../../src/config/config.ts';
import { CurrentRules } from '../../src/core/app-rules.ts';
import { completeNotification, usefulUntilMs } from '../../src/core/notification.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import type { Provider, PushMessage } from '../../src/core/ports/provider.ts';
import { Skew } from '../../src/core/sending/attempts.ts';
import { rulesByApp } from '../../src/service/app-rules.ts';
import { type Core, wireCore } from '../../src/service/core.ts';
import { createSystemIds } from '../../src/service/system.ts';
import { MemoryReceipts } from '../support/memory-receipts.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { createRandom, type Random } from './random.ts';
import { LifeClock, Timeline, Wall } from './timeline.ts';

const URL = 'https://nds.example.com';
const SECOND = 1_000;
const START_MS = 1_754_049_600_000;
/** Wake times are log-normal. */
const MEDIAN_WAKE_MS = 2_500;
const SIGMA = 0.8;
const WORK_MS = 4_000;
/** The push's way to the provider and on to the phone, and a receipt's way back. */
const ACCEPT_MS = 40;
const NETWORK_MS = 50;
const PAYMENTS_PER_PHONE = 100;
/** This share of the phones is switched off permanently after some payments. */
const UNREACHABLE = 0.05;
/** In this share of the cases another payment follows within seconds. */
const PAIRS = 0.1;
const PAIR_WITHIN_MS = 10 * SECOND;
/** Three payments a day for each phone. */
const BETWEEN_MS = 8 * 3_600 * SECOND;
const KEPT_MS = 300 * SECOND;
const SWEEP_EVERY_MS = 60 * SECOND;

export interface WakeOptions {
  readonly seed: number;
  readonly deliveries: number;
  /** The share of pushes that the provider takes and no phone gets. */
  readonly lost: number;
  readonly hasKnock: boolean;
}

interface Tally {
  deliveries: number;
  /**
   * The phone woke within the useful life: by a push of this payment, by any push, or it was working when the payment
   * came.
   */
  wokenByOwn: number;
  woken: number;
  pushes: number;
}

export interface WakeReport {
  readonly reachable: Tally;
  readonly unreachable: Tally;
  /** Payments to phones that can be reached whose first push was lost. */
  readonly lost: Tally;
  readonly knocks: number;
  /** Knocks that arrived while the phone was working. */
  readonly disturbing: number;
  readonly shownTwice: number;
  /** Runs of another payment that waited for a repeat. */
  readonly heldUp: number;
}

interface Simulated {
  readonly token: string;
  readonly phone: Phone;
  /** The number of payments until it is switched off. */
  readonly lasts: number;
  payments: number;
}

interface Payment {
  readonly to: Simulated;
  readonly calledAtMs: number;
  readonly usefulUntilMs: number;
  readonly isReachable: boolean;
  address: string | undefined;
  isFirstLost: boolean;
  pushes: number;
}

export async function simulateWakes(options: WakeOptions): Promise<WakeReport> {
  return await new WakeWorld(options).run();
}

class WakeWorld {
  readonly #options: WakeOptions;
  readonly #random: Random;
  readonly #timeline = new Timeline();
  readonly #clock = new LifeClock(this.#timeline, new Wall(this.#timeline, START_MS));
  readonly #store = new MemoryStore();
  readonly #core: Core;
  readonly #byToken = new Map<string, Simulated>();
  /** By the payload of the payment's notification. */
  readonly #payments = new Map<string, Payment>();
  #knocks = 0;
  #disturbing = 0;

  constructor(options: WakeOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed, 'wakes');
    this.#core = this.#createCore();
    const phones = Math.max(10, Math.round(options.deliveries / PAYMENTS_PER_PHONE));
    for (let number = 0; number < phones; number += 1) this.#addPhone(`phone-${number}:APA91b`);
  }

  async run(): Promise<WakeReport> {
    const phones = [...this.#byToken.values()];
    const stepMs = BETWEEN_MS / phones.length;
    const payNext = (index: number): void => {
      if (this.#payments.size >= this.#options.deliveries) return;
      const to = phones[index % phones.length];
      if (to !== undefined) this.#payPerhapsTwice(to);
      this.#timeline.after(stepMs, () => payNext(index + 1));
    };
    this.#timeline.after(0, () => payNext(0));
    this.#sweep();
    await this.#timeline.run(() => false);
    return this.#report();
  }

  #payPerhapsTwice(to: Simulated): void {
    this.#pay(to);
    if (!this.#random.chance(PAIRS)) return;
    this.#timeline.after(this.#random.between(100, PAIR_WITHIN_MS), () => this.#pay(to));
  }

  #pay(to: Simulated): void {
    to.payments += 1;
    const payload = `{"payment":"${this.#payments.size}"}`;
    const type = this.#random.chance(0.5) ? 'payment_received' : 'lnurlpay_invoice';
    const { catalogue } = rulesOf(this.#options).ofAll;
    const notification = completeNotification({ type, payload }, catalogue);
    const { lifetimeMs } = notification;
    this.#payments.set(payload, {
      ...{ to, address: undefined, isFirstLost: false, pushes: 0 },
      calledAtMs: this.#timeline.nowMs,
      usefulUntilMs: usefulUntilMs(this.#timeline.nowMs + lifetimeMs, lifetimeMs),
      isReachable: to.payments <= to.lasts,
    });
    const target = { app: 'default', platform: 'android', token: to.token } as const;
    void this.#core.dispatcher.accept(notification, { target, source: 'notify' });
  }

  #addPhone(token: string): void {
    const { whole, chance } = this.#random;
    const lasts = chance(UNREACHABLE) ? whole(10, PAYMENTS_PER_PHONE) : Number.POSITIVE_INFINITY;
    const phone = new Phone({
      nowMs: () => this.#timeline.nowMs,
      after: (ms, task) => void this.#timeline.after(ms, task),
      post: (address, body) => {
        const id = address.slice(`${URL}/r/`.length);
        this.#timeline.after(NETWORK_MS, () => {
          this.#core.receipts?.take(id, Buffer.from(JSON.stringify(body)));
        });
      },
    });
    this.#byToken.set(token, { token, phone, lasts, payments: 0 });
  }

  /** The provider took the push. */
  #deliver({ payload, receipt }: PushMessage): void {
    const payment = this.#payments.get(payload);
    if (payment === undefined || receipt === undefined) return;
    payment.pushes += 1;
    payment.address = receipt.r;
    const isLost = this.#random.chance(this.#options.lost);
    if (payment.pushes === 1) payment.isFirstLost = isLost;
    if (receipt.n === 2) this.#knocks += 1;
    if (isLost || !payment.isReachable) return;
    const { phone } = payment.to;
    this.#timeline.after(NETWORK_MS, () => {
      if (receipt.n === 2 && phone.isWorking) this.#disturbing += 1;
      phone.arrive(receipt, this.#behaviour());
    });
  }

  #behaviour(): Behaviour {
    const { fraction } = this.#random;
    const normal = Math.sqrt(-2 * Math.log(1 - fraction())) * Math.cos(2 * Math.PI * fraction());
    return { wakeMs: MEDIAN_WAKE_MS * Math.exp(SIGMA * normal), workMs: WORK_MS };
  }

  /** Does what housekeeping does, as long as more is to come. */
  #sweep(): void {
    this.#timeline.after(SWEEP_EVERY_MS, async () => {
      const [nowMs, wallMs] = [this.#clock.nowMs(), this.#clock.wallMs()];
      await this.#core.receipts?.noteSilent();
      await this.#store.prune({ nowMs, wallMs, beforeMs: wallMs - KEPT_MS, limit: 1_000_000 });
      this.#core.duplicates.sweep();
      if (this.#store.rows.size > 0) this.#sweep();
    });
  }

  #createCore(): Core {
    const faults: string[] = [];
    const environment = { NOTIFY_EXTERNAL_URL: URL, NDS_TOKEN_RATE: '1000/1000' };
    const { values } = readSettings({ ...environment, NDS_GLOBAL_RATE: '100000/100000' });
    if (!isComplete(values, faults)) throw new Error(faults.join('; '));
    const clock = this.#clock;
    return wireCore({
      config: values,
      rules: new CurrentRules(rulesOf(this.#options)),
      clock,
      ids: createSystemIds(clock, new Uint8Array(32)),
      store: this.#store,
      receiptStore: new MemoryReceipts(this.#store),
      providers: [{ app: 'default', address: 'virtual', provider: this.#createProvider() }],
      observer: { observe: () => {} },
      skew: new Skew(clock),
    });
  }

  #createProvider(): Provider {
    const taken: Outcome = { kind: 'delivered' };
    return {
      name: 'fcm',
      prepare: (message) => ({
        excessBytes: 0,
        send: () =>
          new Promise((resolve) => {
            this.#deliver(message);
            this.#timeline.after(ACCEPT_MS, () => resolve(taken));
          }),
      }),
      warm: () => Promise.resolve({ ready: true }),
      health: () => ({ ready: true }),
      traffic: () => ({ streams: 0, connectionsOpened: 0, connectionsFailed: 0 }),
      close: () => Promise.resolve(),
    };
  }

  #report(): WakeReport {
    const empty = (): Tally => ({ deliveries: 0, wokenByOwn: 0, woken: 0, pushes: 0 });
    const [reachable, unreachable, lost] = [empty(), empty(), empty()];
    let shownTwice = 0;
    const runs = runsByAddress(this.#byToken.values());
    for (const payment of this.#payments.values()) {
      const own = runs.get(payment.address ?? '') ?? [];
      const isInTime = ({ startedAtMs: atMs }: Run) =>
        atMs >= payment.calledAtMs && atMs <= payment.usefulUntilMs;
      const isAwake = (run: Run) => isInTime(run) || isAtWork(run, payment.calledAtMs);
      if (own.filter(({ isShown }) => isShown).length > 1) shownTwice += 1;
      const tallies = [payment.isReachable ? reachable : unreachable];
      if (payment.isReachable && payment.isFirstLost) tallies.push(lost);
      for (const tally of tallies) {
        tally.deliveries += 1;
        tally.wokenByOwn += own.some(isInTime) ? 1 : 0;
        tally.woken += payment.to.phone.runs.some(isAwake) ? 1 : 0;
        tally.pushes += payment.pushes;
      }
    }
    const heldUp = [...runs.values()].flat().filter((run) => run.isHeldUp).length;
    const [knocks, disturbing] = [this.#knocks, this.#disturbing];
    return { reachable, unreachable, lost, knocks, disturbing, shownTwice, heldUp };
  }
}

function isAtWork({ startedAtMs }: Run, atMs: number): boolean {
  return startedAtMs <= atMs && atMs < startedAtMs + WORK_MS;
}

function runsByAddress(phones: Iterable<Simulated>): Map<string, Run[]> {
  return Map.groupBy(
    [...phones].flatMap(({ phone }) => phone.runs),
    ({ address }) => address,
  );
}

function rulesOf({ hasKnock }: WakeOptions) {
  const ofAll = { titles: {}, lifetimesMs: {}, tokenForm: true };
  const settings = { receipts: true, second_knock: hasKnock };
  return rulesByApp(ofAll, [{ name: 'default', settings }]);
}
