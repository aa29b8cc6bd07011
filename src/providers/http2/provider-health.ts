// What the last answers of a provider say about our credentials and the way to it.

import type { Outcome, RetryCertainty } from '../../core/outcome.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { ProviderHealth } from '../../core/ports/provider.ts';
import { isConnectFailure, TRANSPORT_FAILURES } from './transport-failures.ts';

export interface HealthOptions {
  readonly clock: Clock;
  /** What to do about a reason that does not depend on the token; `undefined` for all others. */
  remedyFor(reason: string): string | undefined;
  /** Reasons of retries that say that no push can succeed now, whatever its token. */
  isBlocking(reason: string): boolean;
  /** Reasons beside connect failures that end when the provider has been reached and credentials were obtained. */
  endsWhenReached(reason: string): boolean;
}

type Verdict =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'working' }
  | {
      readonly kind: 'failing';
      readonly reason: string;
      readonly sinceMs: number;
      readonly wallMs: number;
    };

/**
 * Without traffic a verdict says nothing any more: who replaced the key must not have to send a push to
 * see readiness turn.
 */
const MAX_VERDICT_AGE_MS = 10 * 60_000;
/** One request may wait in vain beside a slow one; three in a row without an answer between them are a fault. */
const MAX_WAITS_IN_VAIN = 3;
const WAITED_IN_VAIN = 'timeout_waiting';
const IS_ANSWER: Readonly<Record<RetryCertainty, boolean>> = {
  not_processed: false,
  uncertain: false,
  unanswered: false,
  answered: true,
  throttled_token: true,
  throttled_project: true,
  throttled: true,
  not_started: false,
};

/**
 * Any answer that is about the token or the message proves that the provider accepts our credentials.
 * A provider that is slow or says "later" proves nothing either way: the core's breaker judges that.
 */
export class Health {
  readonly #options: HealthOptions;
  #verdict: Verdict = { kind: 'unknown' };
  #waitsInVain = 0;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  get current(): ProviderHealth {
    const verdict = this.#verdict;
    if (verdict.kind === 'working') return { ready: true };
    if (verdict.kind === 'unknown') {
      return { ready: false, detail: 'No connection has been tried yet.' };
    }
    const { reason, sinceMs, wallMs } = verdict;
    if (this.#options.clock.nowMs() - sinceMs < MAX_VERDICT_AGE_MS) {
      return { ready: false, detail: `${reason}: ${this.#meaningOf(reason)}` };
    }
    const at = new Date(wallMs).toISOString();
    return {
      ready: true,
      detail: `Last failed at ${at} (${reason}); nothing was sent since then.`,
    };
  }

  /** The provider answered, or the request failed on the way to it. */
  observe(outcome: Outcome): void {
    this.#countWaits(outcome);
    switch (outcome.kind) {
      case 'delivered':
      case 'unregistered':
      case 'rejected':
        this.#verdict = { kind: 'working' };
        return;
      case 'misconfigured':
        if (
          this.#options.remedyFor(outcome.reason) !== undefined ||
          isConnectFailure(outcome.reason)
        ) {
          this.failed(outcome.reason);
        }
        return;
      case 'retry':
        if (isConnectFailure(outcome.reason) || this.#options.isBlocking(outcome.reason)) {
          this.failed(outcome.reason);
        }
        return;
    }
  }

  /** The way is open; whether our credentials are still refused, only an answer can tell. */
  reached(): void {
    const verdict = this.#verdict;
    if (verdict.kind === 'failing') {
      const { reason } = verdict;
      if (!isConnectFailure(reason) && !this.#options.endsWhenReached(reason)) return;
    }
    this.#verdict = { kind: 'working' };
  }

  failed(reason: string): void {
    const { clock } = this.#options;
    this.#verdict = { kind: 'failing', reason, sinceMs: clock.nowMs(), wallMs: clock.wallMs() };
  }

  #countWaits(outcome: Outcome): void {
    if (outcome.kind !== 'retry' || IS_ANSWER[outcome.certainty]) {
      this.#waitsInVain = 0;
      if (this.#verdict.kind === 'failing' && this.#verdict.reason === WAITED_IN_VAIN) {
        this.#verdict = { kind: 'working' };
      }
    } else if (outcome.certainty === 'not_started') {
      this.#waitsInVain += 1;
      if (this.#waitsInVain >= MAX_WAITS_IN_VAIN && this.#verdict.kind !== 'failing') {
        this.failed(WAITED_IN_VAIN);
      }
    }
  }

  #meaningOf(reason: string): string {
    if (reason === WAITED_IN_VAIN || isConnectFailure(reason)) {
      return TRANSPORT_FAILURES[reason].meaning;
    }
    return this.#options.remedyFor(reason) ?? 'The provider refuses our requests.';
  }
}
