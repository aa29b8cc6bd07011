// The ports beside the log's own: what each of them does is in a file of its own.

import type { DeviceStore } from '../../core/ports/devices.ts';
import type { EventStore } from '../../core/ports/events.ts';
import type { LogReader } from '../../core/ports/log.ts';
import type { OperatingStore } from '../../core/ports/operating.ts';
import type { ReceiptStore } from '../../core/ports/receipts.ts';
import type { Records } from '../../core/ports/records.ts';
import { createDeviceStore } from './devices/device-store.ts';
import { createEventStore } from './events/event-store.ts';
import { countPage } from './log/count.ts';
import { gather } from './log/gather.ts';
import { createOperatingStore } from './operating/operating-store.ts';
import { createReceiptStore } from './receipts/receipt-store.ts';
import { createRecords } from './records/records.ts';
import type { Tellings } from './records/tellings.ts';
import type { Serial } from './serial.ts';
import type { Parts } from './store.ts';

/** All of them are closed with the store. */
export interface Ports {
  readonly devices: DeviceStore;
  readonly records: Records;
  readonly log: LogReader;
  readonly operating: OperatingStore;
  readonly receipts: ReceiptStore;
  readonly events: EventStore;
}

export function createPorts(
  parts: Parts,
  { deviceChanges, tellings }: { readonly deviceChanges: Serial; readonly tellings: Tellings },
): Ports {
  const { database, sealer } = parts;
  return {
    devices: createDeviceStore(parts, deviceChanges),
    records: createRecords(parts, tellings),
    log: {
      gather: (question) => database.transaction((run) => gather(run, question, parts)),
      countPage: (page) => database.transaction((run) => countPage(run, page)),
    },
    operating: createOperatingStore(parts, deviceChanges),
    receipts: createReceiptStore(database, sealer),
    events: createEventStore(parts),
  };
}
