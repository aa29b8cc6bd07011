// Outages that begin while pushes are under way, outages with a Retry-After, and providers that answer late.

import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/core/outcome.ts';
import { fcm, understood } from '../../support/provider-answers.ts';
import { CALM, createVirtualCore, type Weather } from '../../support/virtual-core.ts';
import {
  expectOutageSurvived,
  KINDS,
  type Kind,
  outage,
  pushesOf,
  quietVendor,
  SECOND,
  suffer,
} from './outage.ts';

const LOST: Outcome = understood('fcm', { failure: 'connection_lost' });
const TIMEOUT: Outcome = understood('fcm', { failure: 'timeout' });

/** Answers take 800 ms; those that the outage overtakes are lost with their connection. */
function overtaken(
  kind: Kind,
  span: { readonly fromMs: number; readonly untilMs: number },
): Weather {
  const away = outage(kind, 'fcm', span);
  return (push) => {
    if (push.atMs >= span.fromMs) return away(push);
    const leftMs = span.fromMs - push.atMs;
    return leftMs > 800
      ? { ...CALM(push), endsAfterMs: 800 }
      : { outcome: LOST, endsAfterMs: leftMs, isTaken: false };
  };
}

describe.each(KINDS)('an outage by %s that begins while pushes are in flight', (kind) => {
  test.each([
    [3, 1],
    [3, 10],
    [6, 3],
    [14, 50],
    [40, 10],
  ])('for %i s, %i waiting', async (seconds, waiting) => {
    const virtual = await quietVendor('fcm');
    const fromMs = virtual.atMs + 400;
    const untilMs = fromMs + seconds * SECOND;
    const weather = overtaken(kind, { fromMs, untilMs });
    // All of them start before the outage does.
    const suffering = { provider: 'fcm', seconds: 0.6, waiting } as const;
    const calls = await suffer(virtual, weather, suffering);
    await virtual.clock.run(seconds * SECOND);
    expectOutageSurvived(virtual, calls, { kind, untilMs, seconds });
  });
});

describe.each([1, 5, 30, 120, 3_600])('503 with a Retry-After of %i s', (retryAfterS) => {
  test.each([
    [3, 1],
    [3, 20],
    [14, 5],
    [14, 50],
  ])('for %i s, %i waiting', async (seconds, waiting) => {
    const virtual = await quietVendor('fcm');
    const fromMs = virtual.atMs;
    const untilMs = fromMs + seconds * SECOND;
    const said = fcm(503, 'UNAVAILABLE', { 'retry-after': `${retryAfterS}` });
    const unavailable = { outcome: understood('fcm', said), endsAfterMs: 20, isTaken: false };
    const weather: Weather = (push) => (push.atMs < untilMs ? unavailable : CALM(push));
    const calls = await suffer(virtual, weather, { provider: 'fcm', seconds, waiting });
    expectOutageSurvived(virtual, calls, { kind: '503', untilMs, seconds });
    // However long a Retry-After is, no delivery waits for more than ten seconds after the provider's return.
    const lastMs = Math.max(
      ...calls.map(({ token }) => pushesOf(virtual, token).at(-1)?.atMs ?? 0),
    );
    expect(lastMs).toBeLessThan(untilMs + 12 * SECOND);
  });
});

test.each([1, 2, 3, 5, 10, 50])(
  'a provider that answers after 3 s costs at most two pushes each, %i waiting',
  async (waiting) => {
    const virtual = await createVirtualCore();
    const late = { outcome: { kind: 'delivered' }, afterMs: 3 * SECOND } as const;
    const weather: Weather = ({ timeoutMs }) => ({
      outcome: TIMEOUT,
      endsAfterMs: timeoutMs,
      isTaken: true,
      late,
    });
    const calls = await suffer(virtual, weather, { provider: 'fcm', seconds: 10, waiting });
    for (const { token, told } of calls) {
      expect(pushesOf(virtual, token).length, token).toBeLessThanOrEqual(2);
      expect(told.code).toBeUndefined();
    }
    const statuses = [...virtual.store.rows.values()].map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set(['delivered']));
  },
);
