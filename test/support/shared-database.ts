// The database that several machines share, in memory and with its own clock: what each statement of
// src/stores/postgres does to rows, keys, quarantines and machines. A statement takes no time.

import type { Claim, ClaimResult } from '../../src/core/ports/plans.ts';
import type {
  KeyClaim,
  KeyedDelivery,
  QuarantineEntry,
  Settlement,
} from '../../src/core/ports/store.ts';
import type { Beat } from '../../src/stores/postgres/machines/liveness.ts';
import { FREE_ROWS, type NodeTable } from '../../src/stores/postgres/machines/node-table.ts';
import { dateBack, giveUp } from './memory-row-changes.ts';
import { type Row, usefulUntil } from './memory-rows.ts';
import { MemoryStore } from './memory-store.ts';

/** A time of receipt that is ahead by less comes from a machine whose clock differs. */
const AHEAD_MS = 60_000;

interface Node {
  readonly url: string | null;
  readonly beat: number;
  readonly epoch: number;
}

export class SharedDatabase extends MemoryStore {
  readonly nodes = new Map<string, Node>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    super();
    this.#nowMs = nowMs;
  }

  async claimKey(keyed: KeyedDelivery, nowMs: number): Promise<KeyClaim> {
    const { delivery, duplicateKey } = keyed;
    const found = this.quarantined.get(delivery.tokenHash);
    const entry = found !== undefined && found.untilMs > nowMs ? found : undefined;
    const holder = this.holderOf(duplicateKey.keyHash, nowMs);
    if (holder !== undefined && holder !== delivery.id) return { kind: 'held', deliveryId: holder };
    const usefulUntilMs = usefulUntil({ delivery });
    const isBarred = entry?.kind !== 'throttled' || entry.untilMs > usefulUntilMs;
    if (entry !== undefined && isBarred) return { kind: 'quarantined', entry };
    if (!this.rows.has(delivery.id)) await this.insert(keyed);
    return { kind: 'taken', hold: entry };
  }

  /** A hold neither ends a refusal nor shortens another hold. */
  override async quarantine(entry: QuarantineEntry): Promise<void> {
    const known = this.quarantined.get(entry.tokenHash);
    const isOver = known === undefined || known.untilMs <= entry.sinceMs;
    const isLonger = known?.kind === 'throttled' && known.untilMs < entry.untilMs;
    if (entry.kind !== 'throttled' || isOver || isLonger) await super.quarantine(entry);
  }

  /** A settlement that is sent again because its answer was lost counts as accepted. */
  override async settle(settlement: Settlement): Promise<boolean> {
    return (await super.settle(settlement)) || this.#isWritten(settlement);
  }

  /** A machine that others declared dead claims nothing. */
  async claimAs(
    { id, epoch }: { readonly id: string; readonly epoch: number },
    claim: Claim,
  ): Promise<ClaimResult> {
    const isFenced = claim.owner === id && this.nodes.get(id)?.epoch !== epoch;
    return await this.claimDue(isFenced ? { ...claim, limit: 0 } : claim);
  }

  override async recover({ nowMs }: { readonly nowMs: number }): Promise<number> {
    for (const row of this.queue) {
      const { receivedAtMs, expiresAtMs, notification } = row.delivery;
      if (receivedAtMs > nowMs + AHEAD_MS) row.delivery = { ...row.delivery, receivedAtMs: nowMs };
      if (expiresAtMs - notification.lifetimeMs > nowMs + AHEAD_MS) dateBack(row, nowMs);
      if (row.owner !== undefined && !this.nodes.has(row.owner)) giveUp(row, nowMs);
    }
    return this.queue.size;
  }

  /** What machines do to each other's rows. */
  readonly table: NodeTable = {
    register: async (id, url) => {
      const before = this.nodes.get(id);
      const node = before ?? { url, beat: -1, epoch: 0 };
      const epoch = node.epoch + 1;
      this.nodes.set(id, { ...node, beat: node.beat + 1, epoch });
      return epoch;
    },
    beat: async (id, epoch) => {
      const own = this.nodes.get(id);
      // As in one statement, the reads see the state before the writes.
      const beats = [...this.nodes].map(([name, node]): Beat => ({ id: name, ...node }));
      const isMine = own?.epoch === epoch;
      if (own !== undefined && isMine) this.nodes.set(id, { ...own, beat: own.beat + 1 });
      const databaseMs = beats.length === 0 ? undefined : this.#nowMs();
      return { beats, isMine, databaseMs, commitsAreSafe: true };
    },
    announce: async (id, url) => {
      const node = this.nodes.get(id);
      if (node !== undefined) this.nodes.set(id, { ...node, url });
    },
    find: async (id) => {
      const node = this.nodes.get(id);
      return node && { url: node.url ?? undefined, epoch: node.epoch };
    },
    leave: async (id) => {
      if (this.#leased(id).length === 0) this.nodes.delete(id);
    },
    declareDead: async ({ id, beat, epoch }) => {
      const node = this.nodes.get(id);
      if (node?.beat !== beat || node.epoch !== epoch) return false;
      this.nodes.set(id, { ...node, epoch: epoch + 1 });
      return true;
    },
    free: async (id) => {
      const rows = this.#leased(id).slice(0, FREE_ROWS);
      const nowMs = this.#nowMs();
      for (const row of rows) giveUp(row, Math.min(row.dueAtMs, nowMs));
      return rows.length;
    },
    forget: async (id, epoch) => {
      const isIdle = this.#leased(id).length === 0;
      if (isIdle && this.nodes.get(id)?.epoch === epoch) this.nodes.delete(id);
    },
  };

  #leased(owner: string): readonly Row[] {
    return [...this.queue].filter((row) => row.owner === owner);
  }

  #isWritten({ deliveryId, attempt, next, wallMs, nowMs }: Settlement): boolean {
    const row = this.rows.get(deliveryId);
    const recorded = row?.attempts.get(attempt?.number ?? 0);
    if (row === undefined || attempt === undefined || recorded === undefined) return false;
    const { startedAtMs, latencyMs } = recorded;
    if (startedAtMs !== attempt.startedAtMs || latencyMs !== attempt.latencyMs) return false;
    if (next.status !== 'queued') return row.status === next.status && row.settledAtMs === wallMs;
    return row.owner === undefined && row.dueAtMs === next.dueAtMs && row.triedAtMs === nowMs;
  }
}
