// The core's way to the store: a sick database never stops a push, is told to readiness, and gets what it
// missed as soon as it is well again.

import type { Clock } from './clock.ts';
import type { Observer } from './observer.ts';
import {
  type AcceptedDelivery,
  type QuarantineEntry,
  type Settlement,
  type Store,
  StoreUnavailableError,
} from './store.ts';

const RETRY_MS = 1_000;
/** Ends that a sick store could not take. Beyond, the oldest are given up: their rows are sent again. */
const MAX_PENDING = 20_000;

export class Ledger {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #pending = new Map<string, Settlement>();
  #trouble: string | undefined;
  #retryPlanned = false;
  #closed = false;

  constructor(store: Store, clock: Clock, observer: Observer) {
    this.#store = store;
    this.#clock = clock;
    this.#observer = observer;
  }

  /** What ails the store, from our own words; nothing if it is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Whether the row of an accepted delivery was committed. Never rejects. */
  async insert(accepted: AcceptedDelivery): Promise<boolean> {
    try {
      await this.#store.insert(accepted);
      return true;
    } catch (error) {
      this.#noteTrouble(error);
      return false;
    }
  }

  /** Records an end; keeps it and tries again while the store cannot take it. Never rejects. */
  async settle(settlement: Settlement): Promise<void> {
    if (await this.#trySettle(settlement)) return;
    this.#pending.delete(settlement.deliveryId);
    this.#pending.set(settlement.deliveryId, settlement);
    if (this.#pending.size > MAX_PENDING) {
      const oldest = this.#pending.keys().next();
      if (!oldest.done) this.#pending.delete(oldest.value);
    }
  }

  /** Whether an end of this delivery waits to be written: it must not be sent again. */
  awaitsSettling(deliveryId: string): boolean {
    return this.#pending.has(deliveryId);
  }

  async quarantine(entry: QuarantineEntry): Promise<void> {
    await this.#attempt(() => this.#store.quarantine(entry));
  }

  async recordReply(reply: {
    readonly deliveryId: string;
    readonly answeredAtMs: number;
  }): Promise<void> {
    await this.#attempt(() => this.#store.recordReply(reply));
  }

  async pardon(tokenHashes: readonly string[]): Promise<void> {
    for (const tokenHash of tokenHashes) {
      await this.#attempt(() => this.#store.releaseQuarantine(tokenHash));
    }
  }

  /** Writes what is still waiting, once. */
  async flush(): Promise<void> {
    for (const settlement of [...this.#pending.values()]) {
      if (!(await this.#trySettle(settlement))) return;
    }
  }

  close(): void {
    this.#closed = true;
  }

  async #trySettle(settlement: Settlement): Promise<boolean> {
    try {
      const held = await this.#store.settle(settlement);
      if (this.#pending.get(settlement.deliveryId) === settlement) {
        this.#pending.delete(settlement.deliveryId);
      }
      if (!held) this.#observer.observe({ name: 'lease_lost', deliveryId: settlement.deliveryId });
      return true;
    } catch (error) {
      this.#noteTrouble(error);
      return false;
    }
  }

  async #attempt(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#noteTrouble(error);
    }
  }

  #noteTrouble(error: unknown): void {
    if (!(error instanceof StoreUnavailableError)) throw error;
    if (error.reason === 'closed') return;
    if (this.#trouble !== error.reason) {
      this.#trouble = error.reason;
      this.#observer.observe({ name: 'store_failed', reason: error.reason });
    }
    this.#planRetry();
  }

  #planRetry(): void {
    if (this.#retryPlanned || this.#closed) return;
    this.#retryPlanned = true;
    this.#clock.after(RETRY_MS, () => {
      this.#retryPlanned = false;
      void this.#recover();
    });
  }

  async #recover(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#store.probe();
      await this.flush();
      if (this.#pending.size > 0) return this.#planRetry();
      const reason = this.#trouble ?? 'unknown';
      this.#trouble = undefined;
      this.#observer.observe({ name: 'store_recovered', reason });
    } catch (error) {
      this.#noteTrouble(error);
    }
  }
}
