// Deliveries, refusals and evidence as they are in the log.

import type { Evidence } from '../../../src/core/ports/log.ts';
import type { Refusal } from '../../../src/core/ports/records.ts';
import type {
  LoggedAttempt,
  LoggedDelivery,
  QuarantineEntry,
} from '../../../src/core/ports/store.ts';

export const CALLED = Date.UTC(2026, 10, 26, 18, 12, 22, 682);
export const DELIVERY_ID = '01a2191a-970d-71cf-867d-9332ecd8c302';
export const DEVICE_ID = '01a20000-1111-7222-8333-4444ecd8abcd';

/** A try that began this long after the call; it succeeded unless a reason is given. */
export function attempt(number: number, afterMs: number, reason?: string): LoggedAttempt {
  const outcome = reason === undefined ? 'delivered' : 'retry';
  return { number, startedAtMs: CALLED + afterMs, latencyMs: 41, outcome, reason };
}

/** Delivered at once, unless changed. */
export function sampleLogged(changes: Partial<LoggedDelivery> = {}): LoggedDelivery {
  return {
    id: DELIVERY_ID,
    app: 'default',
    platform: 'android',
    provider: 'fcm',
    type: 'payment_received',
    status: 'delivered',
    receivedAtMs: CALLED,
    lifetimeMs: 60_000,
    settledAtMs: CALLED + 43,
    tokenHash: 'a'.repeat(32),
    repeats: 0,
    attempts: [attempt(1, 2)],
    ...changes,
  };
}

export function sampleRefusal(changes: Partial<Refusal> = {}): Refusal {
  return {
    atMs: CALLED,
    lastAtMs: CALLED,
    count: 1,
    door: '/n/:handle',
    source: 'notify',
    app: 'default',
    code: 'rate_limited',
    status: 429,
    isKnown: true,
    ...changes,
  };
}

export function sampleEvidence(changes: Partial<Evidence> = {}): Evidence {
  return {
    found: [],
    deliveries: [],
    refusals: [],
    devices: [],
    quarantined: [],
    outages: [],
    gaps: [],
    isGuess: false,
    madeAtMs: CALLED - 3_600_000,
    ...changes,
  };
}

/** For the token of `sampleLogged`. */
export function sampleQuarantined(changes: Partial<QuarantineEntry> = {}): QuarantineEntry {
  return {
    tokenHash: 'a'.repeat(32),
    app: 'default',
    provider: 'fcm',
    kind: 'unregistered',
    reason: 'UNREGISTERED',
    sinceMs: CALLED - 3_600_000,
    untilMs: CALLED + 3_600_000,
    ...changes,
  };
}
