// One notification for several devices of a user: each has its own delivery, and the best outcome is the answer.

import { type ErrorCode, ServiceError } from '../errors.ts';
import type { Notification } from '../notification.ts';
import type { Recipient } from '../target.ts';
import { withoutUndefined } from '../without-undefined.ts';
import type { Answer } from './answers.ts';
import type { Dispatcher } from './dispatcher.ts';

export interface BroadcastAnswer {
  /** Of the notification as a whole. */
  readonly id: string;
  readonly status: Answer['status'];
  readonly deliveries: readonly (Answer | DeviceFailure)[];
}

interface DeviceFailure {
  readonly id?: string;
  readonly status: 'failed';
  readonly code: ErrorCode;
}

const RANK: Readonly<Record<Answer['status'], number>> = {
  delivered: 0,
  queued: 1,
  duplicate: 2,
  ignored: 3,
};

/**
 * Sends to every device. Devices that took the notification answer a repeat as a duplicate, so that it
 * reaches only those that failed. If all failed, rejects with the failure for which a repeat helps most.
 */
export async function broadcast(
  dispatcher: Dispatcher,
  given: {
    readonly id: string;
    readonly sent: readonly {
      readonly notification: Notification;
      readonly recipient: Recipient;
    }[];
    /** Called with what became of each, also if all failed. */
    readonly onEnds: (deliveries: BroadcastAnswer['deliveries']) => void;
  },
): Promise<BroadcastAnswer> {
  const ends = await Promise.allSettled(
    given.sent.map(({ notification, recipient }) => dispatcher.accept(notification, recipient)),
  );
  const answers: Answer[] = [];
  const failures: ServiceError[] = [];
  const deliveries = ends.map((end): Answer | DeviceFailure => {
    if (end.status === 'fulfilled') {
      answers.push(end.value);
      return end.value;
    }
    const failure = asServiceError(end.reason);
    failures.push(failure);
    const id = withoutUndefined({ id: failure.details.deliveryId });
    return { ...id, status: 'failed', code: failure.code };
  });
  given.onEnds(deliveries);
  const [best] = answers.toSorted((one, other) => RANK[one.status] - RANK[other.status]);
  if (best !== undefined) return { id: given.id, status: best.status, deliveries };
  const [worthiest] = failures.toSorted((one, other) => other.status - one.status);
  throw worthiest ?? new ServiceError('unknown_user');
}

function asServiceError(reason: unknown): ServiceError {
  if (reason instanceof ServiceError) return reason;
  return new ServiceError('internal', {}, { cause: reason });
}
