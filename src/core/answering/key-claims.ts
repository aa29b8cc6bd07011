// Duplicate keys of a store that several machines share. The key is written together with the row before the push, so that
// of two machines that get the same call one pushes; the other waits for what becomes of it. While the store fails or
// does not answer in time, the push goes out without a claim: at worst a second push is sent for the same event.

import type { Delivery } from '../delivery.ts';
import { ServiceError } from '../errors.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { Observer } from '../ports/observer.ts';
import {
  type KeyClaim,
  type KeyedDelivery,
  type QuarantineEntry,
  type Store,
  StoreUnavailableError,
} from '../ports/store.ts';
import type { Inserted, Ledger } from '../sending/ledger.ts';
import type { Quarantine } from '../tokens/quarantine.ts';
import { tokenThrottled } from './answers.ts';

/** Half of the time after which others declare a machine dead, and many times what a claim may take. */
const STOPPED_MS = 3_000;

export interface KeyClaimsParts {
  readonly owner: string;
  readonly clock: Clock;
  readonly policy: Policy;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly quarantine: Quarantine;
  readonly observer: Observer;
}

/**
 * - `free`: this call is the first, as far as the store was asked; `row` is what becomes of its row.
 * - `held`: another delivery has the key.
 */
export type Claimed =
  | { readonly kind: 'free'; readonly isClaimed: boolean; readonly row: Promise<Inserted> }
  | { readonly kind: 'held'; readonly deliveryId: string };

/** What became of the delivery that holds a key; `open` also if the deadline came first. */
export type FirstEnd = 'open' | 'delivered' | 'failed';

export class KeyClaims {
  readonly #parts: KeyClaimsParts;
  /** By key, while the store is asked. */
  readonly #underWay = new Map<string, Promise<unknown>>();
  readonly #following = new Set<() => void>();

  constructor(parts: KeyClaimsParts) {
    this.#parts = parts;
  }

  /** False if this process owns the store: its memory then has the keys. */
  get isNeeded(): boolean {
    return this.#parts.store.claimKey !== undefined;
  }

  /** Pending while another call of this process finds out whether it is the first with this key. Never rejects. */
  underWay(key: string): Promise<unknown> | undefined {
    return this.#underWay.get(key);
  }

  /**
   * The store has until `answerByMs`, service time, at the latest. Rejects with a `ServiceError` if the token is in
   * quarantine. Not while another call claims the key.
   */
  claim(key: string, keyed: KeyedDelivery, answerByMs: number): Promise<Claimed> {
    const claiming = this.#claim(keyed, answerByMs);
    const done = () => this.#underWay.delete(key);
    this.#underWay.set(key, claiming.then(done, done));
    return claiming;
  }

  async #claim(keyed: KeyedDelivery, answerByMs: number): Promise<Claimed> {
    const { clock, policy, ledger } = this.#parts;
    const doubted = this.doubted(keyed.delivery.tokenHash);
    if (ledger.trouble !== undefined) return unclaimed(Promise.resolve('unavailable'));
    const claiming = this.#try(keyed);
    const { promise: over, resolve } = Promise.withResolvers<undefined>();
    const askedAtMs = clock.nowMs();
    const waitMs = Math.max(0, Math.min(policy.claimTimeoutMs, answerByMs - askedAtMs));
    const timer = clock.after(waitMs, () => resolve(undefined));
    const claim = await Promise.race([claiming, over]);
    timer.cancel();
    // This process stood still: other machines may have taken over the row, and sent it.
    if (clock.nowMs() - askedAtMs >= STOPPED_MS) {
      throw new ServiceError('store_unavailable', { retryAfterSeconds: 1 });
    }
    // The row may still be written; then this push is settled in it.
    if (claim === undefined) return unclaimed(claiming.then(rowOf));
    return this.#believe(claim, doubted);
  }

  /** Polls the row until its first attempt has ended or until `untilMs`, however slow the store is. */
  async follow(deliveryId: string, untilMs: number): Promise<FirstEnd> {
    const { clock } = this.#parts;
    const { promise: over, resolve } = Promise.withResolvers<FirstEnd>();
    const end = () => resolve('open');
    const timer = clock.after(Math.max(0, untilMs - clock.nowMs()), end);
    this.#following.add(end);
    try {
      return await Promise.race([this.#look(deliveryId, untilMs), over]);
    } finally {
      timer.cancel();
      this.#following.delete(end);
    }
  }

  /** Ends the wait of all calls that follow a delivery. */
  hurry(): void {
    for (const end of this.#following) end();
  }

  async #look(deliveryId: string, untilMs: number): Promise<FirstEnd> {
    const { clock, policy, store } = this.#parts;
    for (;;) {
      const [row] = await store.findDeliveries({ id: deliveryId, limit: 1 }).catch(unlessSick);
      // A key may outlive the row of what was delivered.
      if (row === undefined || row.status === 'delivered') return 'delivered';
      if (row.status !== 'queued') return 'failed';
      if (row.attempts.length > 0 || clock.nowMs() + policy.followEveryMs > untilMs) return 'open';
      await new Promise<void>((resolve) => clock.after(policy.followEveryMs, resolve));
    }
  }

  /** Reports that the push goes out without its key. */
  tellUnclaimed({ id: deliveryId, provider, target: { app } }: Delivery): void {
    this.#parts.observer.observe({ name: 'key_unclaimed', deliveryId, app, provider });
  }

  /** Memory knows the first call: if the store still writes a row for this one, that row ends without a push. */
  giveUp({ id: deliveryId }: Delivery, row: Promise<Inserted>): void {
    const { owner, clock, ledger } = this.#parts;
    const end = { status: 'expired', reason: 'duplicate' } as const;
    void row.then((inserted) => {
      const now = { nowMs: clock.nowMs(), wallMs: clock.wallMs() };
      return inserted === 'stored' && ledger.settle({ deliveryId, owner, next: end, ...now });
    });
  }

  /** A refusal that this machine remembers, but that another machine may have lifted. */
  doubted(tokenHash: string): QuarantineEntry | undefined {
    const { quarantine, ledger } = this.#parts;
    const entry = quarantine.find(tokenHash);
    return entry === undefined || ledger.isQuarantining(entry) ? undefined : entry;
  }

  #believe(
    claim: KeyClaim | 'unavailable' | 'refused',
    doubted: QuarantineEntry | undefined,
  ): Claimed {
    const { clock, quarantine } = this.#parts;
    if (claim === 'unavailable' || claim === 'refused') {
      return unclaimed(Promise.resolve(claim));
    }
    switch (claim.kind) {
      case 'held':
        return claim;
      case 'quarantined': {
        const { kind, reason, untilMs } = claim.entry;
        if (kind === 'throttled') throw tokenThrottled(untilMs - clock.wallMs(), { reason });
        const code = kind === 'unregistered' ? 'token_unregistered' : 'token_rejected';
        throw new ServiceError(code, { reason });
      }
      case 'taken':
        if (doubted !== undefined) quarantine.absolve(doubted);
        if (claim.hold !== undefined) quarantine.learn(claim.hold);
        return { kind: 'free', isClaimed: true, row: Promise.resolve('stored') };
    }
  }

  /** Never rejects. */
  async #try(keyed: KeyedDelivery): Promise<KeyClaim | 'unavailable' | 'refused'> {
    try {
      return (await this.#parts.store.claimKey?.(keyed)) ?? 'unavailable';
    } catch (cause) {
      if (cause instanceof StoreUnavailableError) return 'unavailable';
      const { id: deliveryId } = keyed.delivery;
      const where = 'store.claim_key';
      this.#parts.observer.observe({ name: 'internal_fault', where, cause, deliveryId });
      return 'refused';
    }
  }
}

function unclaimed(row: Promise<Inserted>): Claimed {
  return { kind: 'free', isClaimed: false, row };
}

/** A late answer no longer claims the key, but `taken` means that the row was stored. */
function rowOf(claim: KeyClaim | 'unavailable' | 'refused'): Inserted {
  if (claim === 'unavailable' || claim === 'refused') return claim;
  return claim.kind === 'taken' ? 'stored' : 'unavailable';
}

/** A store that fails says nothing about the first call; the caller is answered at the deadline. */
function unlessSick(error: unknown): never {
  if (error instanceof StoreUnavailableError) {
    throw new ServiceError('store_unavailable', { retryAfterSeconds: 1 }, { cause: error });
  }
  throw error;
}
