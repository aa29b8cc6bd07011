// What the last answers of a provider say about our credentials and the way to it.

import type { Outcome } from '../../core/outcome.ts';
import type { ProviderHealth } from '../../core/ports/provider.ts';
import { isConnectFailure, TRANSPORT_FAILURES } from './failure.ts';

const HEALTHY: ProviderHealth = { ready: true };

export interface HealthOptions {
  /** Reasons that say that the provider, or what it needs beforehand, cannot be reached. */
  isUnreachable(reason: string): boolean;
  /** What a reason of the adapter's own table means and what to do. */
  explain(reason: string): string;
}

/**
 * Any answer that is about the token or the message proves that the provider accepts our credentials.
 * A provider that is slow or says "later" proves nothing either way: the core's breaker judges that.
 */
export class Health {
  readonly #options: HealthOptions;
  #current: ProviderHealth = { ready: false, detail: 'No connection has been tried yet.' };
  #reason: string | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  get current(): ProviderHealth {
    return this.#current;
  }

  observe(outcome: Outcome): void {
    switch (outcome.kind) {
      case 'delivered':
      case 'unregistered':
      case 'rejected':
        this.#current = HEALTHY;
        return;
      case 'misconfigured':
        this.failed(outcome.reason);
        return;
      case 'retry':
        if (this.#options.isUnreachable(outcome.reason)) this.failed(outcome.reason);
        return;
    }
  }

  /** The way is open; whether our credentials are still refused, only an answer can tell. */
  reached(): void {
    const reason = this.#reason;
    if (reason === undefined || this.#options.isUnreachable(reason)) this.#current = HEALTHY;
  }

  failed(reason: string): void {
    this.#reason = reason;
    const meaning = isConnectFailure(reason)
      ? TRANSPORT_FAILURES[reason].meaning
      : this.#options.explain(reason);
    this.#current = { ready: false, detail: `${reason}: ${meaning}` };
  }
}
