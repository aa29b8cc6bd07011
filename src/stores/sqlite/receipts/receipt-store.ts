// The port to receipts on the main thread: the writer stores, the reader answers.

import type { ReceiptStore } from '../../../core/ports/receipts.ts';
import type { ReadCalls, WriteCalls } from '../protocol.ts';
import type { WorkerLink } from '../worker-link.ts';

export function createReceiptStore(
  writer: WorkerLink<WriteCalls>,
  reader: WorkerLink<ReadCalls>,
): ReceiptStore {
  return {
    recordPush: (input) => writer.call({ kind: 'record_push', input }),
    recordReceipt: (input) => writer.call({ kind: 'record_receipt', input }),
    recordKnock: (input) => writer.call({ kind: 'record_knock', input }),
    recordKnockOutcome: (input) => writer.call({ kind: 'record_knock_outcome', input }),
    recordReplied: (input) => writer.call({ kind: 'record_replied', input }),
    recordUselessKnock: (input) => writer.call({ kind: 'record_useless_knock', input }),
    noteMissed: (input) => writer.call({ kind: 'note_missed', input }),
    noteSilent: (input) => writer.call({ kind: 'note_silent', input }),
    findWake: (input) => reader.call({ kind: 'find_wake', input }),
    findHistory: (input) => reader.call({ kind: 'find_history', input }),
  };
}
