// Claims what is due in the store and sends it again, lane by lane. While a lane's breaker is open it
// claims one delivery at a time as the probe; when the provider is back, all that waits becomes due.

import type { Clock, Timer } from './clock.ts';
import type { Lane } from './lane.ts';
import type { Ledger } from './ledger.ts';
import type { Policy } from './policy.ts';
import type { Sender } from './sender.ts';
import type { Store } from './store.ts';

const BATCH = 200;
const STORE_PAUSE_MS = 1_000;
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
}

export class Retrier {
  readonly #parts: RetrierParts;
  readonly #rounds = new Map<Lane, Round>();
  #stopped = false;

  constructor(parts: RetrierParts) {
    this.#parts = parts;
    for (const lane of parts.lanes) {
      this.#rounds.set(lane, { lane, wakeAtMs: Number.POSITIVE_INFINITY, running: false });
    }
  }

  /** Looks for what an earlier run left behind. */
  start(): void {
    for (const round of this.#rounds.values()) this.#wake(round, this.#parts.clock.nowMs());
  }

  /** Claims nothing more; what was claimed runs on. */
  stop(): void {
    this.#stopped = true;
    for (const round of this.#rounds.values()) round.timer?.cancel();
  }

  /** Something of this lane will be due at `dueAtMs`. */
  expect(lane: Lane, dueAtMs: number): void {
    const round = this.#rounds.get(lane);
    if (round !== undefined) this.#wake(round, dueAtMs);
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
    if (round.running || this.#stopped) return;
    round.running = true;
    let nextAtMs: number | undefined;
    try {
      nextAtMs = await this.#claim(round.lane);
    } catch {
      nextAtMs = this.#parts.clock.nowMs() + STORE_PAUSE_MS;
    }
    round.running = false;
    if (nextAtMs !== undefined) this.#wake(round, nextAtMs);
  }

  /** Claims and sends; returns when to look again. */
  async #claim(lane: Lane): Promise<number | undefined> {
    const { clock, store, owner, policy } = this.#parts;
    const nowMs = clock.nowMs();
    const isProbe = lane.isOpen;
    if (isProbe && nowMs < lane.nextProbeAtMs) return lane.nextProbeAtMs;
    const limit = isProbe ? 1 : Math.min(BATCH, lane.freePlaces);
    if (limit === 0) return nowMs + STORE_PAUSE_MS;
    const { deliveries, nextDueAtMs } = await store.claimDue({
      owner,
      app: lane.app,
      provider: lane.provider.name,
      nowMs,
      dueByMs: isProbe ? Number.MAX_SAFE_INTEGER : nowMs,
      leaseUntilMs: nowMs + policy.leaseMs,
      limit,
    });
    const ends = deliveries
      .filter((delivery) => !this.#parts.ledger.awaitsSettling(delivery.id))
      .map((delivery) => this.#parts.sender.send(delivery, lane, STORED));
    if (isProbe) await Promise.all(ends);
    if (lane.isOpen) return deliveries.length > 0 ? lane.nextProbeAtMs : nextDueAtMs;
    return deliveries.length === limit ? clock.nowMs() : nextDueAtMs;
  }
}
