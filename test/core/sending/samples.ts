// Deliveries and outcomes for the tests of single classes.

import type { Attempt, Delivery, Next } from '../../../src/core/delivery.ts';
import type { Outcome } from '../../../src/core/outcome.ts';
import type { ServiceEvent } from '../../../src/core/ports/observer.ts';
import type { AcceptedDelivery, Settlement } from '../../../src/core/ports/store.ts';
import { notificationOf } from '../../support/virtual-core.ts';

export const OWNER = 'owner';

export const DELIVERED: Outcome = { kind: 'delivered' };
export const FAILED: Outcome = { kind: 'retry', reason: 'UNAVAILABLE', certainty: 'answered' };
export const REFUSED: Outcome = {
  kind: 'retry',
  reason: 'connection_refused',
  certainty: 'not_processed',
};
export const LOST: Outcome = { kind: 'retry', reason: 'connection_lost', certainty: 'uncertain' };
export const TIMEOUT: Outcome = { kind: 'retry', reason: 'timeout', certainty: 'unanswered' };

export function deliveryOf(id: string, nowMs: number, given: Partial<Delivery> = {}): Delivery {
  const notification = notificationOf();
  return {
    id,
    target: { app: 'default', platform: 'android', token: `token of ${id}` },
    provider: 'fcm',
    notification,
    tokenHash: `hash of ${id}`,
    receivedAtMs: nowMs,
    expiresAtMs: nowMs + notification.lifetimeMs,
    attempts: 0,
    unanswered: 0,
    interrupted: false,
    ...given,
  };
}

export function acceptedOf(delivery: Delivery, nowMs: number): AcceptedDelivery {
  return { delivery, owner: OWNER, leaseUntilMs: nowMs + 30_000 };
}

export function attemptOf(number: number, outcome: Outcome): Attempt {
  return { number, startedAtMs: 1, latencyMs: 2, outcome };
}

export function settlementOf(
  deliveryId: string,
  next: Next,
  given: Partial<Settlement> = {},
): Settlement {
  return { deliveryId, owner: OWNER, next, nowMs: 1, wallMs: 1, ...given };
}

/** The bugs that the observer saw: where they were, and the text of their cause. */
export function faultsOf(events: readonly ServiceEvent[]): readonly string[] {
  return events
    .filter((event) => event.name === 'internal_fault')
    .map(({ where, cause }) => `${where}: ${cause instanceof Error ? cause.message : cause}`);
}
