// Facts that become events for the vendor, for tests of all that stores events.

import { createHash } from 'node:crypto';
import type { EventStore, RecordedEvent } from '../../src/core/ports/events.ts';
import type { OperatingStore } from '../../src/core/ports/operating.ts';
import type { ReceiptStore } from '../../src/core/ports/receipts.ts';
import type { Records } from '../../src/core/ports/records.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { accept, FAILED, sampleDelivery, settlement } from './store-samples.ts';

export interface OpenedEvents {
  readonly store: Store;
  readonly records: Records;
  readonly receipts: ReceiptStore;
  readonly operating: OperatingStore;
  readonly events: EventStore;
}

export const HASH = 'AB'.repeat(32);
export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export async function end(
  { store }: OpenedEvents,
  number: number,
  status: 'delivered' | 'expired' | 'misconfigured',
) {
  const sample = sampleDelivery(number);
  const notification = { ...sample.notification, subject: HASH };
  const delivery = sampleDelivery(number, { notification });
  await store.insert(accept(delivery));
  const next = { status, ...(status === 'delivered' ? {} : { reason: 'timeout' }) } as const;
  return await store.settle(settlement(delivery, next, { attempt: FAILED }));
}

export async function eventsOf(
  { events }: OpenedEvents,
  afterRowId = 0,
): Promise<readonly RecordedEvent[]> {
  return (await events.nextEvents({ endpointId: 'ep_a', afterRowId, limit: 1_000 })).events;
}
