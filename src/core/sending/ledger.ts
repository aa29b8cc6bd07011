// The core's way to the store: a sick database never stops a push, is told to readiness, and gets what it
// missed as soon as it is well again.

import type { Clock } from '../ports/clock.ts';
import type { Observer } from '../ports/observer.ts';
import {
  type AcceptedDelivery,
  type QuarantineEntry,
  type Settlement,
  type Store,
  StoreUnavailableError,
} from '../ports/store.ts';

const RETRY_MS = 1_000;
/** Deliveries whose records a sick store could not take. Beyond, the oldest are given up and sent again. */
const MAX_PENDING = 20_000;
/** Deliveries that are written at once when it is well again: one transaction of the store. */
const FLUSH_BATCH = 500;

export interface LedgerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly observer: Observer;
  /** Told when the store is well again and has everything: what is due there may have changed. */
  readonly onRecovered: () => void;
}

export class Ledger {
  readonly #parts: LedgerParts;
  /** By delivery, in the order in which they have to be written. */
  readonly #pending = new Map<string, Settlement[]>();
  #trouble: string | undefined;
  #retryPlanned = false;
  #closed = false;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  /** What ails the store, from our own words; nothing if it is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Deliveries whose records wait for the store. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Whether the row of an accepted delivery was committed. Never rejects. */
  async insert(accepted: AcceptedDelivery): Promise<boolean> {
    try {
      await this.#parts.store.insert(accepted);
      return true;
    } catch (error) {
      this.#noteTrouble(error);
      return false;
    }
  }

  /** Records an attempt or an end; keeps it and tries again while the store cannot take it. Never rejects. */
  async settle(settlement: Settlement): Promise<void> {
    const earlier = this.#pending.get(settlement.deliveryId);
    if (earlier !== undefined) {
      earlier.push(settlement);
      return;
    }
    if (await this.#trySettle(settlement)) return;
    this.#pending.set(settlement.deliveryId, [settlement]);
    if (this.#pending.size > MAX_PENDING) {
      const oldest = this.#pending.keys().next();
      if (!oldest.done) this.#pending.delete(oldest.value);
    }
  }

  /** Whether a record of this delivery waits to be written: it must not be sent again before. */
  awaitsSettling(deliveryId: string): boolean {
    return this.#pending.has(deliveryId);
  }

  async quarantine(entry: QuarantineEntry): Promise<void> {
    await this.#attempt(() => this.#parts.store.quarantine(entry));
  }

  async recordReply(reply: {
    readonly deliveryId: string;
    readonly answeredAtMs: number;
  }): Promise<void> {
    await this.#attempt(() => this.#parts.store.recordReply(reply));
  }

  async pardon(tokenHashes: readonly string[]): Promise<void> {
    for (const tokenHash of tokenHashes) {
      await this.#attempt(() => this.#parts.store.releaseQuarantine(tokenHash));
    }
  }

  /** Writes what is still waiting, once. */
  async flush(): Promise<void> {
    const deliveryIds = [...this.#pending.keys()];
    for (let from = 0; from < deliveryIds.length; from += FLUSH_BATCH) {
      const batch = deliveryIds.slice(from, from + FLUSH_BATCH);
      const written = await Promise.all(batch.map((deliveryId) => this.#flushOne(deliveryId)));
      if (written.includes(false)) return;
    }
  }

  close(): void {
    this.#closed = true;
  }

  async #flushOne(deliveryId: string): Promise<boolean> {
    const settlements = this.#pending.get(deliveryId) ?? [];
    for (const settlement of [...settlements]) {
      if (!(await this.#trySettle(settlement))) return false;
      if (settlements[0] === settlement) settlements.shift();
    }
    if (settlements.length === 0) this.#pending.delete(deliveryId);
    return true;
  }

  async #trySettle(settlement: Settlement): Promise<boolean> {
    const { store, observer } = this.#parts;
    try {
      const held = await store.settle(settlement);
      if (!held) observer.observe({ name: 'lease_lost', deliveryId: settlement.deliveryId });
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
      this.#parts.observer.observe({ name: 'store_failed', reason: error.reason });
    }
    this.#planRetry();
  }

  #planRetry(): void {
    if (this.#retryPlanned || this.#closed) return;
    this.#retryPlanned = true;
    this.#parts.clock.after(RETRY_MS, () => {
      this.#retryPlanned = false;
      void this.#recover();
    });
  }

  async #recover(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#parts.store.probe();
      await this.flush();
      if (this.#pending.size > 0) return this.#planRetry();
      const reason = this.#trouble ?? 'unknown';
      this.#trouble = undefined;
      this.#parts.observer.observe({ name: 'store_recovered', reason });
      this.#parts.onRecovered();
    } catch (error) {
      this.#noteTrouble(error);
    }
  }
}
