// What each life of the service knew about its providers: when a breaker was open, and when credentials were refused.
// When either ends, everything that waits for the provider is due.

import type { Outcome } from '../../src/core/outcome.ts';
import type { ProviderName } from '../../src/core/target.ts';

export interface BreakerChange {
  readonly life: number;
  readonly provider: ProviderName;
  readonly state: 'open' | 'closed';
  readonly atMs: number;
}

export class Outages {
  readonly #breakers: BreakerChange[] = [];
  /** Lives and providers whose credentials were refused and not accepted again since. */
  readonly #refused = new Set<string>();
  /** When they were last accepted again. */
  readonly #acceptedAgainAtMs = new Map<string, number>();

  breakerChanged(change: BreakerChange): void {
    this.#breakers.push(change);
  }

  /** A life learned how a push ended. */
  heard(
    outcome: Outcome['kind'],
    {
      life,
      provider,
      atMs,
    }: { readonly life: number; readonly provider: ProviderName; readonly atMs: number },
  ): void {
    const lane = `${life} ${provider}`;
    if (outcome === 'misconfigured') this.#refused.add(lane);
    if (outcome === 'delivered' && this.#refused.delete(lane)) {
      this.#acceptedAgainAtMs.set(lane, atMs);
    }
  }

  /** Whether the breaker of any of these lives closed since then, or refused credentials were accepted again. */
  hadRecovery(lives: Iterable<number>, provider: ProviderName, sinceMs: number): boolean {
    return [...lives].some((life) => {
      const closedAtMs = this.lastBreakerChange(life, provider, 'closed')?.atMs ?? -1;
      const acceptedAtMs = this.#acceptedAgainAtMs.get(`${life} ${provider}`) ?? -1;
      return Math.max(closedAtMs, acceptedAtMs) >= sinceMs;
    });
  }

  /** When a provider's breaker was open in a life. */
  openSpans(life: number, provider: ProviderName): readonly { fromMs: number; toMs: number }[] {
    const spans: { fromMs: number; toMs: number }[] = [];
    for (const change of this.#breakers) {
      if (change.life !== life || change.provider !== provider) continue;
      const last = spans.at(-1);
      if (change.state === 'open') spans.push({ fromMs: change.atMs, toMs: Infinity });
      else if (last !== undefined) last.toMs = change.atMs;
    }
    return spans;
  }

  lastBreakerChange(
    life: number,
    provider: ProviderName,
    state?: 'closed',
  ): BreakerChange | undefined {
    return this.#breakers.findLast(
      (change) =>
        change.life === life &&
        change.provider === provider &&
        (state === undefined || change.state === state),
    );
  }
}
