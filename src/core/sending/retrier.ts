// Claims what is due in the store and sends it again, lane by lane. While a lane's breaker is open it
// claims one delivery at a time as the probe; when the provider is back, all that waits becomes due.

import type { Policy } from '../policy.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import type { Lane, Patience } from './lane.ts';
import type { Ledger } from './ledger.ts';
import type { Sender } from './sender.ts';

/** Few enough that building them all in one go holds up nobody else's push for long. */
const BATCH = 32;
const STORE_PAUSE_MS = 1_000;
/** All places are taken; the next one is free as soon as a provider answers. */
const PLACES_PAUSE_MS = 25;
/**
 * While tokens that never worked use up their share, every so often a batch is looked through for proven
 * ones, which have places, and the others are put back: strangers must not hold up anybody's retries.
 */
const LOOK_PAST_EVERY_MS = 100;
/** Most of them are put back without being built. */
const LOOK_PAST_BATCH = 200;
const STORED = Promise.resolve(true);

export interface RetrierParts {
  readonly owner: string;
  readonly clock: Clock;
  readonly policy: Policy;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly sender: Sender;
  readonly lanes: readonly Lane[];
}

interface Round {
  readonly lane: Lane;
  timer?: Timer;
  wakeAtMs: number;
  running: boolean;
  /** Woken while it ran: what it saw may be out of date. */
  wokenMeanwhile: boolean;
  lookedPastAtMs: number;
}

/** What to claim now, or when to look again. */
type Plan =
  | { readonly limit: number; readonly patience: Patience; readonly dueByMs: number }
  | { readonly nextAtMs: number };

export class Retrier {
  readonly #parts: RetrierParts;
  readonly #rounds = new Map<Lane, Round>();
  #stopped = false;

  constructor(parts: RetrierParts) {
    this.#parts = parts;
    for (const lane of parts.lanes) {
      this.#rounds.set(lane, {
        lane,
        wakeAtMs: Number.POSITIVE_INFINITY,
        running: false,
        wokenMeanwhile: false,
        lookedPastAtMs: Number.NEGATIVE_INFINITY,
      });
    }
  }

  /** Looks for what an earlier run left behind, or what the store was too sick to tell. */
  start(): void {
    for (const round of this.#rounds.values()) this.#wake(round, this.#parts.clock.nowMs());
  }

  /** Claims nothing more; what was claimed runs on. */
  stop(): void {
    this.#stopped = true;
    for (const round of this.#rounds.values()) round.timer?.cancel();
  }

  /** Something of this lane will be due at `dueAtMs`; it can be the probe of an open breaker before that. */
  expect(lane: Lane, dueAtMs: number): void {
    const round = this.#rounds.get(lane);
    if (round === undefined) return;
    this.#wake(round, lane.isOpen ? Math.min(dueAtMs, this.#probeAtMs(lane)) : dueAtMs);
  }

  /** The provider answers again: what waits for it is due now, spread over a second. */
  async providerIsBack(lane: Lane): Promise<void> {
    const { store, clock, policy } = this.#parts;
    try {
      await store.hasten({
        app: lane.app,
        provider: lane.provider.name,
        nowMs: clock.nowMs(),
        spreadMs: policy.hastenSpreadMs,
      });
    } catch {
      // The store is sick; what waits keeps its own times.
    }
    this.expect(lane, clock.nowMs());
  }

  #wake(round: Round, atMs: number): void {
    if (this.#stopped || atMs >= round.wakeAtMs) return;
    round.timer?.cancel();
    round.wakeAtMs = atMs;
    const delayMs = Math.max(0, atMs - this.#parts.clock.nowMs());
    round.timer = this.#parts.clock.after(delayMs, () => {
      round.wakeAtMs = Number.POSITIVE_INFINITY;
      void this.#run(round);
    });
  }

  async #run(round: Round): Promise<void> {
    if (this.#stopped) return;
    if (round.running) {
      round.wokenMeanwhile = true;
      return;
    }
    round.running = true;
    round.wokenMeanwhile = false;
    const nextAtMs = await this.#turn(round);
    round.running = false;
    this.#wake(round, round.wokenMeanwhile ? this.#parts.clock.nowMs() : nextAtMs);
  }

  /** Claims and sends; returns when to look again. */
  async #turn(round: Round): Promise<number> {
    const { clock, policy } = this.#parts;
    const plan = this.#plan(round);
    if ('nextAtMs' in plan) return plan.nextAtMs;
    try {
      const found = await this.#claim(round.lane, plan);
      // Leases that end unseen: nobody may have planned for them.
      const latestMs = clock.nowMs() + policy.leaseMs;
      return Math.min(found ?? latestMs, latestMs);
    } catch {
      return clock.nowMs() + STORE_PAUSE_MS;
    }
  }

  /** Not at once where a probe is due but found no place: what hangs there has to end first. */
  #probeAtMs(lane: Lane): number {
    return Math.max(lane.probeDueAtMs, this.#parts.clock.nowMs() + PLACES_PAUSE_MS);
  }

  #plan(round: Round): Plan {
    const { lane } = round;
    const nowMs = this.#parts.clock.nowMs();
    if (lane.isOpen) {
      const { probeDueAtMs } = lane;
      if (nowMs < probeDueAtMs) return { nextAtMs: probeDueAtMs };
      return { limit: 1, patience: 'none', dueByMs: Number.MAX_SAFE_INTEGER };
    }
    const limit = Math.min(BATCH, lane.freePlaces('unproven'));
    if (limit > 0) return { limit, patience: 'queue', dueByMs: nowMs };
    const isProvenFree = lane.freePlaces('proven') > 0;
    if (!isProvenFree || nowMs < round.lookedPastAtMs + LOOK_PAST_EVERY_MS) {
      return { nextAtMs: nowMs + PLACES_PAUSE_MS };
    }
    round.lookedPastAtMs = nowMs;
    return {
      limit: Math.min(LOOK_PAST_BATCH, lane.freePlaces('proven')),
      patience: 'none',
      dueByMs: nowMs,
    };
  }

  async #claim(
    lane: Lane,
    { limit, patience, dueByMs }: Exclude<Plan, { readonly nextAtMs: number }>,
  ): Promise<number | undefined> {
    const { clock, store, owner, policy, ledger, sender } = this.#parts;
    const isProbe = lane.isOpen;
    const { deliveries, nextDueAtMs } = await store.claimDue({
      owner,
      app: lane.app,
      provider: lane.provider.name,
      nowMs: clock.nowMs(),
      dueByMs,
      leaseUntilMs: clock.nowMs() + policy.leaseMs,
      limit,
    });
    // The leases are given back with all others.
    if (this.#stopped) return undefined;
    const ends = deliveries
      .filter((delivery) => !ledger.awaitsSettling(delivery.id))
      .map((delivery) => sender.send(delivery, lane, { stored: STORED, patience }));
    if (isProbe) await Promise.all(ends);
    if (lane.isOpen) return deliveries.length > 0 ? this.#probeAtMs(lane) : nextDueAtMs;
    return deliveries.length === limit ? clock.nowMs() : nextDueAtMs;
  }
}
