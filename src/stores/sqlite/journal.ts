// Where an accepted delivery lies until its first end. Most end within the round trip of a push, and then a row in
// the log is all that is left of them. So a batch is accepted as one sealed entry, and whatever ends undelivered
// or is asked for meanwhile moves into the queue's tables (`delivery-operations.ts`).
//
// The writer knows by heart what the entries hold. What a rolled back transaction did to that memory is not
// worth finding out: it is forgotten, and the entries are read again. Those that cannot be read stay where they are.

import type Database from 'better-sqlite3';
import type { AcceptedDelivery } from '../../core/ports/store.ts';
import { type RowKeys, rowKeysOf } from './codec.ts';
import { type PackedAcceptance, unpackAcceptance } from './packed.ts';
import type { Sealer } from './seal.ts';

/** An entry goes with the last of its deliveries: until then their sealed contents stay. */
const MAX_ENTRY_DELIVERIES = 100;
/** What its entries are bound to. */
export const JOURNAL_CONTEXT = 'journal';

interface Entry {
  readonly entryId: number;
  left: number;
}

export interface Held {
  readonly accepted: AcceptedDelivery;
  readonly keys: RowKeys;
  /** Absent in the transaction that accepted it. */
  entry: Entry | undefined;
}

export class Journal {
  readonly #held = new Map<string, Held>();
  /** What the next entry is made of, unless it is taken before. */
  #added: PackedAcceptance[] = [];
  #isForgotten = false;
  readonly #sealer: Sealer;
  readonly #insert: Database.Statement<[Buffer]>;
  readonly #delete: Database.Statement<[number]>;
  readonly #readAll: () => readonly JournalEntry[];

  /** `earlier`: of keys that were replaced, in case an entry was written while they were. */
  constructor(db: Database.Database, sealer: Sealer, earlier: readonly Sealer[] = []) {
    this.#sealer = sealer;
    this.#insert = db.prepare('INSERT INTO journal (sealed) VALUES (?)');
    this.#delete = db.prepare('DELETE FROM journal WHERE entry_id = ?');
    this.#readAll = prepareJournalReading(db, [sealer, ...earlier]);
  }

  /** Whether the table may hold what the memory does not, or the other way round: it has to be read again. */
  get isForgotten(): boolean {
    return this.#isForgotten;
  }

  /** After a transaction that was rolled back, and where an earlier connection of this process may have written. */
  forget(): void {
    this.#held.clear();
    this.#added = [];
    this.#isForgotten = true;
  }

  /**
   * Takes into memory what the table holds, but for what `isWritten` elsewhere already. Takes no space, so that a
   * full disk does not stand in the way of what would free some.
   */
  reload(isWritten: (id: Buffer) => boolean): void {
    this.forget();
    for (const { entryId, accepted } of this.#readAll()) {
      const open = accepted
        .map((one) => ({ accepted: one, keys: rowKeysOf(one.delivery) }))
        .filter(({ keys }) => !isWritten(keys.id));
      const entry = { entryId, left: open.length };
      for (const held of open) this.#held.set(held.accepted.delivery.id, { ...held, entry });
      if (open.length === 0) this.#delete.run(entryId);
    }
    this.#isForgotten = false;
  }

  /**
   * Written by `write`, before the transaction is committed. Throws a TypeError for what could not become a row
   * later: it would stand in the way of all others.
   */
  add(packed: PackedAcceptance, accepted: AcceptedDelivery): void {
    const { delivery } = accepted;
    if (this.#held.has(delivery.id)) throw new TypeError('a delivery was inserted twice');
    this.#held.set(delivery.id, { accepted, keys: rowKeysOf(delivery), entry: undefined });
    this.#added.push(packed);
  }

  find(id: string): Held | undefined {
    return this.#held.get(id);
  }

  /** Whoever takes one writes in the same transaction what becomes of it. */
  take(id: string): void {
    const entry = this.#held.get(id)?.entry;
    this.#held.delete(id);
    if (entry === undefined) return;
    entry.left -= 1;
    if (entry.left === 0) this.#delete.run(entry.entryId);
  }

  takeAll(): readonly AcceptedDelivery[] {
    const all = [...this.#held.values()].map(({ accepted }) => accepted);
    for (const { delivery } of all) this.take(delivery.id);
    return all;
  }

  /** Writes what came in this transaction and is still here. */
  write(): void {
    const added = this.#added.filter(([id]) => this.#held.has(id));
    this.#added = [];
    for (let from = 0; from < added.length; from += MAX_ENTRY_DELIVERIES) {
      this.#writeEntry(added.slice(from, from + MAX_ENTRY_DELIVERIES));
    }
  }

  #writeEntry(deliveries: readonly PackedAcceptance[]): void {
    const sealed = this.#sealer.seal(Buffer.from(JSON.stringify(deliveries)), JOURNAL_CONTEXT);
    const entryId = Number(this.#insert.run(sealed).lastInsertRowid);
    const entry = { entryId, left: deliveries.length };
    for (const [id] of deliveries) {
      const held = this.#held.get(id);
      if (held !== undefined) held.entry = entry;
    }
  }
}

export interface JournalEntry {
  readonly entryId: number;
  readonly accepted: readonly AcceptedDelivery[];
}

/** Every entry that can be read, oldest first. Some of its deliveries may be in the tables by now. */
export function prepareJournalReading(
  db: Database.Database,
  sealers: readonly Sealer[],
): () => readonly JournalEntry[] {
  const all = db.prepare<[], { entryId: number; sealed: Buffer }>(
    'SELECT entry_id AS entryId, sealed FROM journal ORDER BY entry_id',
  );
  return () =>
    all.all().flatMap(({ entryId, sealed }) => {
      let plain: Buffer | undefined;
      for (const sealer of sealers) plain ??= sealer.open(sealed, JOURNAL_CONTEXT);
      if (plain === undefined) return [];
      const packed: readonly PackedAcceptance[] = JSON.parse(plain.toString());
      return [{ entryId, accepted: packed.map(unpackAcceptance) }];
    });
}
