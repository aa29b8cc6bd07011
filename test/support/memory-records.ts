// The Records port in memory, together with a store in memory. It passes the same contract suite as SQLite.

import type {
  CountedRefusal,
  Gap,
  Outage,
  Records,
  Refusal,
  RefusalsWrite,
  SharedBound,
  Told,
} from '../../src/core/ports/records.ts';
import { StoreUnavailableError } from '../../src/core/ports/store.ts';
import type { MemoryStore } from './memory-store.ts';

export class MemoryRecords implements Records {
  readonly #store: MemoryStore | undefined;
  readonly refusals = new Map<number, Refusal>();
  readonly outages: Outage[] = [];
  readonly gaps: Gap[] = [];
  /** While set, every operation rejects with it. */
  trouble: StoreUnavailableError['reason'] | undefined;
  /** How often refusals were written. */
  writes = 0;
  #rowId = 0;

  constructor(store?: MemoryStore) {
    this.#store = store;
  }

  tell(told: Told): void {
    const row = this.#store?.rows.get(told.deliveryId);
    if (row !== undefined && this.trouble === undefined) row.told ??= told;
  }

  async writeRefusals({ added, counted, repeats }: RefusalsWrite): Promise<readonly number[]> {
    this.#enter();
    this.writes += 1;
    for (const one of counted) this.#count(one);
    for (const { deliveryId, calls, lastAtMs } of repeats) {
      const row = this.#store?.rows.get(deliveryId);
      if (row === undefined) continue;
      row.repeats += calls;
      row.repeatedAtMs = lastAtMs;
    }
    return added.map((refusal) => {
      this.#rowId += 1;
      this.refusals.set(this.#rowId, refusal);
      return this.#rowId;
    });
  }

  async trimRefusals(options: {
    readonly of: SharedBound;
    readonly keep: number;
    readonly limit: number;
  }): Promise<number> {
    this.#enter();
    const { of, keep, limit } = options;
    const sharing = [...this.refusals]
      .filter(([, { door, code, isKnown }]) =>
        of === 'strangers' ? !isKnown : door === of.door && code === of.code,
      )
      .toSorted(([oneId, one], [otherId, other]) => other.atMs - one.atMs || otherId - oneId);
    const gone = sharing.slice(keep, keep + limit);
    for (const [rowId] of gone) this.refusals.delete(rowId);
    return gone.length;
  }

  async recordOutage(outage: Outage): Promise<void> {
    this.#enter();
    const index = this.outages.findIndex(
      ({ app, provider, beganAtMs }) =>
        app === outage.app && provider === outage.provider && beganAtMs === outage.beganAtMs,
    );
    if (index < 0) this.outages.push(outage);
    else this.outages[index] = outage;
  }

  async recordGap(gap: Gap): Promise<void> {
    this.#enter();
    this.gaps.push(gap);
  }

  async begin({ wallMs }: { readonly wallMs: number }): Promise<void> {
    this.#enter();
    const index = this.gaps.findIndex(({ endedAtMs }) => endedAtMs === undefined);
    const open = this.gaps[index];
    const lastRow = [...(this.#store?.rows.values() ?? [])].at(-1)?.delivery.receivedAtMs;
    const isNew = this.gaps.length === 0 && lastRow === undefined;
    const beganAtMs = Math.min(wallMs, isNew ? 0 : (open?.beganAtMs ?? lastRow ?? 0));
    for (const [place, outage] of this.outages.entries()) {
      const endedAtMs = outage.endedAtMs ?? Math.max(outage.beganAtMs, beganAtMs);
      this.outages[place] = { ...outage, endedAtMs };
    }
    if (open === undefined) {
      this.gaps.push({ kind: 'stopped', beganAtMs, endedAtMs: wallMs, unlogged: 0 });
    } else this.gaps[index] = { ...open, endedAtMs: Math.max(open.beganAtMs, wallMs) };
  }

  async end({ wallMs }: { readonly wallMs: number }): Promise<void> {
    this.#enter();
    if (this.gaps.some(({ endedAtMs }) => endedAtMs === undefined)) return;
    this.gaps.push({ kind: 'stopped', beganAtMs: wallMs, unlogged: 0 });
  }

  async prune(options: {
    readonly refusedBeforeMs: number;
    readonly endedBeforeMs: number;
    readonly limit: number;
  }): Promise<number> {
    this.#enter();
    const { refusedBeforeMs, endedBeforeMs, limit } = options;
    const old = [...this.refusals]
      .slice(0, limit)
      .filter(([, { atMs }]) => atMs < refusedBeforeMs)
      .map(([rowId]) => rowId);
    for (const rowId of old) this.refusals.delete(rowId);
    const left = limit - old.length;
    const outages = removeEnded(this.outages, { endedBeforeMs, limit: left });
    const gaps = removeEnded(this.gaps, { endedBeforeMs, limit: left - outages });
    return old.length + outages + gaps;
  }

  #count({ rowId, count, lastAtMs }: CountedRefusal): void {
    const refusal = this.refusals.get(rowId);
    if (refusal !== undefined) this.refusals.set(rowId, { ...refusal, count, lastAtMs });
  }

  #enter(): void {
    if (this.trouble !== undefined) throw new StoreUnavailableError(this.trouble);
  }
}

function removeEnded<Row extends { readonly endedAtMs?: number | undefined }>(
  rows: Row[],
  { endedBeforeMs, limit }: { readonly endedBeforeMs: number; readonly limit: number },
): number {
  const isOld = ({ endedAtMs }: Row) => endedAtMs !== undefined && endedAtMs < endedBeforeMs;
  const gone = rows.slice(0, limit).filter(isOld);
  for (const row of gone) rows.splice(rows.indexOf(row), 1);
  return gone.length;
}
