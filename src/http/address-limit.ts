// Limits addresses whose requests are refused again and again. Only refusals count: an LSP is one address,
// and its good calls are never limited here. Off unless a trusted hop tells the client's address.

import type { IncomingMessage } from 'node:http';
import { type ErrorCode, ServiceError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import { Buckets, type Rate } from '../core/tokens/limits.ts';

const MAX_ADDRESSES = 50_000;
const MAX_ADDRESS_CHARACTERS = 64;

/** What a stranger who guesses or garbles is refused with. A dead token or a full service is not his doing. */
const COUNTED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'bad_query',
  'bad_body',
  'bad_request',
  'not_found',
  'unknown_app',
  'method_not_allowed',
  'push_too_large',
  'body_too_large',
  'token_rejected',
  'bad_signature',
  'stale_timestamp',
  'unauthorized',
  'unknown_handle',
  'unknown_source',
  'unknown_device',
]);

export class AddressLimit {
  readonly #header: string;
  readonly #buckets: Buckets;

  /** `header` is written by the trusted hop (`fly-client-ip`) and replaces what a client claims. */
  constructor(clock: Clock, header: string, refusals: Rate) {
    this.#header = header.toLowerCase();
    this.#buckets = new Buckets(clock, refusals, MAX_ADDRESSES);
  }

  /** Throws `rate_limited` if this address was refused too often. */
  check(incoming: IncomingMessage): void {
    const address = this.addressOf(incoming);
    const waitMs = address === undefined ? 0 : this.#buckets.waitMs(address);
    if (waitMs > 0) {
      throw new ServiceError('rate_limited', { retryAfterSeconds: Math.ceil(waitMs / 1_000) });
    }
  }

  /** Counts a refusal. */
  refused(incoming: IncomingMessage, code: ErrorCode): void {
    const address = this.addressOf(incoming);
    if (address !== undefined && COUNTED.has(code)) this.#buckets.take(address);
  }

  /** The client's address as the trusted hop tells it. */
  addressOf({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
    const value = headers[this.#header];
    if (typeof value !== 'string' || value.length > MAX_ADDRESS_CHARACTERS) return undefined;
    return value;
  }
}
