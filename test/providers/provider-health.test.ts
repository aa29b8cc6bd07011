// What readiness learns from outcomes, and how long it keeps that.

import { expect, it } from 'vitest';
import type { Outcome } from '../../src/core/outcome.ts';
import { fcmRemedyFor } from '../../src/providers/fcm/response.ts';
import { Health } from '../../src/providers/http2/provider-client.ts';
import { ManualClock } from '../support/manual-clock.ts';

const MINUTE = 60_000;

function setup() {
  const clock = new ManualClock(Date.UTC(2026, 10, 26, 12));
  const health = new Health({
    clock,
    remedyFor: fcmRemedyFor,
    isBlocking: (reason) => reason.startsWith('oauth_'),
    endsWhenReached: (reason) => reason.startsWith('oauth_'),
  });
  health.reached();
  return { clock, health };
}

const REFUSED: Outcome = { kind: 'misconfigured', reason: 'PERMISSION_DENIED' };
const READY = { ready: true };
const waited: Outcome = { kind: 'retry', reason: 'timeout_waiting', certainty: 'not_started' };

it('is not ready before anything was tried', () => {
  const health = new Health({
    clock: new ManualClock(),
    remedyFor: () => undefined,
    isBlocking: () => false,
    endsWhenReached: () => false,
  });
  expect(health.current).toMatchObject({ ready: false });
});

it('holds a verdict on the credentials for 10 minutes after the last evidence', () => {
  const { clock, health } = setup();
  health.observe(REFUSED);
  clock.advance(9 * MINUTE);
  health.observe(REFUSED);
  clock.advance(9 * MINUTE);
  expect(health.current).toEqual({
    ready: false,
    detail: expect.stringMatching(/^PERMISSION_DENIED: .*grant/),
  });
  clock.advance(MINUTE);
  expect(health.current).toEqual({
    ready: true,
    detail:
      'Last failed at 2026-11-26T12:09:00.000Z (PERMISSION_DENIED); nothing was sent since then.',
  });
  health.observe(REFUSED);
  expect(health.current.ready).toBe(false);
  health.observe({ kind: 'delivered' });
  expect(health.current).toEqual(READY);
});

it.each<Outcome>([
  { kind: 'delivered' },
  { kind: 'unregistered', reason: 'UNREGISTERED' },
  { kind: 'rejected', reason: 'THIRD_PARTY_AUTH_ERROR', blame: 'sender' },
])('takes $kind for the proof that the credentials are good', (outcome) => {
  const { health } = setup();
  health.observe(REFUSED);
  health.observe(outcome);
  expect(health.current).toEqual(READY);
});

it('does not change for a reason that may depend on the token', () => {
  const { health } = setup();
  health.observe({ kind: 'misconfigured', reason: 'status_403' });
  expect(health.current).toEqual(READY);
});

it.each<Outcome>([
  { kind: 'retry', reason: 'UNAVAILABLE', certainty: 'answered' },
  { kind: 'retry', reason: 'timeout', certainty: 'unanswered' },
  { kind: 'retry', reason: 'QUOTA_EXCEEDED', certainty: 'throttled_token' },
])('neither learns nor forgets anything by a retry for $reason', (outcome) => {
  const { health } = setup();
  health.observe(outcome);
  expect(health.current).toEqual(READY);
  health.observe(REFUSED);
  health.observe(outcome);
  expect(health.current.ready).toBe(false);
});

it('forgets why the provider could not be reached once it is reached, but not a refusal', () => {
  const { health } = setup();
  for (const reason of ['connection_refused', 'oauth_invalid_grant', 'tls_untrusted']) {
    health.failed(reason);
    expect(health.current).toMatchObject({ ready: false, detail: expect.stringMatching(reason) });
    health.reached();
    expect(health.current).toEqual(READY);
  }
  health.observe(REFUSED);
  health.reached();
  expect(health.current.ready).toBe(false);
});

it('reports three waits without a free stream and without an answer between them', () => {
  const { health } = setup();
  health.observe(waited);
  health.observe(waited);
  health.observe({ kind: 'retry', reason: 'status_500', certainty: 'answered' });
  health.observe(waited);
  health.observe(waited);
  expect(health.current).toEqual(READY);
  health.observe(waited);
  expect(health.current).toMatchObject({
    ready: false,
    detail: expect.stringMatching(/^timeout_waiting: /),
  });
  health.observe({ kind: 'retry', reason: 'status_500', certainty: 'answered' });
  expect(health.current).toEqual(READY);
});

it('does not replace a known fault by such waits', () => {
  const { health } = setup();
  health.observe(REFUSED);
  for (let waits = 0; waits < 3; waits += 1) health.observe(waited);
  expect(health.current.detail).toMatch(/^PERMISSION_DENIED/);
});
