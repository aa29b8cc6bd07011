// Timeouts and windows of the core. docs/configuration.md lists those that can be configured.

export interface Policy {
  /** How long a push may wait for a connection and a free stream before it is left for later. */
  readonly streamWaitMs: number;
  /** How long a provider has for its answer, from the moment the request is written. */
  readonly attemptTimeoutMs: number;
  /** The same for a probe of a provider that is down. */
  readonly probeTimeoutMs: number;
  /** The caller is answered within this time. */
  readonly answerDeadlineMs: number;
  /** How long a push waits for the store to say whether it is a repeat from before a restart. */
  readonly lookupTimeoutMs: number;
  /** How long a push waits for its key in a store that several machines share, before it goes out without the key. */
  readonly claimTimeoutMs: number;
  /** How often a repeat checks what became of the first call at another machine. */
  readonly followEveryMs: number;
  /** A claim outlasts the longest wait for a place and two attempts. */
  readonly leaseMs: number;
  /** When a provider is back, waiting news goes out spread over this time; races go at once. */
  readonly newsSpreadMs: number;
  /** A delivery that was tried less than this ago is not made due earlier. */
  readonly restMs: number;
  /** How soon a repeat of a queued delivery may be tried. */
  readonly renewedDueMs: number;
  /** Windows of duplicates from here on are kept in the store, too, because they outlast a restart. */
  readonly storedWindowFromMs: number;
}

export const DEFAULT_POLICY: Policy = {
  streamWaitMs: 2_000,
  attemptTimeoutMs: 2_000,
  probeTimeoutMs: 1_000,
  answerDeadlineMs: 5_000,
  lookupTimeoutMs: 500,
  claimTimeoutMs: 250,
  followEveryMs: 100,
  leaseMs: 30_000,
  newsSpreadMs: 60_000,
  restMs: 1_000,
  renewedDueMs: 1_000,
  storedWindowFromMs: 10 * 60_000,
};
