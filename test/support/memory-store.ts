// The Store port in memory, for tests of the core in virtual time. It passes the same contract suite as SQLite
// (memory-store.test.ts), so that results of the core's tests hold for SQLite, too.

import type { Next } from '../../src/core/delivery.ts';
import type { Claim, ClaimResult, HastenOptions, Renewal } from '../../src/core/ports/plans.ts';
import {
  type AcceptedDelivery,
  type Confirmation,
  type DeliveryQuery,
  type LoggedDelivery,
  type QuarantineEntry,
  type QueueState,
  type Settlement,
  type Store,
  StoreUnavailableError,
} from '../../src/core/ports/store.ts';
import { dateBack, end, giveUp, record, requeue, rowOf } from './memory-row-changes.ts';
import { choose, hasten, isFree, least, type Row, search, usefulUntil } from './memory-rows.ts';

export interface Key {
  readonly deliveryId: string;
  readonly expiresAtMs: number;
}

export class MemoryStore implements Store {
  readonly rows = new Map<string, Row>();
  /** The rows that are queued. */
  readonly queue = new Set<Row>();
  readonly keys = new Map<string, Key>();
  readonly quarantined = new Map<string, QuarantineEntry>();
  readonly #listeners: ((reason: StoreUnavailableError['reason']) => void)[] = [];
  /** While set, every operation rejects with it. */
  trouble: StoreUnavailableError['reason'] | undefined;
  /** Thrown by the next operation of this name: a bug, not a failing disk. */
  readonly faults = new Map<string, Error>();
  #closed = false;

  async insert(accepted: AcceptedDelivery): Promise<void> {
    this.#enter('insert');
    const { delivery, duplicateKey } = accepted;
    const row = rowOf(accepted);
    this.rows.set(delivery.id, row);
    this.queue.add(row);
    if (duplicateKey === undefined) return;
    const { keyHash, expiresAtMs } = duplicateKey;
    this.keys.set(keyHash, { deliveryId: delivery.id, expiresAtMs });
  }

  async settle(settlement: Settlement): Promise<boolean> {
    this.#enter('settle');
    const row = this.#open(settlement.deliveryId);
    if (row === undefined || row.owner !== settlement.owner) return false;
    const { attempt, nowMs } = settlement;
    if (attempt !== undefined) record(row, attempt, nowMs);
    const { next } = settlement;
    if (
      next.status === 'expired' &&
      row.delivery.expiresAtMs > (settlement.expiresAtMs ?? Infinity) + 1_000
    ) {
      requeue(row, { dueAtMs: nowMs, notBeforeMs: nowMs + 10_000 }, undefined);
      return false;
    }
    if (next.status !== 'queued') this.#end(row, next, settlement);
    else requeue(row, next, settlement.keepLeaseUntilMs);
    return true;
  }

  async confirm({ deliveryId, attempts, reason, wallMs }: Confirmation): Promise<boolean> {
    this.#enter('confirm');
    const row = this.#open(deliveryId);
    if (row === undefined) return false;
    for (const attempt of attempts) row.attempts.set(attempt.number, attempt);
    this.#end(row, { status: 'delivered', ...(reason && { reason }) }, { wallMs });
    return true;
  }

  async renew({ deliveryId, expiresAtMs, dueAtMs, wallMs }: Renewal): Promise<boolean> {
    this.#enter('renew');
    const row = this.#open(deliveryId);
    if (row === undefined) return false;
    row.delivery = { ...row.delivery, expiresAtMs };
    row.renewedAtMs = wallMs;
    row.dueAtMs = Math.min(row.dueAtMs, dueAtMs);
    return true;
  }

  async claimDue(claim: Claim): Promise<ClaimResult> {
    this.#enter('claimDue');
    const { nowMs } = claim;
    const chosen = choose(this.#queued(claim), claim).slice(0, claim.limit);
    for (const row of chosen) {
      row.owner = claim.owner;
      row.leaseUntilMs = claim.leaseUntilMs;
      if (claim.select.kind === 'probe') row.triedAtMs = nowMs;
    }
    const left = this.#queued(claim).filter((row) => !chosen.includes(row));
    const free = left.filter((row) => isFree(row, nowMs));
    const due = left.map((row) =>
      isFree(row, nowMs) ? Math.max(row.dueAtMs, row.notBeforeMs) : row.leaseUntilMs,
    );
    return {
      deliveries: chosen.map(({ delivery }) => delivery),
      nextDueAtMs: least(due),
      nextUsefulUntilMs: least(free.map(usefulUntil)),
    };
  }

  mayRetry(): boolean {
    return true;
  }

  async releaseLeases(owner: string): Promise<void> {
    this.#enter('releaseLeases');
    for (const row of this.queue) {
      if (row.owner === owner) giveUp(row, 0);
    }
  }

  async recover({ nowMs }: { readonly nowMs: number }): Promise<number> {
    this.#enter('recover');
    const open = [...this.queue];
    for (const row of open) {
      dateBack(row, nowMs);
      if (row.owner !== undefined) giveUp(row, 0);
    }
    return open.length;
  }

  async hasten(options: HastenOptions): Promise<number> {
    this.#enter('hasten');
    return hasten(this.#queued(options), options);
  }

  async expireOverdue(options: {
    readonly nowMs: number;
    readonly wallMs: number;
    readonly limit: number;
  }): Promise<readonly string[]> {
    this.#enter('expireOverdue');
    const { nowMs, limit } = options;
    const overdue = [...this.queue]
      .filter((row) => isFree(row, nowMs))
      .filter((row) => row.delivery.expiresAtMs < nowMs)
      .toSorted((one, other) => one.delivery.expiresAtMs - other.delivery.expiresAtMs)
      .slice(0, limit);
    for (const row of overdue) {
      const keepKey = row.delivery.interrupted;
      const reason = keepKey ? { reason: 'interrupted' } : {};
      this.#end(row, { status: 'expired', ...reason }, { wallMs: options.wallMs, keepKey });
    }
    return overdue.map(({ delivery }) => delivery.id);
  }

  async findDuplicate(options: { readonly keyHash: string; readonly nowMs: number }) {
    this.#enter('findDuplicate');
    return this.holderOf(options.keyHash, options.nowMs);
  }

  holderOf(keyHash: string, nowMs: number): string | undefined {
    const key = this.keys.get(keyHash);
    if (key === undefined) return undefined;
    const isHeld = key.expiresAtMs > nowMs || this.#open(key.deliveryId) !== undefined;
    return isHeld ? key.deliveryId : undefined;
  }

  async queueState({ nowMs }: { readonly nowMs: number }): Promise<QueueState> {
    this.#enter('queueState');
    const open = [...this.queue];
    const ready = least(
      open.map((row) => Math.max(row.dueAtMs, row.notBeforeMs, row.leaseUntilMs)),
    );
    return {
      deliveries: open.length,
      oldestDueForMs: ready === undefined ? 0 : Math.max(0, nowMs - ready),
    };
  }

  async quarantine(entry: QuarantineEntry): Promise<void> {
    this.#enter('quarantine');
    this.quarantined.set(entry.tokenHash, entry);
  }

  async releaseQuarantine(tokenHash: string): Promise<boolean> {
    this.#enter('releaseQuarantine');
    return this.quarantined.delete(tokenHash);
  }

  async listQuarantine({ wallMs, limit }: { readonly wallMs: number; readonly limit: number }) {
    this.#enter('listQuarantine');
    const entries = [...this.quarantined.values()].filter(({ untilMs }) => untilMs > wallMs);
    return entries.toSorted((one, other) => other.sinceMs - one.sinceMs).slice(0, limit);
  }

  async listProvenTokens(limit: number): Promise<readonly string[]> {
    this.#enter('listProvenTokens');
    const delivered = [...this.rows.values()].filter(({ status }) => status === 'delivered');
    const hashes = delivered.toReversed().map(({ delivery }) => delivery.tokenHash);
    return [...new Set(hashes)].slice(0, limit);
  }

  async findDeliveries(query: DeliveryQuery): Promise<readonly LoggedDelivery[]> {
    this.#enter('findDeliveries');
    return search([...this.rows.values()], query);
  }

  async prune(options: {
    readonly beforeMs: number;
    readonly nowMs: number;
    readonly wallMs: number;
    readonly limit: number;
  }) {
    this.#enter('prune');
    const old = [...this.rows.values()]
      .filter(({ status, delivery }) => {
        return status !== 'queued' && delivery.receivedAtMs < options.beforeMs;
      })
      .slice(0, options.limit);
    for (const { delivery } of old) this.rows.delete(delivery.id);
    const keys = [...this.keys].filter(
      ([, key]) => key.expiresAtMs <= options.nowMs && this.#open(key.deliveryId) === undefined,
    );
    for (const [keyHash] of keys) this.keys.delete(keyHash);
    const ended = [...this.quarantined.values()].filter((one) => one.untilMs <= options.wallMs);
    for (const { tokenHash } of ended) this.quarantined.delete(tokenHash);
    return old.length + keys.length + ended.length;
  }

  async probe(): Promise<void> {
    this.#enter('probe');
  }

  onTrouble(listener: (reason: StoreUnavailableError['reason']) => void): void {
    this.#listeners.push(listener);
  }

  async recordReply(reply: { readonly deliveryId: string; readonly answeredAtMs: number }) {
    this.#enter('recordReply');
    const row = this.rows.get(reply.deliveryId);
    if (row !== undefined) row.answeredAtMs = reply.answeredAtMs;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #enter(operation: string): void {
    const fault = this.faults.get(operation);
    if (fault !== undefined) {
      this.faults.delete(operation);
      throw fault;
    }
    const trouble = this.#closed ? 'closed' : this.trouble;
    if (trouble === undefined) return;
    for (const listener of this.#listeners) listener(trouble);
    throw new StoreUnavailableError(trouble);
  }

  #open(deliveryId: string): Row | undefined {
    const row = this.rows.get(deliveryId);
    return row?.status === 'queued' ? row : undefined;
  }

  #queued({ app, provider }: { readonly app: string; readonly provider: string }): Row[] {
    return [...this.queue].filter(
      ({ delivery }) => delivery.target.app === app && delivery.provider === provider,
    );
  }

  #end(
    row: Row,
    next: Exclude<Next, { status: 'queued' }>,
    { wallMs, keepKey = false }: { readonly wallMs: number; readonly keepKey?: boolean },
  ): void {
    end(row, next, wallMs);
    this.queue.delete(row);
    if (next.status === 'delivered' || keepKey || row.keyHash === undefined) return;
    if (this.keys.get(row.keyHash)?.deliveryId === row.delivery.id) this.keys.delete(row.keyHash);
  }
}
