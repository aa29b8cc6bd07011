// The claims of one lane at the store. A claim may leave rows leased to this machine although it does not send them:
// its answer was lost, perhaps after the commit, or a row's earlier run had ended in the store and not yet here. Such
// claims are remembered until their leases end, and repeated; otherwise their rows would wait for that end.

import type { Clock } from '../ports/clock.ts';
import type { ClaimResult, ClaimSelection } from '../ports/plans.ts';
import { type Store, StoreUnavailableError } from '../ports/store.ts';
import type { Lane } from './lane.ts';
import type { Ledger } from './ledger.ts';
import type { Sender } from './sender.ts';

export interface LaneClaimsParts {
  readonly owner: string;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly sender: Sender;
  readonly lane: Lane;
}

export class LaneClaims {
  readonly #parts: LaneClaimsParts;
  /** By end of lease: the deliveries that must not be sent yet; none if the answer was lost. */
  readonly #unsent = new Map<number, readonly string[]>();
  #lastLeaseUntilMs = Number.NEGATIVE_INFINITY;

  constructor(parts: LaneClaimsParts) {
    this.#parts = parts;
  }

  get hasUnsent(): boolean {
    return this.#unsent.size > 0;
  }

  /**
   * Returns the claimed deliveries, without those that must not be sent before an earlier record of them is written.
   * One claim at a time.
   */
  async claim({ select, limit }: { readonly select: ClaimSelection; readonly limit: number }) {
    const { owner, clock, store, lane } = this.#parts;
    const leaseUntilMs = this.#nextLeaseUntilMs();
    const claim = {
      owner,
      app: lane.app,
      provider: lane.provider.name,
      nowMs: clock.nowMs(),
      wallMs: clock.wallMs(),
      select,
      leaseUntilMs,
      limit,
    };
    const claimed = await store.claimDue(claim).catch((error: unknown) => {
      if (isLost(error)) this.#unsent.set(leaseUntilMs, []);
      throw error;
    });
    return this.#withoutUnsent(claimed, leaseUntilMs);
  }

  /** Claims of which no delivery is being sent, newest first: a row that was claimed twice has the newest lease. */
  unsent(): readonly number[] {
    const nowMs = this.#parts.clock.nowMs();
    // Their leases are over, so their rows are claimed like all others.
    for (const until of this.#unsent.keys()) if (until <= nowMs) this.#unsent.delete(until);
    return [...this.#unsent]
      .filter(([, ids]) => !ids.some((id) => this.#isInHand(id)))
      .map(([leaseUntilMs]) => leaseUntilMs)
      .toReversed();
  }

  /** Claims again the rows that one of these claims leased and that are not being sent. */
  async claimAgain(leaseUntilMs: number, limit: number): Promise<ClaimResult> {
    const claimed = await this.claim({ select: { kind: 'unsent', leaseUntilMs }, limit });
    this.#unsent.delete(leaseUntilMs);
    return claimed;
  }

  #withoutUnsent(claimed: ClaimResult, leaseUntilMs: number): ClaimResult {
    const { deliveries } = claimed;
    const inHand = deliveries.map(({ id }) => id).filter((id) => this.#isInHand(id));
    if (inHand.length === 0) return claimed;
    this.#unsent.set(leaseUntilMs, inHand);
    return { ...claimed, deliveries: deliveries.filter(({ id }) => !inHand.includes(id)) };
  }

  /** An earlier record of it is not written yet, or an answer is still expected. */
  #isInHand(deliveryId: string): boolean {
    const { ledger, sender } = this.#parts;
    return ledger.awaitsSettling(deliveryId) || sender.hasInHand(deliveryId);
  }

  /** Unique among the claims of the lane; whole milliseconds, as rows keep them. */
  #nextLeaseUntilMs(): number {
    const { clock, leaseMs } = this.#parts;
    const wishedMs = Math.ceil(clock.nowMs() + leaseMs);
    this.#lastLeaseUntilMs = Math.max(wishedMs, this.#lastLeaseUntilMs + 1);
    return this.#lastLeaseUntilMs;
  }
}

/** It is not known whether the rows were leased. */
function isLost(error: unknown): boolean {
  return error instanceof StoreUnavailableError && error.reason === 'unreachable';
}
