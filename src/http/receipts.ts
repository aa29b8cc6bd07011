// POST /r/:id, where a phone says that a push started it. The answer is always 204. It is sent before the id is
// looked at, so that neither the answer nor its time says whether the id is valid.

import type { ServerResponse } from 'node:http';
import type { Observer } from '../core/ports/observer.ts';
import { MAX_RECEIPT_BYTES } from '../core/receipts/receipt.ts';
import type { Receipts } from '../core/receipts/receipts.ts';
import type { Buckets } from '../core/tokens/limits.ts';
import type { HttpContext } from './context.ts';
import type { ClientAddressOf } from './limits/client-address.ts';

export interface ReceiptParts {
  readonly receipts: Pick<Receipts, 'take'> | undefined;
  readonly clientAddressOf: ClientAddressOf | undefined;
  /** Invalid ids per address that are acceptable. */
  readonly invalid: Buckets;
  /** An id that this service did not issue, or that is too old. */
  readonly onInvalid: (refused: { readonly isLimited: boolean }) => void;
  readonly observer: Observer;
}

export async function handleReceipt(parts: ReceiptParts, c: HttpContext): Promise<Response> {
  const { incoming, outgoing } = c.env;
  // A connection that has closed has no address.
  const address = parts.clientAddressOf?.(incoming) ?? incoming.socket.remoteAddress ?? '';
  const body = await readSmallBody(c);
  afterAnswer(outgoing, () => take(parts, { id: c.req.param('id') ?? '', body, address }));
  // The unread rest would be taken for the next call on this connection, which would then never end.
  if (body.byteLength > MAX_RECEIPT_BYTES) c.header('connection', 'close');
  return c.body(null, 204);
}

/** Runs the task when the answer was handed to the socket, or when the connection closed first. */
function afterAnswer(outgoing: ServerResponse, task: () => void): void {
  if (outgoing.closed) task();
  else outgoing.once('close', task);
}

/** Never throws, because no caller is left to catch it. */
function take(
  { receipts, invalid, onInvalid, observer }: ReceiptParts,
  call: { readonly id: string; readonly body: Uint8Array; readonly address: string },
): void {
  try {
    if (receipts?.take(call.id, call.body) === true) return;
    onInvalid({ isLimited: invalid.take(call.address) > 0 });
  } catch (cause) {
    observer.observe({ name: 'internal_fault', where: 'receipts', cause });
  }
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
    // The phone broke off; it counts that it called.
  }
  return Buffer.concat(chunks);
}
