// The main thread's side of what the log keeps beside deliveries. What a caller was told is written together with the
// end of its delivery if that still waits for its batch. This is nearly always so, because both come in the same turn
// of the event loop.

import type { Records, Told } from '../../core/ports/records.ts';
import type { Settlement } from '../../core/ports/store.ts';
import type { SettlementWrite, WriteCalls } from './protocol.ts';
import type { WorkerLink } from './worker-link.ts';

export class Settlements {
  /** By delivery, the settlements that wait for their batch. */
  readonly #waiting = new Map<string, SettlementWrite>();

  settle(writer: WorkerLink<WriteCalls>, settlement: Settlement): Promise<boolean> {
    const input: SettlementWrite = { settlement, told: undefined };
    this.#waiting.set(settlement.deliveryId, input);
    return writer.call({ kind: 'settle', input });
  }

  /** False if the end of the delivery does not wait here. */
  join(told: Told): boolean {
    const waiting = this.#waiting.get(told.deliveryId);
    if (waiting === undefined) return false;
    waiting.told = told;
    return true;
  }

  /** A batch goes to the thread: it is too late to add what callers are told from now on. */
  left(): void {
    this.#waiting.clear();
  }
}

export function createRecords(
  writer: WorkerLink<WriteCalls>,
  settlements: Settlements,
  aliveUntilMs: number | undefined,
): Records {
  return {
    tell: (told) => {
      if (!settlements.join(told)) writer.ride({ kind: 'tell', input: told });
    },
    writeRefusals: (input) => writer.call({ kind: 'write_refusals', input }),
    trimRefusals: (input) => writer.call({ kind: 'trim_refusals', input }),
    recordOutage: (input) => writer.call({ kind: 'record_outage', input }),
    recordGap: (input) => writer.call({ kind: 'record_gap', input }),
    begin: ({ wallMs }) => writer.call({ kind: 'begin', input: { wallMs, aliveUntilMs } }),
    end: (input) => writer.call({ kind: 'end', input }),
    prune: (input) => writer.call({ kind: 'prune_records', input }),
  };
}
