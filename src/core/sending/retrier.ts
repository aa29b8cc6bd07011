// Claims due deliveries in the store and sends them again, lane by lane. While a lane's breaker is open it claims one
// delivery at a time as the probe, and those whose useful life is about to end; when the provider is back, races
// that wait become due at once.

import type { Delivery } from '../delivery.ts';
import { LAST_ATTEMPT_BEFORE_END_MS } from '../notification.ts';
import type { Policy } from '../policy.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Observer } from '../ports/observer.ts';
import type { ClaimResult, ClaimSelection } from '../ports/plans.ts';
import { type Store, StoreUnavailableError } from '../ports/store.ts';
import type { Lane } from './lane.ts';
import { LaneClaims } from './lane-claims.ts';
import type { Ledger } from './ledger.ts';
import type { Sender } from './sender.ts';

/** Few enough that building them all at once delays no other push for long. */
const BATCH = 32;
const STORE_PAUSE_MS = 1_000;
/** All places are taken; the next one is free as soon as a provider answers. */
const PLACES_PAUSE_MS = 25;
/**
 * While tokens that never worked use up their share, a batch is searched at intervals for proven ones, which have
 * places, and the others are put back: calls with invented tokens must not delay other retries.
 */
const LOOK_PAST_EVERY_MS = 100;
/** Most of them are put back without being built. */
const LOOK_PAST_BATCH = 200;
/** How often to check whether deliveries that were claimed too early can be sent now. */
const UNSENT_PAUSE_MS = 100;
const STORED = Promise.resolve(true);
/** Every delivery in the store was answered `queued`, or its caller is gone. */
const PROMISED = () => true;

export interface RetrierParts {
  readonly owner: string;
  readonly clock: Clock;
  readonly policy: Policy;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly sender: Sender;
  readonly observer: Observer;
  readonly lanes: readonly Lane[];
}

interface Round {
  readonly lane: Lane;
  timer?: Timer;
  wakeAtMs: number;
  running: boolean;
  /** It was woken while it ran, so what it read may be out of date. */
  wokenMeanwhile: boolean;
  lookedPastAtMs: number;
  readonly claims: LaneClaims;
}

interface Plan {
  readonly select: ClaimSelection;
  readonly limit: number;
  readonly patience: 'queue' | 'none';
}

export class Retrier {
  readonly #parts: RetrierParts;
  readonly #rounds = new Map<Lane, Round>();
  #stopped = false;

  constructor(parts: RetrierParts) {
    this.#parts = parts;
    for (const lane of parts.lanes) this.#add(lane);
  }

  /** A reload added and removed lanes: deliveries for a removed lane stay in the store until their time is over. */
  changeLanes({
    added,
    removed,
  }: {
    readonly added: readonly Lane[];
    readonly removed: readonly Lane[];
  }): void {
    for (const lane of removed) {
      this.#rounds.get(lane)?.timer?.cancel();
      this.#rounds.delete(lane);
    }
    for (const lane of added) this.#wake(this.#add(lane), this.#parts.clock.nowMs());
  }

  #add(lane: Lane): Round {
    const round: Round = {
      lane,
      wakeAtMs: Number.POSITIVE_INFINITY,
      running: false,
      wokenMeanwhile: false,
      lookedPastAtMs: Number.NEGATIVE_INFINITY,
      claims: new LaneClaims({ ...this.#parts, leaseMs: this.#parts.policy.leaseMs, lane }),
    };
    this.#rounds.set(lane, round);
    return round;
  }

  /** Looks for deliveries that an earlier run left open, or that a failing store could not return. */
  start(): void {
    for (const round of this.#rounds.values()) this.#wake(round, this.#parts.clock.nowMs());
  }

  /** Claims nothing more; claimed deliveries continue. */
  stop(): void {
    this.#stopped = true;
    for (const round of this.#rounds.values()) round.timer?.cancel();
  }

  /** A delivery of this lane will be due at `dueAtMs`; before that it can be the probe of an open breaker. */
  expect(lane: Lane, dueAtMs: number): void {
    const round = this.#rounds.get(lane);
    if (round === undefined) return;
    this.#wake(round, lane.isOpen ? Math.min(dueAtMs, this.#probeAtMs(lane)) : dueAtMs);
  }

  /** The provider answers again: races that wait for it are due now, news within a minute. */
  async providerIsBack(lane: Lane): Promise<void> {
    const { store, clock, policy } = this.#parts;
    try {
      await store.hasten({
        app: lane.app,
        provider: lane.provider.name,
        nowMs: clock.nowMs(),
        newsSpreadMs: policy.newsSpreadMs,
        restMs: policy.restMs,
      });
    } catch (error) {
      // Waiting deliveries keep their own times.
      this.#tellFault(error);
    }
    this.expect(lane, clock.nowMs());
  }

  #wake(round: Round, atMs: number): void {
    const isOver = this.#stopped || !this.#rounds.has(round.lane);
    if (isOver || atMs >= round.wakeAtMs) return;
    round.timer?.cancel();
    round.wakeAtMs = atMs;
    const delayMs = Math.max(0, atMs - this.#parts.clock.nowMs());
    round.timer = this.#parts.clock.after(delayMs, () => {
      round.wakeAtMs = Number.POSITIVE_INFINITY;
      void this.#run(round);
    });
  }

  /** Never rejects: a fault in one round is logged, and the next one comes. */
  async #run(round: Round): Promise<void> {
    if (this.#stopped) return;
    if (round.running) {
      round.wokenMeanwhile = true;
      return;
    }
    round.running = true;
    round.wokenMeanwhile = false;
    let nextAtMs = this.#parts.clock.nowMs() + STORE_PAUSE_MS;
    try {
      nextAtMs = await this.#turn(round);
    } catch (error) {
      this.#tellFault(error);
      nextAtMs = this.#parts.clock.nowMs() + STORE_PAUSE_MS;
    } finally {
      round.running = false;
      this.#wake(round, round.wokenMeanwhile ? this.#parts.clock.nowMs() : nextAtMs);
    }
  }

  /** Claims and sends; returns when to look again. */
  async #turn(round: Round): Promise<number> {
    const { clock, policy } = this.#parts;
    await this.#sendUnsent(round);
    const nextAtMs = round.lane.isOpen
      ? await this.#turnWhileOpen(round)
      : await this.#turnWhileClosed(round);
    // Leases may end without a plan for their deliveries.
    const pauseMs = round.claims.hasUnsent ? UNSENT_PAUSE_MS : policy.leaseMs;
    return Math.min(nextAtMs, clock.nowMs() + pauseMs);
  }

  /** Sends deliveries that earlier claims leased and that are not being sent. */
  async #sendUnsent({ claims, lane }: Round): Promise<void> {
    for (const leaseUntilMs of claims.unsent()) {
      const { deliveries } = await claims.claimAgain(leaseUntilMs, LOOK_PAST_BATCH);
      if (this.#stopped) return;
      for (const delivery of deliveries) void this.#send(delivery, lane, { patience: 'queue' });
    }
  }

  async #turnWhileClosed(round: Round): Promise<number> {
    const { clock } = this.#parts;
    const { lane } = round;
    const plan = this.#plan(round);
    if (plan === undefined) return clock.nowMs() + PLACES_PAUSE_MS;
    if (plan.patience === 'none') await this.#sendLastMoments(round);
    if (plan.limit === 0) return clock.nowMs() + PLACES_PAUSE_MS;
    const { deliveries, nextDueAtMs } = await this.#claim(round, plan);
    for (const delivery of deliveries) void this.#send(delivery, lane, plan);
    if (lane.isOpen) return this.#probeAtMs(lane);
    return deliveries.length === plan.limit ? clock.nowMs() : (nextDueAtMs ?? NEVER);
  }

  /** Deliveries at the end of their useful life get their last attempt; of the rest, one is the probe. */
  async #turnWhileOpen(round: Round): Promise<number> {
    const { clock } = this.#parts;
    const last = await this.#sendLastMoments(round);
    if (last.deliveries.length === BATCH) return clock.nowMs();
    const probed = await this.#probe(round);
    const lastMomentMs = (last.nextUsefulUntilMs ?? NEVER) - LAST_ATTEMPT_BEFORE_END_MS;
    // One of the remaining deliveries, if any, can be the next probe.
    return Math.max(Math.min(probed, lastMomentMs), clock.nowMs() + PLACES_PAUSE_MS);
  }

  /** Deliveries at the end of their useful life ignore the breaker and the shares of the places. */
  async #sendLastMoments(round: Round): Promise<ClaimResult> {
    const usefulUntilByMs = this.#parts.clock.nowMs() + LAST_ATTEMPT_BEFORE_END_MS;
    const plan: Plan = {
      select: { kind: 'last_moment', usefulUntilByMs },
      limit: BATCH,
      patience: 'none',
    };
    const last = await this.#claim(round, plan);
    for (const delivery of last.deliveries) void this.#send(delivery, round.lane, plan);
    return last;
  }

  async #probe(round: Round): Promise<number> {
    const { clock } = this.#parts;
    const { lane } = round;
    if (!lane.isOpen) return clock.nowMs();
    const { probeDueAtMs } = lane;
    if (clock.nowMs() < probeDueAtMs) return probeDueAtMs;
    const plan = { select: { kind: 'probe' }, limit: 1, patience: 'none' } as const;
    const { deliveries, nextDueAtMs } = await this.#claim(round, plan);
    await Promise.all(deliveries.map((delivery) => this.#send(delivery, lane, plan)));
    if (deliveries.length > 0) return lane.isOpen ? this.#probeAtMs(lane) : clock.nowMs();
    return nextDueAtMs ?? NEVER;
  }

  /** Later if a probe is due but found no place: a hanging attempt has to end first. */
  #probeAtMs(lane: Lane): number {
    return Math.max(lane.probeDueAtMs, this.#parts.clock.nowMs() + PLACES_PAUSE_MS);
  }

  /** What to claim while the breaker is closed; while all places are taken, only last moments, at intervals. */
  #plan(round: Round): Plan | undefined {
    const { lane } = round;
    const nowMs = this.#parts.clock.nowMs();
    const select = { kind: 'due' } as const;
    const limit = Math.min(BATCH, lane.freePlaces('unproven'));
    if (limit > 0) return { select, limit, patience: 'queue' };
    if (nowMs < round.lookedPastAtMs + LOOK_PAST_EVERY_MS) return undefined;
    round.lookedPastAtMs = nowMs;
    const provenPlaces = lane.freePlaces('proven');
    return { select, limit: Math.min(LOOK_PAST_BATCH, provenPlaces), patience: 'none' };
  }

  async #claim({ claims }: Round, plan: Plan): Promise<ClaimResult> {
    const claimed = await claims.claim(plan);
    // After a stop, these leases are given back with all others.
    return this.#stopped ? { ...claimed, deliveries: [] } : claimed;
  }

  #send(delivery: Delivery, lane: Lane, { patience }: Pick<Plan, 'patience'>): Promise<unknown> {
    return this.#parts.sender.send(delivery, lane, {
      stored: STORED,
      patience,
      isPromised: PROMISED,
    });
  }

  #tellFault(cause: unknown): void {
    if (cause instanceof StoreUnavailableError) return;
    this.#parts.observer.observe({ name: 'internal_fault', where: 'retrier', cause });
  }
}

const NEVER = Number.MAX_SAFE_INTEGER;
