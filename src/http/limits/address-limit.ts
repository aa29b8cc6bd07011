// How many unknown push tokens that the provider refuses an address may try: each costs a push, and Apple
// closes connections that carry many bad tokens. An LSP is one address, with good and stale webhooks alike, so
// calls for tokens that ever worked, for registered devices and for tokens known to be dead are never limited.

import { type ErrorCode, ServiceError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports/clock.ts';
import { Buckets, type Rate, refuseFor } from '../../core/tokens/limits.ts';

const MAX_ADDRESSES = 50_000;

/** The refusals that are the provider's verdict on a token. */
const REFUSED_TOKEN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'token_rejected',
  'token_unregistered',
]);

export interface AddressLimitOptions {
  readonly clock: Clock;
  readonly rate: Rate;
  /** Called for each call that is refused. */
  readonly onLimited: () => void;
}

export class AddressLimit {
  readonly #allowance: Buckets;
  readonly #onLimited: () => void;

  constructor({ clock, rate, onLimited }: AddressLimitOptions) {
    this.#allowance = new Buckets(clock, rate, MAX_ADDRESSES);
    this.#onLimited = onLimited;
  }

  /**
   * Runs `push` for an address. Throws `rate_limited` instead if the token is unknown and the address has used
   * up its allowance. An unknown token that the provider refuses takes one; every success gives one back.
   */
  async guard<Result>(
    { address, isUnknownToken }: { readonly address: string; readonly isUnknownToken: boolean },
    push: () => Promise<Result>,
  ): Promise<Result> {
    if (isUnknownToken) this.#check(address);
    try {
      const result = await push();
      this.#allowance.giveBack(address);
      return result;
    } catch (error) {
      if (isUnknownToken && isRefusedToken(error)) this.#allowance.take(address);
      throw error;
    }
  }

  #check(address: string): void {
    const waitMs = this.#allowance.waitMs(address);
    if (waitMs > 0) this.#onLimited();
    refuseFor(waitMs, LIMIT, 'address_rate');
  }
}

const LIMIT =
  'The provider refused too many unknown push tokens from this address (NDS_ADDRESS_RATE). Tokens that ever worked are not limited.';

function isRefusedToken(error: unknown): boolean {
  return error instanceof ServiceError && REFUSED_TOKEN.has(error.code);
}
