// The id in a receipt's address: a delivery's id and 128 bits of an HMAC over it. Any machine can check it without a
// table, also after a restart, and it is valid for an hour.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Ids } from '../ports/ids.ts';

const VALID_MS = 3_600_000;
/** A push that leaves later than this gives its phone no time to answer. */
const ASKED_UNTIL_MS = VALID_MS - 60_000;
const TIME_BYTES = 6;
const UUID_BYTES = 16;
const TAG_BYTES = 16;
const RECEIPT_ID = /^[A-Za-z0-9_-]{43}$/;
const KEY_PURPOSE = 'nds receipts 1';

export class ReceiptIds {
  readonly #key: Uint8Array;

  constructor(ids: Pick<Ids, 'deriveKey'>) {
    this.#key = ids.deriveKey(KEY_PURPOSE);
  }

  /** 43 base64url characters. */
  of(deliveryId: string): string {
    const id = bytesOf(deliveryId);
    return Buffer.concat([id, this.#tagOf(id)]).toString('base64url');
  }

  /** Whether a push that leaves now may ask for a receipt: news may have waited for hours. */
  mayAsk(deliveryId: string, wallMs: number): boolean {
    return wallMs - timeOf(bytesOf(deliveryId)) <= ASKED_UNTIL_MS;
  }

  /** The delivery that it was made for; undefined for any other id, after the same work. */
  verify(receiptId: string, wallMs: number): string | undefined {
    const isWellFormed = RECEIPT_ID.test(receiptId);
    const bytes = isWellFormed
      ? Buffer.from(receiptId, 'base64url')
      : Buffer.alloc(UUID_BYTES + TAG_BYTES);
    const id = bytes.subarray(0, UUID_BYTES);
    const isOurs = timingSafeEqual(this.#tagOf(id), bytes.subarray(UUID_BYTES));
    // An id from the future is as old as the time by which the clock was set back.
    const isFresh = wallMs - timeOf(id) <= VALID_MS;
    return isWellFormed && isOurs && isFresh ? uuidOf(id) : undefined;
  }

  #tagOf(id: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(id).digest().subarray(0, TAG_BYTES);
  }
}

/** UUID version 7 begins with its time (RFC 9562). */
function timeOf(id: Buffer): number {
  return id.readUIntBE(0, TIME_BYTES);
}

function bytesOf(deliveryId: string): Buffer {
  return Buffer.from(deliveryId.replaceAll('-', ''), 'hex');
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join('-');
}
