// POST /r/:id, where a phone says that a push started it. The answer is 204 whatever comes, after the same work, so that
// guessing teaches nothing.

import { MAX_RECEIPT_BYTES } from '../core/receipts/receipt.ts';
import type { Receipts } from '../core/receipts/receipts.ts';
import type { Buckets } from '../core/tokens/limits.ts';
import type { HttpContext } from './context.ts';
import type { ClientAddressOf } from './limits/client-address.ts';

export interface ReceiptParts {
  readonly receipts: Pick<Receipts, 'take'> | undefined;
  readonly clientAddressOf: ClientAddressOf | undefined;
  /** By address: how many invalid ids are few. */
  readonly invalid: Buckets;
  /** An id that is none of ours, or too old. */
  readonly onInvalid: (refused: { readonly isLimited: boolean }) => void;
}

export async function handleReceipt(parts: ReceiptParts, c: HttpContext): Promise<Response> {
  const { receipts, clientAddressOf, invalid, onInvalid } = parts;
  const body = await readSmallBody(c);
  if (receipts?.take(c.req.param('id') ?? '', body) !== true) {
    const { incoming } = c.env;
    const address = clientAddressOf?.(incoming) ?? incoming.socket.remoteAddress ?? '';
    onInvalid({ isLimited: invalid.take(address) > 0 });
  }
  // What was not read would be taken for the next call on this connection, which would wait for ever.
  if (body.byteLength > MAX_RECEIPT_BYTES) c.header('connection', 'close');
  return c.body(null, 204);
}

/** One byte more than may be read shows that there is too much; the rest is never read. */
async function readSmallBody(c: HttpContext): Promise<Uint8Array> {
  const reader = c.req.raw.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    while (size <= MAX_RECEIPT_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value.subarray(0, MAX_RECEIPT_BYTES + 1 - size));
      size += value.byteLength;
    }
    if (size > MAX_RECEIPT_BYTES) await reader.cancel();
  } catch {
    // The phone broke off: that it called is what counts.
  }
  return Buffer.concat(chunks);
}
