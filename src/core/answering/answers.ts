// What a caller is answered: what is known when the push ended, or at the answer deadline.

import type { Delivery } from '../delivery.ts';
import { ServiceError } from '../errors.ts';
import type { SendEnd } from '../sending/endings.ts';
import type { Inserted } from '../sending/ledger.ts';

/** The answer to a call that succeeded. Refusals are `ServiceError`s. */
export interface Answer {
  readonly id: string;
  readonly status: 'delivered' | 'queued' | 'duplicate' | 'ignored';
  /** Only where the store could not take the row of a push that was delivered all the same. */
  readonly logged?: false;
}

/** A push without a row is not kept for later: the database failed, or refused the row because of a bug. */
export function notKept(row: Inserted | undefined): ServiceError {
  return row === 'refused' ? new ServiceError('internal') : storeUnavailable();
}

export function storeUnavailable(): ServiceError {
  return new ServiceError('store_unavailable', { retryAfterSeconds: 1 });
}

/** The answer to a call whose push ended undelivered. */
export function refusalFor(delivery: Delivery, end: SendEnd): ServiceError {
  const { next, outcome } = end;
  const reason = next.status === 'queued' ? undefined : next.reason;
  const details = { deliveryId: delivery.id, reason };
  if (reason === 'internal_error') return new ServiceError('internal', details);
  switch (next.status) {
    case 'unregistered':
      return new ServiceError('token_unregistered', details);
    case 'rejected': {
      const isMessage = outcome?.kind === 'rejected' && outcome.blame === 'message';
      return new ServiceError(isMessage ? 'message_rejected' : 'token_rejected', details);
    }
    case 'misconfigured':
      return new ServiceError('provider_misconfigured', details);
    case 'expired':
      if (end.heldForMs !== undefined) {
        return tokenThrottled(end.heldForMs, details);
      }
      if (end.isOutage === true) {
        return new ServiceError('provider_unavailable', { ...details, retryAfterSeconds: 1 });
      }
      // A repeat has a useful life of its own.
      return new ServiceError('expired', { ...details, retryAfterSeconds: EXPIRED_RETRY_SECONDS });
    case 'queued':
    case 'delivered':
      throw new Error(`a delivery that is ${next.status} is no refusal`);
  }
}

const EXPIRED_RETRY_SECONDS = 8;

export function tokenThrottled(
  heldForMs: number,
  details: { readonly deliveryId?: string; readonly reason?: string } = {},
): ServiceError {
  const retryAfterSeconds = Math.max(1, Math.ceil(heldForMs / 1_000));
  const detail = `The provider takes no more pushes for this token for ${retryAfterSeconds} s.`;
  return new ServiceError('token_throttled', { ...details, detail, retryAfterSeconds });
}

/** What is known of a push while its caller waits. */
export interface Known {
  end: SendEnd | undefined;
  /** What became of its row. */
  row: Inserted | undefined;
  /** The answer deadline has passed. */
  over: boolean;
}

/** Nothing while what is missing may still come. "Queued" is answered only for what is in the store. */
export function answerOf(delivery: Delivery, known: Known): Answer | ServiceError | undefined {
  const { id } = delivery;
  const { end, row, over } = known;
  if (end === undefined) {
    if (!over) return undefined;
    return row === 'stored' ? { id, status: 'queued' } : notKept(row);
  }
  const isKnown = row !== undefined || over;
  switch (end.next.status) {
    case 'delivered':
      if (row === 'stored') return { id, status: 'delivered' };
      return isKnown ? { id, status: 'delivered', logged: false } : undefined;
    case 'queued':
      if (row === 'stored') return { id, status: 'queued' };
      return isKnown ? notKept(row) : undefined;
    default:
      return refusalFor(delivery, end);
  }
}
