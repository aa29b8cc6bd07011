// Days of a vendor with little traffic: one phone or a few, an outage of some seconds, restarts in a row, news beside
// races.

import { expect, test } from 'vitest';
import type { Outcome } from '../../../src/core/outcome.ts';
import {
  CALM,
  createVirtualCore,
  notificationOf,
  recipientOf,
  type VirtualCore,
  type Weather,
} from '../../support/virtual-core.ts';

const SECOND = 1_000;

const REFUSED: Outcome = {
  kind: 'retry',
  reason: 'connection_refused',
  certainty: 'not_processed',
};
const RESET: Outcome = { kind: 'retry', reason: 'stream_reset', certainty: 'unanswered' };

function refusedUntil(ms: number): Weather {
  return (push) => {
    return push.atMs < ms ? { outcome: REFUSED, endsAfterMs: 2, isTaken: false } : CALM(push);
  };
}

function misconfiguredUntil(ms: number): Weather {
  const outcome: Outcome = { kind: 'misconfigured', reason: 'InvalidProviderToken' };
  return (push) => (push.atMs < ms ? { outcome, endsAfterMs: 20, isTaken: false } : CALM(push));
}

function unavailable(retryAfterMs: number): Outcome {
  return { kind: 'retry', reason: 'UNAVAILABLE', certainty: 'answered', retryAfterMs };
}

async function told(virtual: VirtualCore, token: string, given = {}): Promise<string[]> {
  const said: string[] = [];
  const notification = notificationOf({ payload: `{"payment_hash":"${token}"}`, ...given });
  virtual.core.dispatcher.accept(notification, recipientOf(token)).then(
    ({ status }) => said.push(status),
    (error: { readonly code?: string }) => said.push(error.code ?? 'internal'),
  );
  await virtual.clock.run(0);
  return said;
}

test('delivers a lone payment after an outage of six seconds', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(6 * SECOND);
  const said = await told(virtual, 'a');
  await virtual.clock.run(60 * SECOND);
  expect(said).toEqual(['queued']);
  expect(virtual.pushes.at(-1)).toMatchObject({ isTaken: true });
  expect(virtual.pushes.at(-1)?.atMs).toBeLessThan(8 * SECOND);
});

test('delivers a push with 22 s of useful life after an outage of 15 s', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(15 * SECOND);
  await told(virtual, 'a', { type: 'lnurlpay_invoice', lifetimeMs: 30 * SECOND });
  await virtual.clock.run(30 * SECOND);
  expect(virtual.pushes.at(-1)).toMatchObject({ isTaken: true });
});

test('delivers after restarts every two seconds through an outage', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(15 * SECOND);
  await told(virtual, 'a');
  for (let n = 0; n < 10; n += 1) {
    await virtual.clock.run(2 * SECOND);
    await virtual.restart();
  }
  await virtual.clock.run(45 * SECOND);
  expect(virtual.pushes.filter(({ isTaken }) => isTaken)).toHaveLength(1);
});

test('keeps planned times over a restart, and sends at once only what was under way', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(4 * SECOND);
  await told(virtual, 'queued');
  await virtual.clock.run(3_500);
  virtual.weather = (push) => ({ ...CALM(push), endsAfterMs: 1_900 });
  await told(virtual, 'under way');
  await virtual.restart(100);
  const sinceRestart = virtual.pushes.filter(({ atMs }) => atMs >= virtual.atMs);
  expect(sinceRestart.map(({ token }) => token)).toEqual(['under way']);
});

test.each([120, 3_600])('a Retry-After of %i s does not outlast the outage', async (seconds) => {
  const virtual = await createVirtualCore();
  virtual.weather = (push) =>
    push.atMs < 3 * SECOND
      ? { outcome: unavailable(seconds * SECOND), endsAfterMs: 10, isTaken: false }
      : CALM(push);
  const calls: string[][] = [];
  for (let n = 0; n < 20; n += 1) calls.push(await told(virtual, `t${n}`));
  await virtual.clock.run(60 * SECOND);
  expect(new Set(calls.flat())).toEqual(new Set(['queued']));
  const arrived = new Set(
    virtual.pushes.filter(({ isTaken }) => isTaken).map(({ token }) => token),
  );
  expect(arrived.size).toBe(20);
  expect(virtual.pushes.at(-1)?.atMs).toBeLessThan(15 * SECOND);
});

test('delivers although 85 of 100 streams are reset for 15 s', async () => {
  const virtual = await createVirtualCore();
  let n = 0;
  virtual.weather = (push) => {
    n += 1;
    const isReset = push.atMs < 15 * SECOND && n % 20 < 17;
    return isReset ? { outcome: RESET, endsAfterMs: 20, isTaken: false } : CALM(push);
  };
  for (let count = 0; count < 10; count += 1) {
    await told(virtual, `t${count}`);
    await virtual.clock.run(SECOND);
  }
  await virtual.clock.run(60 * SECOND);
  const statuses = [...virtual.store.rows.values()].map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set(['delivered']));
});

test('refuses a race at once in an outage older than a minute, but takes news', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(Number.POSITIVE_INFINITY);
  for (let n = 0; n < 60; n += 1) {
    await told(virtual, `t${n}`);
    await virtual.clock.run(SECOND);
  }
  await virtual.clock.run(10);
  const pushes = virtual.pushes.length;
  const race = await told(virtual, 'race');
  const second = await told(virtual, 'second race');
  const news = await told(virtual, 'news', {
    type: 'swap_updated',
    lifetimeMs: 24 * 3_600 * SECOND,
  });
  await virtual.clock.run(100);
  expect([race, second]).toEqual([['provider_unavailable'], ['provider_unavailable']]);
  expect(news).toEqual(['queued']);
  // One of them may have been the probe.
  expect(virtual.pushes.length - pushes).toBeLessThanOrEqual(2);
});

test('takes the race that is the probe when the old outage is over', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(70 * SECOND);
  for (let n = 0; n < 60; n += 1) {
    await told(virtual, `t${n}`);
    await virtual.clock.run(SECOND);
  }
  await virtual.clock.run(60 * SECOND);
  const said = await told(virtual, 'after');
  await virtual.clock.run(100);
  expect(said).toEqual(['delivered']);
});

test('a failure an hour ago is no outage', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(60 * SECOND);
  await told(virtual, 'a');
  await virtual.clock.run(3_600 * SECOND);
  virtual.weather = refusedUntil(3_602 * SECOND);
  const said = await told(virtual, 'b');
  await virtual.clock.run(10 * SECOND);
  expect(said).toEqual(['queued']);
  expect(virtual.pushes.at(-1)).toMatchObject({ token: 'b', isTaken: true });
});

test('sends races before news when a provider returns, and news within a minute', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(20 * SECOND);
  for (let n = 0; n < 20; n += 1) {
    await told(virtual, `news${n}`, { type: 'swap_updated', lifetimeMs: 24 * 3_600 * SECOND });
    await told(virtual, `race${n}`);
  }
  await virtual.clock.run(21 * SECOND);
  const taken = () => virtual.pushes.filter(({ isTaken }) => isTaken).map(({ token }) => token);
  // One was tried within the last second, and keeps its time.
  const races = taken().filter((token) => token.startsWith('race'));
  expect(races.length).toBeGreaterThanOrEqual(19);
  await virtual.clock.run(65 * SECOND);
  expect(new Set(taken()).size).toBe(40);
});

test('keeps a queued payment while the key is rotated for 40 s', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(2 * SECOND);
  const said = await told(virtual, 'a');
  await virtual.clock.run(500);
  virtual.weather = misconfiguredUntil(40 * SECOND);
  await virtual.clock.run(60 * SECOND);
  expect(said).toEqual(['queued']);
  expect(virtual.pushes.at(-1)).toMatchObject({ isTaken: true });
});

test('keeps queued news while the key is rotated for 240 s, and sends it within a minute after', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(2 * SECOND);
  const news = { type: 'swap_updated', lifetimeMs: 24 * 3_600 * SECOND };
  const said = await told(virtual, 'a', news);
  await virtual.clock.run(500);
  virtual.weather = misconfiguredUntil(240 * SECOND);
  await virtual.clock.run(302 * SECOND);
  expect(said).toEqual(['queued']);
  expect(virtual.pushes.at(-1)).toMatchObject({ isTaken: true });
});

test('a repeat of a queued payment renews it instead of making a second', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(58 * SECOND);
  const first = await told(virtual, 'a');
  await virtual.clock.run(40 * SECOND);
  const repeat = await told(virtual, 'a');
  await virtual.clock.run(60 * SECOND);
  expect([first, repeat]).toEqual([['queued'], ['duplicate']]);
  expect(virtual.store.rows.size).toBe(1);
  expect(virtual.pushes.filter(({ isTaken }) => isTaken)).toHaveLength(1);
});

test('ends the open deliveries of an app that was removed from the configuration', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(Number.POSITIVE_INFINITY);
  await told(virtual, 'a');
  await virtual.clock.run(5 * SECOND);
  virtual.core.retrier.stop();
  await virtual.clock.run(60 * SECOND);
  const nowMs = virtual.clock.nowMs();
  const ended = await virtual.store.expireOverdue({ nowMs, wallMs: nowMs, limit: 10 });
  expect(ended).toHaveLength(1);
});

test('sends deliveries that waited for the credentials as soon as another push shows that they work', async () => {
  const virtual = await createVirtualCore();
  virtual.weather = refusedUntil(2 * SECOND);
  await told(virtual, 'a');
  await virtual.clock.run(500);
  virtual.weather = misconfiguredUntil(15 * SECOND);
  await virtual.clock.run(20 * SECOND);
  const said = await told(virtual, 'b');
  await virtual.clock.run(2 * SECOND);
  expect(said).toEqual(['delivered']);
  expect(virtual.pushes.at(-1)).toMatchObject({ token: 'a', isTaken: true });
});
