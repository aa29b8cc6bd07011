// What callers were told, on its way into the log. Nearly always the end of the delivery still waits for its batch, and
// the two are written together; a later one is written with the next batch of ends, or within a second by itself.

import type { Clock, Timer } from '../../../core/ports/clock.ts';
import type { Told } from '../../../core/ports/records.ts';
import type { Settlement } from '../../../core/ports/store.ts';
import type { Database, Run } from '../database.ts';
import type { SettlementWrite } from '../operations/settle.ts';
import { writeTold } from './told.ts';

const MAX_RIDING = 10_000;
const MAX_WAIT_MS = 1_000;

export class Tellings {
  readonly #database: Database;
  readonly #clock: Clock;
  /** By delivery, the settlements that wait for their batch. */
  readonly #settling = new Map<string, SettlementWrite>();
  #riding: Told[] = [];
  #timer: Timer | undefined;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The settlement as it is written, with what callers were told before it leaves. */
  settling(settlement: Settlement): SettlementWrite {
    const write: SettlementWrite = { settlement, told: undefined };
    this.#settling.set(settlement.deliveryId, write);
    return write;
  }

  tell(told: Told): void {
    const settling = this.#settling.get(told.deliveryId);
    if (settling !== undefined) {
      settling.told ??= told;
      return;
    }
    if (this.#riding.length >= MAX_RIDING) return;
    this.#riding.push(told);
    this.#timer ??= this.#clock.after(MAX_WAIT_MS, () => {
      // What cannot be written now is lost, as the port says; the database has reported its trouble.
      void this.flush().catch(() => {});
    });
  }

  /** These settlements are being sent: it is too late to add what callers are told from now on. */
  left(writes: readonly SettlementWrite[]): void {
    for (const write of writes) {
      const { deliveryId } = write.settlement;
      if (this.#settling.get(deliveryId) === write) this.#settling.delete(deliveryId);
    }
  }

  /** Writes what is pending, in a transaction that is under way. */
  async ride(run: Run): Promise<void> {
    await writeTold(run, this.#take());
  }

  async flush(): Promise<void> {
    if (this.#riding.length === 0) return;
    await this.#database.transaction((run) => this.ride(run), { isAccepted: true });
  }

  /** Writes what is still pending. */
  async close(): Promise<void> {
    await this.flush().catch(() => {});
    this.#timer?.cancel();
  }

  #take(): readonly Told[] {
    this.#timer?.cancel();
    this.#timer = undefined;
    const taken = this.#riding;
    this.#riding = [];
    return taken;
  }
}
