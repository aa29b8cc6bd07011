// Deliveries, settlements and quarantines for the store's tests.

import { createHash } from 'node:crypto';
import type { Attempt, Delivery, Next } from '../../src/core/delivery.ts';
import type { Claim, HastenOptions } from '../../src/core/ports/plans.ts';
import type {
  AcceptedDelivery,
  QuarantineEntry,
  Settlement,
  Store,
} from '../../src/core/ports/store.ts';

/** The service time at which every sample was received. */
export const NOW = 1_754_049_600_000;
export const OWNER = 'owner-a';
export const LEASE_MS = 10_000;
export const DAY_MS = 86_400_000;

/** UUID version 7, in the order of `number`. */
export function sampleId(number: number): string {
  const tail = number.toString(16).padStart(12, '0');
  return `01986476-4c00-7000-8000-${tail}`;
}

export function sampleFingerprint(value: string): string {
  return createHash('sha256').update(value).digest().subarray(0, 16).toString('hex');
}

export function sampleDelivery(number: number, changes: Partial<Delivery> = {}): Delivery {
  return {
    id: sampleId(number),
    target: {
      app: 'default',
      platform: 'android',
      token: `fcm-token-${number}:APA91bH`,
      appData: '{"network":"bitcoin"}',
    },
    provider: 'fcm',
    notification: {
      type: 'payment_received',
      title: 'Incoming payment',
      payload: `{"payment_hash":"${number}"}`,
      lifetimeMs: 60_000,
    },
    tokenHash: sampleFingerprint(`token ${number}`),
    subjectHash: sampleFingerprint(`subject ${number}`),
    receivedAtMs: NOW,
    expiresAtMs: NOW + 60_000,
    attempts: 0,
    unanswered: 0,
    interrupted: false,
    ...changes,
  };
}

export function accept(
  delivery: Delivery,
  changes: Partial<Omit<AcceptedDelivery, 'delivery'>> = {},
): AcceptedDelivery {
  return { delivery, owner: OWNER, leaseUntilMs: NOW + LEASE_MS, ...changes };
}

export const DELIVERED: Attempt = {
  number: 1,
  startedAtMs: NOW + 2,
  latencyMs: 87,
  outcome: {
    kind: 'delivered',
    messageId: '0:1754049600000000%abcdef0123456789',
  },
};

/** A delivery with a lifetime of a day: no caller waits for it. */
export function sampleNews(number: number, changes: Partial<Delivery> = {}): Delivery {
  const race = sampleDelivery(number);
  return {
    ...race,
    notification: { ...race.notification, type: 'tx_confirmed', lifetimeMs: DAY_MS },
    expiresAtMs: NOW + DAY_MS,
    ...changes,
  };
}

export const FAILED: Attempt = {
  number: 1,
  startedAtMs: NOW + 2,
  latencyMs: 2_000,
  outcome: { kind: 'retry', reason: 'timeout', certainty: 'uncertain' },
};

/** Delivered at the first attempt, unless changed. */
export function settlement(
  delivery: Delivery,
  next: Next = { status: 'delivered' },
  changes: Partial<Settlement> = {},
): Settlement {
  return {
    deliveryId: delivery.id,
    owner: OWNER,
    attempt: next.status === 'delivered' ? DELIVERED : FAILED,
    next,
    nowMs: NOW + 100,
    wallMs: changes.nowMs ?? NOW + 100,
    ...changes,
  };
}

export function claim(changes: Partial<Claim> = {}): Claim {
  const nowMs = changes.nowMs ?? NOW;
  return {
    owner: 'owner-b',
    app: 'default',
    provider: 'fcm',
    nowMs,
    wallMs: nowMs + 1,
    select: { kind: 'due' },
    leaseUntilMs: nowMs + LEASE_MS,
    limit: 100,
    ...changes,
  };
}

export const HASTEN: HastenOptions = {
  app: 'default',
  provider: 'fcm',
  nowMs: NOW,
  newsSpreadMs: 1_000,
  restMs: 1_000,
};

/**
 * Accepts a delivery (a given one, or the sample with this number), and lets it wait until `dueAtMs` after a failed
 * attempt.
 */
export async function wait(
  store: Store,
  delivery: number | Delivery,
  dueAtMs: number,
  changes: Partial<Settlement> = {},
): Promise<void> {
  const accepted = typeof delivery === 'number' ? sampleDelivery(delivery) : delivery;
  await store.insert(accept(accepted));
  await store.settle(settlement(accepted, { status: 'queued', dueAtMs }, changes));
}

export async function claimedIds(store: Store, changes: Partial<Claim> = {}): Promise<string[]> {
  const { deliveries } = await store.claimDue(claim(changes));
  return deliveries.map(({ id }) => id);
}

export function quarantineEntry(
  token: string,
  changes: Partial<QuarantineEntry> = {},
): QuarantineEntry {
  return {
    tokenHash: sampleFingerprint(token),
    app: 'default',
    provider: 'apns',
    kind: 'unregistered',
    reason: 'Unregistered',
    sinceMs: NOW,
    untilMs: NOW + 1_000,
    ...changes,
  };
}
