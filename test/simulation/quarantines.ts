// The quarantines that one life of the service began: no push may be sent to such a token before the quarantine ends,
// is lifted, or a push that arrives proves that the token lives.

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

/** The shortest quarantine, which is that of a bad token: ten minutes. */
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

  /** Too many tokens of a provider seemed dead, so pushes are sent to all of them again. */
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

  /**
   * Another machine may have lifted it. A call that does not ask the store goes to the provider, and so do the
   * deliveries that waited before.
   */
  accepted({ token, call, isUnclaimed }: DeliveryRecord): void {
    const isUnasked = isUnclaimed === true || call?.isQuestion === true;
    if (this.#journal.fleet !== undefined && isUnasked)
      this.#quarantined.delete(tokenHashOf(token));
  }

  /** Called when a push for it is sent. */
  check({ token, id }: PushMessage): void {
    const tokenHash = tokenHashOf(token);
    const entry = this.#quarantined.get(tokenHash);
    if (entry === undefined || entry.untilMs <= this.#timeline.nowMs) return;
    // Another machine lifted it; this one learns that with the next key that it claims.
    if ((this.#journal.releasedAtMs.get(tokenHash) ?? -1) >= entry.sinceMs) return;
    this.#journal.violate('a token in quarantine is not asked for', id);
  }
}
