// The numbers by which the core decides; every one is configurable, and docs/configuration.md lists them.

export interface Policy {
  /** One try at a provider ends after this and can push no more. */
  readonly attemptTimeoutMs: number;
  /** The same for a probe of a provider that is down. */
  readonly probeTimeoutMs: number;
  /** The caller is answered after this at the latest. */
  readonly answerDeadlineMs: number;
  /** How long a push waits for the store to say whether it is a repeat from before a restart. */
  readonly lookupTimeoutMs: number;
  /** A claim outlasts the longest wait in the queue and two tries. */
  readonly leaseMs: number;
  /** When a provider is back, what waited goes out spread over this. */
  readonly hastenSpreadMs: number;
  /** Windows of duplicates from here on are kept in the store, too, since they outlast a restart. */
  readonly storedWindowFromMs: number;
}

export const DEFAULT_POLICY: Policy = {
  attemptTimeoutMs: 2_000,
  probeTimeoutMs: 1_000,
  answerDeadlineMs: 5_000,
  lookupTimeoutMs: 500,
  leaseMs: 30_000,
  hastenSpreadMs: 1_000,
  storedWindowFromMs: 10 * 60_000,
};
