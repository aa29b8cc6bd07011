// Refused calls on their way into the log. Repeats within a minute only raise a count, and everything that a caller can
// invent is bounded, so that a flood neither fills the disk nor displaces the refusal that an operator looks for.
//
//   known caller (device, handle, domain, proven token) ── 20 kinds at once, one more a second each
//   strangers ── 20 new kinds a second in all              beyond: one row a minute for each door and code that counts

import type { Clock, Timer } from '../ports/clock.ts';
import type { Observer } from '../ports/observer.ts';
import {
  type CountedRepeats,
  REPEATED,
  type Records,
  type Refusal,
  type SharedBound,
} from '../ports/records.ts';
import { StoreUnavailableError } from '../ports/store.ts';
import { Buckets } from '../tokens/limits.ts';

/** Operators ask about recent refusals only, and there may be many. */
export const REFUSALS_KEPT_MS = 7 * 86_400_000;

/** How long a repeated refusal only raises a count. */
const SAME_MS = 60_000;
const FLUSH_MS = 1_000;
/** Different refusals within a minute; beyond this, they are counted by door and code. */
const MAX_KINDS = 10_000;
/** Rows of one transaction and of one flush; the rest waits a second. */
const WRITE_ROWS = 200;
const FLUSH_ROWS = 2_000;
const STRANGERS = { burst: 20, perSecond: 20 };
const ONE_CALLER = { burst: 20, perSecond: 1 };
const MAX_CALLERS = 10_000;
/** The bounds of the log: after this many new rows, those beyond the bound are deleted. */
const BOUNDS = {
  kind: { rows: 20_000, after: 2_000 },
  strangers: { rows: 10_000, after: 1_000 },
} as const;
const TRIM_ROWS = 500;

/** One refused call, before it is counted with others. */
export type RefusedCall = Omit<Refusal, 'atMs' | 'lastAtMs' | 'count'>;

export interface RefusalsParts {
  readonly clock: Clock;
  readonly records: Records;
  readonly observer: Observer;
  /** True while the database is known to fail: nothing is kept for it. */
  readonly isStoreSick: () => boolean;
}

/** The refusals of one kind within a minute. */
interface Kind {
  readonly call: RefusedCall;
  readonly atMs: number;
  /** Service time. */
  readonly untilMs: number;
  lastAtMs: number;
  count: number;
  /** How many of them are in the log. */
  written: number;
  rowId?: number | undefined;
}

export class Refusals {
  readonly #parts: RefusalsParts;
  /** The oldest first. */
  readonly #kinds = new Map<string, Kind>();
  readonly #changed = new Set<Kind>();
  /** By delivery, the repeats that its row does not count yet. */
  readonly #repeats = new Map<string, CountedRepeats>();
  readonly #strangers: Buckets;
  readonly #callers: Buckets;
  /** Rows since the log was last trimmed, by bound; absent before the first. */
  readonly #sinceTrim = new Map<string, number>();
  #timer: Timer | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #dropped = 0;

  constructor(parts: RefusalsParts) {
    this.#parts = parts;
    this.#strangers = new Buckets(parts.clock, STRANGERS, 1);
    this.#callers = new Buckets(parts.clock, ONE_CALLER, MAX_CALLERS);
  }

  /** Different refusals that are kept in memory. */
  get size(): number {
    return this.#kinds.size;
  }

  /** Calls that were lost because the store failed, since the last call of this method. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Never waits and never throws. */
  note(call: RefusedCall): void {
    const { clock, isStoreSick } = this.#parts;
    if (isStoreSick()) {
      this.#dropped += 1;
      return;
    }
    this.#forgetOld();
    const key = keyOf(call);
    const kind = this.#kinds.get(key) ?? this.#add(key, call);
    kind.count += 1;
    kind.lastAtMs = clock.wallMs();
    this.#changed.add(kind);
    if (call.code === REPEATED) this.#countRepeat(call, kind.lastAtMs);
    this.#plan();
  }

  /** Resolves when what was noted so far is in the log, or lost. Never rejects. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write());
    return this.#flushing;
  }

  close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    return this.flush();
  }

  #plan(): void {
    this.#timer ??= this.#parts.clock.after(FLUSH_MS, () => {
      this.#timer = undefined;
      void this.flush();
    });
  }

  #add(key: string, call: RefusedCall): Kind {
    const isFull = this.#kinds.size >= MAX_KINDS;
    if (!isFull && this.#mayAdd(call)) return this.#open(key, call);
    const unnamed = withoutName(call, isFull);
    const itsKey = keyOf(unnamed);
    return this.#kinds.get(itsKey) ?? this.#open(itsKey, unnamed);
  }

  #open(key: string, call: RefusedCall): Kind {
    const { clock } = this.#parts;
    const atMs = clock.wallMs();
    const untilMs = clock.nowMs() + SAME_MS;
    const kind: Kind = { call, atMs, untilMs, lastAtMs: atMs, count: 0, written: 0 };
    this.#kinds.set(key, kind);
    return kind;
  }

  #mayAdd(call: RefusedCall): boolean {
    if (!call.isKnown) return this.#strangers.take('all') === 0;
    // A domain has neither a device nor a token.
    const caller = call.deviceId ?? call.tokenHash ?? `${call.door}\n${call.app}`;
    return this.#callers.take(caller) === 0;
  }

  #countRepeat({ deliveryId }: RefusedCall, lastAtMs: number): void {
    if (deliveryId === undefined) return;
    const earlier = this.#repeats.get(deliveryId)?.calls ?? 0;
    if (earlier === 0 && this.#repeats.size >= MAX_KINDS) return;
    this.#repeats.set(deliveryId, { deliveryId, calls: earlier + 1, lastAtMs });
  }

  #forgetOld(): void {
    const nowMs = this.#parts.clock.nowMs();
    for (const [key, kind] of this.#kinds) {
      if (kind.untilMs > nowMs) return;
      this.#kinds.delete(key);
    }
  }

  async #write(): Promise<void> {
    for (let rows = 0; rows < FLUSH_ROWS && this.#isDue; rows += WRITE_ROWS) {
      const kinds = [...this.#changed].slice(0, WRITE_ROWS);
      const repeats = [...this.#repeats.values()].slice(0, WRITE_ROWS);
      for (const kind of kinds) this.#changed.delete(kind);
      for (const { deliveryId } of repeats) this.#repeats.delete(deliveryId);
      try {
        await this.#writeSome(kinds, repeats);
      } catch (cause) {
        this.#lose(kinds, cause);
      }
    }
    if (this.#isDue) this.#plan();
  }

  get #isDue(): boolean {
    return this.#changed.size > 0 || this.#repeats.size > 0;
  }

  async #writeSome(kinds: readonly Kind[], repeats: readonly CountedRepeats[]): Promise<void> {
    const added = kinds.filter(({ rowId }) => rowId === undefined);
    const counted = kinds.flatMap(({ rowId, count, lastAtMs }) =>
      rowId === undefined ? [] : [{ rowId, count, lastAtMs }],
    );
    const counts = kinds.map(({ count }) => count);
    const write = { added: added.map(toRefusal), counted, repeats };
    const rowIds = await this.#parts.records.writeRefusals(write);
    for (const [index, kind] of added.entries()) kind.rowId = rowIds[index];
    for (const [index, kind] of kinds.entries()) kind.written = counts[index] ?? 0;
    for (const { call } of added) await this.#trimIfDue(call);
  }

  /**
   * Either the store fails, which is reported by the writers of deliveries, or a row is wrong, which is a fault of
   * ours.
   */
  #lose(kinds: readonly Kind[], cause: unknown): void {
    for (const kind of kinds) {
      this.#dropped += kind.count - kind.written;
      this.#kinds.delete(keyOf(kind.call));
    }
    if (cause instanceof StoreUnavailableError) return;
    const fault = { name: 'internal_fault', where: 'store.write_refusals', cause } as const;
    this.#parts.observer.observe(fault);
  }

  async #trimIfDue({ door, code, isKnown }: RefusedCall): Promise<void> {
    await this.#trim({ door, code }, BOUNDS.kind);
    if (!isKnown) await this.#trim('strangers', BOUNDS.strangers);
  }

  /** Also trims at the first row of this process, because it is not known how many rows an earlier process left. */
  async #trim(
    of: SharedBound,
    { rows, after }: { readonly rows: number; readonly after: number },
  ): Promise<void> {
    const key = of === 'strangers' ? of : `${of.door}\n${of.code}`;
    const since = (this.#sinceTrim.get(key) ?? after) + 1;
    this.#sinceTrim.set(key, since);
    if (since < after) return;
    this.#sinceTrim.set(key, 0);
    const options = { of, keep: rows - after, limit: TRIM_ROWS };
    let gone = TRIM_ROWS;
    while (gone === TRIM_ROWS) gone = await this.#parts.records.trimRefusals(options);
  }
}

function toRefusal({ call, atMs, lastAtMs, count }: Kind): Refusal {
  return { ...call, atMs, lastAtMs, count };
}

/** What makes two refusals the same: everything except the request id. No part contains a line break. */
function keyOf(call: RefusedCall): string {
  const { door, source, app, code, status, limit, fields, isKnown } = call;
  const kind = [door, source, app, code, status, limit, fields, isKnown];
  const { tokenHash, handleHash, subjectHash, deviceId, nodeId, addressHash, deliveryId } = call;
  return [
    ...kind,
    tokenHash,
    handleHash,
    subjectHash,
    deviceId,
    nodeId,
    addressHash,
    deliveryId,
  ].join('\n');
}

/** Beyond the bounds only door and code are kept, and the caller if it is known and there is room. */
function withoutName(call: RefusedCall, isFull: boolean): RefusedCall {
  const { door, code, status, isKnown } = call;
  if (!isKnown || isFull) return { door, code, status, isKnown };
  const { source, app, deviceId, tokenHash } = call;
  return { door, code, status, isKnown, source, app, deviceId, tokenHash };
}
