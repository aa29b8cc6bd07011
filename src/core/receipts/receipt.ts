// What a phone says of a push that started it. Whatever cannot be read is left out: that the address was called at all
// shows that the phone is awake.

import { z } from 'zod';

export const STAGES = ['started', 'connected', 'done', 'failed'] as const;
export const REASONS = ['quota', 'locked', 'no_network', 'timeout', 'other'] as const;
export const PRIORITIES = ['high', 'normal'] as const;

export type Stage = (typeof STAGES)[number];

export interface Receipt {
  /** `started` if the phone does not say. */
  readonly stage: Stage;
  /** Which push it answers: 1, or 2 for a second knock. */
  readonly n: 1 | 2;
  /** Milliseconds since the push arrived, by the phone's clock. */
  readonly sinceArrivalMs?: number | undefined;
  readonly why?: (typeof REASONS)[number] | undefined;
  /** Whether the app showed a notification. */
  readonly isShown?: boolean | undefined;
  /** The priority with which FCM delivered it, and the one that it was sent with. */
  readonly priority?: (typeof PRIORITIES)[number] | undefined;
  readonly originalPriority?: (typeof PRIORITIES)[number] | undefined;
}

export const MAX_RECEIPT_BYTES = 256;
/** No push is kept longer. */
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

/** Android took the priority away: the app may not start a foreground service. */
export function isDemoted({ priority, originalPriority }: Receipt): boolean {
  return priority === 'normal' && originalPriority === 'high';
}

function readJson(body: Uint8Array): unknown {
  if (body.byteLength > MAX_RECEIPT_BYTES) return undefined;
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    // No JSON, so no words of the phone's; the receipt itself counts.
    return undefined;
  }
}
