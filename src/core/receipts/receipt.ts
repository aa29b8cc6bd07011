// What a phone says about a push that started it.

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
/** Kept of a delivery. */
export const MAX_RECEIPTS = 8;

/** Android took the priority away: the app may not start a foreground service. */
export function isDemoted({ priority, originalPriority }: Receipt): boolean {
  return priority === 'normal' && originalPriority === 'high';
}
