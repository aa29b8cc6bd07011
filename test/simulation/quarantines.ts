// The quarantines that one life of the service began: no push may leave for such a token before it ends, is lifted, or a push
// that arrives proves that the token lives.

import type { PushMessage } from '../../src/core/ports/provider.ts';
import type { ProviderName } from '../../src/core/target.ts';
import { tokenHashOf } from './ids.ts';
import type { DeliveryRecord, Journal } from './journal.ts';
import type { Timeline } from './timeline.ts';

interface Quarantined {
  readonly sinceMs: number;
  readonly provider: ProviderName;
  readonly untilMs: number;
}

/** The bad token's ten minutes: every quarantine lasts at least so long. */
const LEAST_QUARANTINE_MS = 10 * 60_000;

export class Quarantines {
  readonly #journal: Journal;
  readonly #timeline: Timeline;
  /** By the token's fingerprint. */
  readonly #quarantined = new Map<string, Quarantined>();

  constructor({ journal, timeline }: { readonly journal: Journal; readonly timeline: Timeline }) {
    this.#journal = journal;
    this.#timeline = timeline;
  }

  began(tokenHash: string, provider: ProviderName): void {
    const sinceMs = this.#timeline.nowMs;
    const untilMs = sinceMs + LEAST_QUARANTINE_MS;
    this.#quarantined.set(tokenHash, { provider, sinceMs, untilMs });
  }

  /** Too many tokens of a provider seemed dead: all are asked for again. */
  pardoned(provider: ProviderName): void {
    for (const [tokenHash, entry] of this.#quarantined) {
      if (entry.provider === provider) this.#quarantined.delete(tokenHash);
    }
    this.#journal.pardonsAtMs.set(provider, this.#timeline.nowMs);
  }

  /** A push that arrives ends the quarantine of its token. */
  proved(deliveryId: string): void {
    const delivery = this.#journal.deliveries.get(deliveryId);
    if (delivery !== undefined) this.#quarantined.delete(tokenHashOf(delivery.token));
  }

  /** Another machine may have lifted it: where the store is not asked, the provider is, also by what waited before. */
  accepted({ token, call, isUnclaimed }: DeliveryRecord): void {
    const isUnasked = isUnclaimed === true || call?.isQuestion === true;
    if (this.#journal.fleet !== undefined && isUnasked)
      this.#quarantined.delete(tokenHashOf(token));
  }

  /** A push for it leaves. */
  check({ token, id }: PushMessage): void {
    const tokenHash = tokenHashOf(token);
    const entry = this.#quarantined.get(tokenHash);
    if (entry === undefined || entry.untilMs <= this.#timeline.nowMs) return;
    // By another machine: this one hears of it with the next key that it claims.
    if ((this.#journal.releasedAtMs.get(tokenHash) ?? -1) >= entry.sinceMs) return;
    this.#journal.violate('a token in quarantine is not asked for', id);
  }
}
