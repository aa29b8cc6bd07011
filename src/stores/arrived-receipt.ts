// What a receipt changes, given what is known about its delivery and phone: pure, and the same for every store.

import type { ArrivedReceipt, RecordedReceipt } from '../core/ports/receipts.ts';
import {
  afterReceipt,
  isNewlyDemoted,
  knockResultOf,
  type WakeHistory,
} from '../core/receipts/history.ts';
import { MAX_RECEIPTS } from '../core/receipts/receipt.ts';
import type { WOKEN_DELIVERIES } from './receipt-rows.ts';
import type { RowOf } from './rows.ts';
import { nameOf, PLATFORMS, PROVIDERS, wholeMs } from './values.ts';

interface Known {
  readonly history: WakeHistory;
  /** Receipts of the delivery that are kept. */
  readonly count: number;
  /** One of this stage for this push is among them. */
  readonly isRepeated: boolean;
}

/** `history` is the phone's new history if the receipt is kept. */
export function recordingOf(
  row: RowOf<typeof WOKEN_DELIVERIES>,
  { receipt, atMs, ...arrived }: ArrivedReceipt,
  { history: before, count, isRepeated }: Known,
): { readonly recorded: Omit<RecordedReceipt, 'hasEnded'>; readonly history: WakeHistory } {
  const isKept = count < MAX_RECEIPTS && !isRepeated;
  const isFirst = count === 0;
  const isKnocked = arrived.isKnocked ?? row.knocked_at_ms !== null;
  const knock =
    isFirst && isKnocked && row.knock_result === null ? knockResultOf(receipt) : undefined;
  const acceptedAtMs = row.accepted_at_ms ?? undefined;
  const push = { number: row.push_number ?? undefined, acceptedAtMs, isFirst, isKnocked };
  const recorded = {
    deliveryId: row.id,
    app: row.app,
    platform: nameOf(PLATFORMS, row.platform),
    provider: nameOf(PROVIDERS, row.provider),
    type: row.type,
    tokenHash: row.token_hash,
    deviceId: row.device_id ?? undefined,
    attempts: row.attempts,
    receivedAtMs: row.received_at_ms,
    isKept,
    isFirst,
    sincePushMs: acceptedAtMs === undefined ? undefined : Math.max(0, atMs - acceptedAtMs),
    knock,
    hasReturned: isKept && before.silentSinceMs !== undefined,
    isNewlyDemoted: isKept && isNewlyDemoted(before, receipt, atMs),
  };
  return { recorded, history: afterReceipt(before, receipt, { atMs: wholeMs(atMs), push }) };
}
