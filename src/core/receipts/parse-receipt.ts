// Reads what a phone sent. Unreadable fields are left out: the call itself shows that the phone is awake. Apart from
// receipt.ts because the store's threads, which load that file, need no zod: 3 MB and 25 ms each.

import { z } from 'zod';
import { MAX_RECEIPT_BYTES, PRIORITIES, REASONS, type Receipt, STAGES } from './receipt.ts';

/** Providers keep no push longer than this. */
const MAX_SINCE_ARRIVAL_MS = 86_400_000;

const receiptSchema = z.object({
  stage: z.enum(STAGES).catch('started'),
  t: z.int().min(0).max(MAX_SINCE_ARRIVAL_MS).optional().catch(undefined),
  n: z.literal([1, 2]).catch(1),
  why: z.enum(REASONS).optional().catch(undefined),
  shown: z.boolean().optional().catch(undefined),
  priority: z.enum(PRIORITIES).optional().catch(undefined),
  original: z.enum(PRIORITIES).optional().catch(undefined),
});

/** Never throws. */
export function parseReceipt(body: Uint8Array): Receipt {
  const parsed = receiptSchema.safeParse(readJson(body));
  if (!parsed.success) return { stage: 'started', n: 1 };
  const { stage, n, t, why, shown, priority, original } = parsed.data;
  const sinceArrivalMs = t;
  return { stage, n, sinceArrivalMs, why, isShown: shown, priority, originalPriority: original };
}

function readJson(body: Uint8Array): unknown {
  if (body.byteLength > MAX_RECEIPT_BYTES) return undefined;
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    // Not JSON: there are no fields, but the receipt itself counts.
    return undefined;
  }
}
