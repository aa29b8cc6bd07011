// The id in a receipt's address: a delivery's id and 128 bits of an HMAC over it. It is checked without a table, at any
// machine and after any restart, and is valid for an hour.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Ids } from '../ports/ids.ts';

const VALID_MS = 3_600_000;
const UUID_BYTES = 16;
const TAG_BYTES = 16;
const RECEIPT_ID = /^[A-Za-z0-9_-]{43}$/;
/** What the key of receipts is derived from: nothing else may be signed by it. */
const KEY_NAME = 'nds receipts 1';

export class ReceiptIds {
  readonly #key: string;

  constructor(ids: Pick<Ids, 'fingerprint'>) {
    this.#key = ids.fingerprint(KEY_NAME);
  }

  /** 43 base64url characters. */
  of(deliveryId: string): string {
    const id = Buffer.from(deliveryId.replaceAll('-', ''), 'hex');
    return Buffer.concat([id, this.#tagOf(id)]).toString('base64url');
  }

  /** The delivery that it was made for; nothing for every other id, after the same work. */
  verify(receiptId: string, wallMs: number): string | undefined {
    const isWellFormed = RECEIPT_ID.test(receiptId);
    const bytes = isWellFormed
      ? Buffer.from(receiptId, 'base64url')
      : Buffer.alloc(UUID_BYTES + TAG_BYTES);
    const id = bytes.subarray(0, UUID_BYTES);
    const isOurs = timingSafeEqual(this.#tagOf(id), bytes.subarray(UUID_BYTES));
    // UUID version 7 begins with its time (RFC 9562). One from the future is as old as the clock was set back.
    const isFresh = wallMs - id.readUIntBE(0, 6) <= VALID_MS;
    return isWellFormed && isOurs && isFresh ? uuidOf(id) : undefined;
  }

  #tagOf(id: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(id).digest().subarray(0, TAG_BYTES);
  }
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join('-');
}
