// The core's access to the store. A failing database never stops a push, is reported by readiness, and gets the missing
// records as soon as it works again. A row that the database refuses ends only that delivery.

import type { Clock } from '../ports/clock.ts';
import type { Condemned } from '../ports/events.ts';
import type { Observer } from '../ports/observer.ts';
import type { Renewal } from '../ports/plans.ts';
import {
  type AcceptedDelivery,
  type Confirmation,
  type QuarantineEntry,
  type Settlement,
  type Store,
  StoreUnavailableError,
} from '../ports/store.ts';

const RETRY_MS = 1_000;
/**
 * Deliveries whose records a failing store could not take. Above this, the oldest records are dropped, and their
 * deliveries sent again.
 */
const MAX_PENDING = 20_000;
/** Deliveries that are written at once when the store works again: one transaction of the store. */
const FLUSH_BATCH = 500;

export interface LedgerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly observer: Observer;
  /** Called when the store works again and has all records: other deliveries may be due there now. */
  readonly onRecovered: () => void;
}

/** Whether the row of an accepted delivery is there; `refused` is a fault of ours, not of the disk. */
export type Inserted = 'stored' | 'unavailable' | 'refused';

/** The result of a write: done, to be tried again when the store works again, or refused for good. */
type Written<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'refused' };

type WriteEnd = Written<unknown>['kind'];
type Write = () => Promise<WriteEnd>;

export class Ledger {
  readonly #parts: LedgerParts;
  /** By delivery, in the order in which they have to be written. */
  readonly #pending = new Map<string, Write[]>();
  /** Quarantine entries that the store does not have yet; of those that it cannot take, the latest. */
  readonly #quarantining = new Map<QuarantineEntry, Condemned | undefined>();
  #trouble: StoreUnavailableError['reason'] | undefined;
  /** Deliveries without a row since the store failed. */
  #unlogged = 0;
  #retryPlanned = false;
  #closed = false;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
    parts.store.onTrouble((reason) => this.#noteTrouble(reason));
  }

  /** What is wrong with the store; undefined if it works. */
  get trouble(): StoreUnavailableError['reason'] | undefined {
    return this.#trouble;
  }

  /** Deliveries whose records wait for the store. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Whether the row of an accepted delivery was committed. Never rejects. */
  async insert(accepted: AcceptedDelivery): Promise<Inserted> {
    const { id } = accepted.delivery;
    const written = await this.#write('insert', () => this.#parts.store.insert(accepted), id);
    if (written.kind !== 'done') this.#unlogged += 1;
    return written.kind === 'done' ? 'stored' : written.kind;
  }

  /**
   * Records an attempt or an end; keeps it and tries again while the store cannot take it. False if the database
   * refused the record, which ended the delivery. `onLost` is called if another machine has it. Never rejects.
   */
  async settle(settlement: Settlement, onLost?: () => void): Promise<boolean> {
    const settle = () => this.#trySettle(settlement, onLost);
    return (await this.#inOrder(settlement.deliveryId, settle)) !== 'refused';
  }

  /** Whether a record of this delivery waits to be written: it must not be sent again before. */
  awaitsSettling(deliveryId: string): boolean {
    return this.#pending.has(deliveryId);
  }

  /**
   * Settles an open delivery as delivered; keeps that and tries again while the store cannot take it. False if the
   * delivery is known not to be open, or the database refused it. Never rejects.
   */
  async confirm(confirmation: Confirmation): Promise<boolean> {
    const { deliveryId } = confirmation;
    let isOpen = true;
    const confirm = async () => {
      const confirmOnce = () => this.#parts.store.confirm(confirmation);
      const written = await this.#write('confirm', confirmOnce, deliveryId);
      if (written.kind === 'done') isOpen = written.result;
      return written.kind;
    };
    return (await this.#inOrder(deliveryId, confirm)) !== 'refused' && isOpen;
  }

  /** The result of giving a repeated delivery a new lifetime: `closed` if the delivery is no longer open. */
  async renew(renewal: Renewal): Promise<'renewed' | 'closed' | 'unavailable'> {
    const { deliveryId } = renewal;
    const written = await this.#write('renew', () => this.#parts.store.renew(renewal), deliveryId);
    if (written.kind !== 'done') return 'unavailable';
    return written.result ? 'renewed' : 'closed';
  }

  async quarantine(entry: QuarantineEntry, about?: Condemned): Promise<void> {
    this.#quarantining.set(entry, about);
    await this.#writeQuarantine(entry, about);
    if (this.#quarantining.size <= FLUSH_BATCH) return;
    const oldest = this.#quarantining.keys().next();
    if (!oldest.done) this.#quarantining.delete(oldest.value);
  }

  /** Whether this process may know more about the token than the store does yet. */
  isQuarantining(entry: QuarantineEntry): boolean {
    return this.#quarantining.has(entry);
  }

  /** For records beside deliveries, which are lost while the store fails. Never rejects. */
  async beside<Result>(
    where: string,
    write: () => Promise<Result>,
    deliveryId?: string,
  ): Promise<Result | undefined> {
    const written = await this.#write(where, write, deliveryId);
    return written.kind === 'done' ? written.result : undefined;
  }

  async recordReply(reply: {
    readonly deliveryId: string;
    readonly answeredAtMs: number;
  }): Promise<void> {
    const record = () => this.#parts.store.recordReply(reply);
    await this.#write('record_reply', record, reply.deliveryId);
  }

  async pardon(tokenHashes: readonly string[]): Promise<void> {
    for (const entry of this.#quarantining.keys()) {
      if (tokenHashes.includes(entry.tokenHash)) this.#quarantining.delete(entry);
    }
    for (const tokenHash of tokenHashes) {
      await this.#write('pardon', () => this.#parts.store.releaseQuarantine(tokenHash));
    }
  }

  /** Tries once to write what is still waiting. */
  async flush(): Promise<void> {
    const deliveryIds = [...this.#pending.keys()];
    for (let from = 0; from < deliveryIds.length; from += FLUSH_BATCH) {
      const batch = deliveryIds.slice(from, from + FLUSH_BATCH);
      const written = await Promise.all(batch.map((deliveryId) => this.#flushOne(deliveryId)));
      if (written.includes(false)) return;
    }
    const missed = [...this.#quarantining];
    await Promise.all(missed.map(([entry, about]) => this.#writeQuarantine(entry, about)));
  }

  close(): void {
    this.#closed = true;
  }

  async #writeQuarantine(entry: QuarantineEntry, about: Condemned | undefined): Promise<void> {
    const write = () => this.#parts.store.quarantine(entry, about);
    const { kind } = await this.#write('quarantine', write);
    // If one process owns the store, memory comes before the store, and a restart costs one more push.
    const isKept = kind === 'unavailable' && this.#parts.store.claimKey !== undefined;
    if (!isKept) this.#quarantining.delete(entry);
  }

  /** Writes a record, or keeps it for later, behind the delivery's other waiting records. */
  async #inOrder(deliveryId: string, write: Write): Promise<WriteEnd> {
    const earlier = this.#pending.get(deliveryId);
    if (earlier !== undefined) {
      earlier.push(write);
      return 'unavailable';
    }
    const end = await write();
    if (end !== 'unavailable') return end;
    this.#pending.set(deliveryId, [write]);
    if (this.#pending.size > MAX_PENDING) {
      const oldest = this.#pending.keys().next();
      if (!oldest.done) this.#pending.delete(oldest.value);
    }
    return end;
  }

  async #flushOne(deliveryId: string): Promise<boolean> {
    const writes = this.#pending.get(deliveryId) ?? [];
    for (const write of [...writes]) {
      if ((await write()) === 'unavailable') return false;
      if (writes[0] === write) writes.shift();
    }
    if (writes.length === 0) this.#pending.delete(deliveryId);
    return true;
  }

  async #trySettle(settlement: Settlement, onLost?: () => void): Promise<WriteEnd> {
    const { store, observer } = this.#parts;
    const { deliveryId } = settlement;
    const written = await this.#write('settle', () => store.settle(settlement), deliveryId);
    if (written.kind === 'done' && !written.result) {
      observer.observe({ name: 'lease_lost', deliveryId });
      onLost?.();
      return await this.#confirmLost(settlement);
    }
    if (written.kind === 'refused') await this.#endRefused(settlement);
    return written.kind;
  }

  /** A push that arrived is not sent again, even if another machine has the lease now. */
  async #confirmLost({ deliveryId, attempt, next, nowMs, wallMs }: Settlement): Promise<WriteEnd> {
    if (next.status !== 'delivered' || attempt === undefined) return 'done';
    const confirmation = { deliveryId, attempts: [attempt], reason: next.reason, nowMs, wallMs };
    const confirm = () => this.#parts.store.confirm(confirmation);
    return (await this.#write('confirm', confirm, deliveryId)).kind;
  }

  /** The database refuses the record of this attempt: the delivery ends without it. */
  async #endRefused({ deliveryId, owner, nowMs, wallMs, next }: Settlement): Promise<void> {
    const status = next.status === 'queued' ? 'expired' : next.status;
    const bare: Settlement = {
      deliveryId,
      owner,
      nowMs,
      wallMs,
      next: { status, reason: 'internal_error' },
    };
    await this.#write('settle', () => this.#parts.store.settle(bare), deliveryId);
  }

  async #write<Result>(
    where: string,
    write: () => Promise<Result>,
    deliveryId?: string,
  ): Promise<Written<Result>> {
    try {
      return { kind: 'done', result: await write() };
    } catch (error) {
      if (error instanceof StoreUnavailableError) {
        this.#noteTrouble(error.reason);
        return { kind: 'unavailable' };
      }
      this.#parts.observer.observe({
        name: 'internal_fault',
        where: `store.${where}`,
        cause: error,
        deliveryId,
      });
      return { kind: 'refused' };
    }
  }

  #noteTrouble(reason: StoreUnavailableError['reason']): void {
    if (reason === 'closed' || this.#closed) return;
    if (this.#trouble !== reason) {
      this.#trouble = reason;
      this.#parts.observer.observe({ name: 'store_failed', reason });
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
    const probed = await this.#write('probe', () => this.#parts.store.probe());
    if (probed.kind !== 'done') return this.#planRetry();
    await this.flush();
    if (this.#pending.size > 0) return this.#planRetry();
    const reason = this.#trouble ?? 'unknown';
    const unlogged = this.#unlogged;
    this.#trouble = undefined;
    this.#unlogged = 0;
    this.#parts.observer.observe({ name: 'store_recovered', reason, unlogged });
    this.#parts.onRecovered();
  }
}
