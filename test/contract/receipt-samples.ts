// One phone's deliveries and receipts, for the tests of receipts.

import type { ReceiptStore } from '../../src/core/ports/receipts.ts';
import type { Store } from '../../src/core/ports/store.ts';
import type { Receipt } from '../../src/core/receipts/receipt.ts';
import { accept, NOW, sampleDelivery, sampleFingerprint, settlement } from './store-samples.ts';

export const TOKEN_SHA256 = 'aa'.repeat(32);

export interface OpenedReceipts {
  readonly store: Store;
  readonly receipts: ReceiptStore;
}

export const STARTED: Receipt = { stage: 'started', n: 1 };
export const PHONE = sampleFingerprint('one phone');

/** A delivery to one phone that the provider took. */
export async function deliver({ store, receipts }: OpenedReceipts, number: number, atMs = NOW) {
  const delivery = sampleDelivery(number, { tokenHash: PHONE, receivedAtMs: atMs });
  await store.insert(accept(delivery));
  const recorded = await receipts.recordPush({
    deliveryId: delivery.id,
    atMs,
    isAsked: true,
    isJudged: true,
    tokenSha256: TOKEN_SHA256,
  });
  await store.settle(settlement(delivery));
  return { id: delivery.id, recorded };
}

export const answer = (
  { receipts }: OpenedReceipts,
  deliveryId: string,
  atMs: number,
  receipt: Receipt = STARTED,
) => receipts.recordReceipt({ deliveryId, receipt, atMs, endsOpen: true });
