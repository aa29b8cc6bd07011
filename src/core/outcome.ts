// What a provider's answer means to a delivery. Adapters translate into this; the core decides by it alone.

/**
 * - `not_processed`: the provider certainly did not see it (connection refused, REFUSED_STREAM, a stream
 *   above GOAWAY's last id), so that repeating is free of risk.
 * - `uncertain`: it may have been taken (timeout, reset after the request was written).
 * - `answered`: the provider has a failure of its own (5xx).
 * - `throttled`: the provider is well but wants less of this (429).
 * - `not_started`: the request waited here for its turn until its time was over, which says nothing of the
 *   provider.
 */
export type RetryCertainty =
  | 'not_processed'
  | 'uncertain'
  | 'answered'
  | 'throttled'
  | 'not_started';

/**
 * Whose fault a rejection is.
 * - `token`: this token is bad here (APNs BadDeviceToken: wrong environment or mistyped).
 * - `sender`: the token belongs to another sender, or our credentials to another project: which of the
 *   two depends on whether the app's other pushes succeed.
 * - `message`: the provider refuses the content.
 */
export type RejectionBlame = 'token' | 'sender' | 'message';

/** `reason` always comes from a table of ours, never from a provider's text, which can name the token. */
export type Outcome =
  | { readonly kind: 'delivered'; readonly messageId?: string }
  | {
      readonly kind: 'unregistered';
      readonly reason: string;
      /** Since when the provider knows the token to be dead, Unix milliseconds (APNs says it). */
      readonly sinceMs?: number;
    }
  | {
      readonly kind: 'retry';
      readonly reason: string;
      readonly certainty: RetryCertainty;
      readonly retryAfterMs?: number;
    }
  | { readonly kind: 'rejected'; readonly reason: string; readonly blame: RejectionBlame }
  | { readonly kind: 'misconfigured'; readonly reason: string };

export type OutcomeKind = Outcome['kind'];
