// Decides what a caller is answered and when: as soon as enough is known about the push and its row, or at the answer
// deadline.

import type { Delivery } from '../delivery.ts';
import { ERRORS, ServiceError } from '../errors.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { SendEnd } from '../sending/endings.ts';
import type { Inserted } from '../sending/ledger.ts';
import type { Dispatch } from './dispatcher.ts';

/** The answer to a call that succeeded. Refusals are `ServiceError`s. */
export interface Answer {
  readonly id: string;
  readonly status: 'delivered' | 'queued' | 'duplicate' | 'ignored';
  /** Present only if a push was delivered although the store could not take its row. */
  readonly logged?: false;
}

/** A push without a row is not kept for later: the database failed, or refused the row because of a bug. */
export function notKept(row: Inserted | undefined): ServiceError {
  return row === 'refused' ? new ServiceError('internal') : storeUnavailable();
}

export function storeUnavailable(): ServiceError {
  const detail = `The push could not be stored for a retry. ${ERRORS.store_unavailable.remedy}`;
  return new ServiceError('store_unavailable', { retryAfterSeconds: 1, detail });
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
      if (reason === 'device_deleted') {
        return new ServiceError('token_rejected', { ...details, detail: DEVICE_DELETED });
      }
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
const DEVICE_DELETED = 'The device was deleted while its push waited.';

export function tokenThrottled(
  heldForMs: number,
  details: { readonly deliveryId?: string; readonly reason?: string } = {},
): ServiceError {
  const retryAfterSeconds = Math.max(1, Math.ceil(heldForMs / 1_000));
  const detail = `The provider takes no more pushes for this token for ${retryAfterSeconds} s.`;
  return new ServiceError('token_throttled', { ...details, detail, retryAfterSeconds });
}

/** What is known of a push while its caller waits. */
interface Known {
  end: SendEnd | undefined;
  /** What became of its row. */
  row: Inserted | undefined;
  /** The answer deadline has passed. */
  over: boolean;
}

/** Undefined while a missing part may still arrive. "Queued" is answered only for deliveries that are in the store. */
function answerOf(delivery: Delivery, known: Known): Answer | ServiceError | undefined {
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

/** Whether the caller was answered `queued`. */
export interface Promised {
  made: boolean;
}

export class Waits {
  readonly #parts: { readonly clock: Clock; readonly policy: Policy };
  /** Ends the wait of each caller that still waits. */
  readonly #waiting = new Set<() => void>();

  constructor(parts: { readonly clock: Clock; readonly policy: Policy }) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Answers all, as at the answer deadline. */
  hurry(): void {
    for (const over of this.#waiting) over();
  }

  /** As soon as the end of the push and its row, or the answer deadline, allow an answer. */
  answer(
    { delivery, end, row }: Dispatch,
    { calledAtMs, promise }: { readonly calledAtMs: number; readonly promise: Promised },
  ): Promise<Answer> {
    const { clock, policy } = this.#parts;
    const { promise: answered, resolve, reject } = Promise.withResolvers<Answer>();
    const known: Known = { end: undefined, row: undefined, over: false };
    // Called two or three times; calls after the answer change nothing.
    const decide = () => {
      const answer = answerOf(delivery, known);
      if (answer === undefined) return;
      leave();
      if (answer instanceof ServiceError) return reject(answer);
      promise.made ||= answer.status === 'queued';
      resolve(answer);
    };
    const hurry = () => {
      known.over = true;
      decide();
    };
    const passedMs = clock.nowMs() - calledAtMs;
    const timer = clock.after(Math.max(0, policy.answerDeadlineMs - passedMs), hurry);
    this.#waiting.add(hurry);
    const leave = () => {
      timer.cancel();
      this.#waiting.delete(hurry);
    };
    const fail = (cause: unknown) => {
      leave();
      reject(cause);
    };
    end.then((sent) => {
      known.end = sent;
      decide();
    }, fail);
    row.then((inserted) => {
      known.row = inserted;
      decide();
    }, fail);
    return answered;
  }
}
