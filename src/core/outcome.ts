// What a provider's answer means to a delivery. Adapters translate into this; the core decides by it alone.

/**
 * What a failed attempt says about the provider, and about the push itself.
 *
 * | value | the push | whose failure |
 * |-|-|-|
 * | `not_processed` | certainly not taken (connection refused, REFUSED_STREAM, a stream above GOAWAY's last id) | provider |
 * | `uncertain` | perhaps taken: the connection broke or fell silent after the request was written | provider |
 * | `unanswered` | perhaps taken: the deadline passed or the stream was reset, on a connection that still answers PING; or a 200 that cannot be read | provider |
 * | `answered` | not taken: the provider reports a failure of its own (5xx) | provider |
 * | `throttled_token` | not taken: too many pushes for this token (APNs `TooManyRequests`, FCM's quota per device or topic) | the token |
 * | `throttled_project` | not taken: too many pushes for the project (FCM's quota per project) | our pace |
 * | `throttled` | not taken: a 429 that does not say whose limit it is | the token, unless several tokens get one |
 * | `not_started` | not written: no connection or free stream came in time | none |
 */
export type RetryCertainty =
  | 'not_processed'
  | 'uncertain'
  | 'unanswered'
  | 'answered'
  | 'throttled_token'
  | 'throttled_project'
  | 'throttled'
  | 'not_started';

/**
 * Whose fault a rejection is.
 * - `token`: this token is bad here (APNs BadDeviceToken: wrong environment or mistyped).
 * - `sender`: the token belongs to another sender, or our credentials to another project: which of the
 *   two depends on whether the app's other pushes succeed (APNs DeviceTokenNotForTopic, FCM
 *   SENDER_ID_MISMATCH and THIRD_PARTY_AUTH_ERROR). Readiness turns red only if it happens to several trusted devices.
 * - `message`: the provider refuses the content.
 */
export type RejectionBlame = 'token' | 'sender' | 'message';

/** `reason` always comes from a table of ours, never from a provider's text, which can name the token. */
export type Outcome =
  | { readonly kind: 'delivered'; readonly messageId?: string }
  | {
      readonly kind: 'unregistered';
      readonly reason: string;
      /** Since when the provider knows the token to be dead, Unix milliseconds, a safe integer (APNs says it). */
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
