// The port to what operators list and change, on the two threads of the SQLite store.

import type { ForgetResult, OperatingStore } from '../../core/ports/operating.ts';
import type { ReadCalls, WriteCalls } from './protocol.ts';
import type { WorkerLink } from './worker-link.ts';

/** Rows of the log that one transaction changes: few, so that inserts can run in between. */
const FORGET_ROWS = 200;

export function createOperatingStore(
  writer: WorkerLink<WriteCalls>,
  reader: WorkerLink<ReadCalls>,
): OperatingStore {
  return {
    listDeliveries: (input) => reader.call({ kind: 'list_deliveries', input }),
    listRefusals: (input) => reader.call({ kind: 'list_refusals', input }),
    listDevices: (input) => reader.call({ kind: 'list_devices', input }),
    listQuarantine: (input) => reader.call({ kind: 'page_quarantine', input }),
    listWaiting: () => reader.call({ kind: 'list_waiting', input: undefined }),
    hurry: (input) => writer.call({ kind: 'hurry', input }),
    forget: (options) => forget(writer, options),
  };
}

async function forget(
  writer: WorkerLink<WriteCalls>,
  { userHashes, tokenHashes, wallMs }: Parameters<OperatingStore['forget']>[0],
): Promise<ForgetResult> {
  const forgotten = { userHashes, tokenHashes };
  let rows = 0;
  for (;;) {
    const input = { ...forgotten, limit: FORGET_ROWS };
    const changed = await writer.call({ kind: 'forget_rows', input });
    if (changed === 0) break;
    rows += changed;
  }
  const input = { ...forgotten, wallMs };
  const last = await writer.call({ kind: 'forget_devices', input });
  return { ...last, deliveries: rows + last.deliveries };
}
