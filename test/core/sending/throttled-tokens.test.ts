// Whose failure it is: a throttled phone, a phone that makes the provider fail, a project over its quota. None of them
// may cost another phone a payment.

import { expect, test } from 'vitest';
import type { Outcome } from '../../../src/core/outcome.ts';
import { readReadiness } from '../../../src/service/readiness.ts';
import {
  CALM,
  createVirtualCore,
  notificationOf,
  recipientOf,
  type VirtualCore,
} from '../../support/virtual-core.ts';

const SECOND = 1_000;

function throttled(
  certainty: 'throttled_token' | 'throttled_project' | 'throttled',
  retryAfterMs?: number,
): Outcome {
  const reason = 'QUOTA_EXCEEDED';
  return {
    kind: 'retry',
    reason,
    certainty,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

const FAILING: Outcome = { kind: 'retry', reason: 'INTERNAL', certainty: 'answered' };

/** The stranger's phone gets the outcome; all other pushes arrive. */
async function setup(outcome: Outcome) {
  const virtual = await createVirtualCore();
  virtual.weather = (push) =>
    push.token.startsWith('stranger') ? { outcome, endsAfterMs: 20, isTaken: false } : CALM(push);
  return virtual;
}

async function call(virtual: VirtualCore, token: string, n = 0) {
  const said: { status?: string; code?: string; retryAfterSeconds?: number } = {};
  const notification = notificationOf({ payload: `{"payment_hash":"${token}${n}"}` });
  virtual.core.dispatcher.accept(notification, recipientOf(token)).then(
    ({ status }) => {
      said.status = status;
    },
    ({ code, details }) => {
      said.code = code;
      said.retryAfterSeconds = details.retryAfterSeconds;
    },
  );
  await virtual.clock.run(50);
  return said;
}

function isReady({ core }: VirtualCore): boolean {
  return readReadiness({ ...core, lanes: core.lanes.all, isDraining: () => false }).ready;
}

test.each([
  ['a throttled token', throttled('throttled_token', 60 * SECOND)],
  ['a 429 that names no quota', throttled('throttled', 60 * SECOND)],
  ['a phone that makes the provider fail', FAILING],
])('%s holds up nobody else', async (_name, outcome) => {
  const virtual = await setup(outcome);
  for (let n = 0; n < 10; n += 1) await call(virtual, 'stranger', n);
  const others: unknown[] = [];
  for (let n = 0; n < 100; n += 1) {
    others.push((await call(virtual, `other${n}`)).status);
    expect(isReady(virtual)).toBe(true);
    if (n % 10 === 0) await call(virtual, 'stranger', n);
  }
  expect(new Set(others)).toEqual(new Set(['delivered']));
});

test('a token held beyond the useful life is 429 with the rest of the hold', async () => {
  const virtual = await setup(throttled('throttled_token', 300 * SECOND));
  const first = await call(virtual, 'stranger', 1);
  expect(first).toEqual({ code: 'token_throttled', retryAfterSeconds: 300 });
  await virtual.clock.run(100 * SECOND);
  const second = await call(virtual, 'stranger', 2);
  expect(second).toEqual({ code: 'token_throttled', retryAfterSeconds: 200 });
  expect(virtual.pushes).toHaveLength(1);
});

test('a hold that ends within the useful life queues, and survives a restart', async () => {
  const virtual = await setup(throttled('throttled_token', 30 * SECOND));
  const first = await call(virtual, 'stranger', 1);
  await virtual.restart();
  virtual.weather = CALM;
  const second = await call(virtual, 'stranger', 2);
  expect([first.status, second.status]).toEqual(['queued', 'queued']);
  await virtual.clock.run(25 * SECOND);
  expect(virtual.pushes).toHaveLength(1);
  await virtual.clock.run(10 * SECOND);
  expect(virtual.pushes.filter(({ isTaken }) => isTaken)).toHaveLength(2);
});

test('a hold survives the closing of the breaker', async () => {
  const virtual = await setup(throttled('throttled_token', 40 * SECOND));
  await call(virtual, 'stranger', 1);
  virtual.weather = () => ({ outcome: FAILING, endsAfterMs: 10, isTaken: false });
  for (let n = 0; n < 5; n += 1) await call(virtual, `other${n}`);
  virtual.weather = CALM;
  await virtual.clock.run(20 * SECOND);
  const strangers = virtual.pushes.filter(({ token }) => token === 'stranger');
  expect(strangers).toHaveLength(1);
  await virtual.clock.run(25 * SECOND);
  expect(virtual.pushes.filter(({ token }) => token === 'stranger')).toHaveLength(2);
});

test('three different tokens with a 429 that names no quota mean the project, which is no outage', async () => {
  const virtual = await setup(throttled('throttled'));
  const calls = [];
  for (let n = 0; n < 6; n += 1) calls.push(await call(virtual, `stranger${n}`));
  expect(isReady(virtual)).toBe(true);
  virtual.weather = CALM;
  await virtual.clock.run(30 * SECOND);
  expect(calls.map(({ status }) => status)).toEqual(Array(6).fill('queued'));
  expect(virtual.pushes.filter(({ isTaken }) => isTaken)).toHaveLength(6);
});

test('a quota of the project slows the lane down and never stops it', async () => {
  const virtual = await createVirtualCore({ environment: { NDS_MAX_IN_FLIGHT: '100' } });
  const [lane] = virtual.core.lanes.all;
  virtual.weather = () => ({
    outcome: throttled('throttled_project', 20 * SECOND),
    endsAfterMs: 20,
    isTaken: false,
  });
  for (let n = 0; n < 40; n += 1) await call(virtual, `t${n}`);
  expect(lane?.isOpen).toBe(false);
  expect(lane?.freePlaces('proven')).toBe(8);
  virtual.weather = CALM;
  await virtual.clock.run(50 * SECOND);
  expect(new Set([...virtual.store.rows.values()].map(({ status }) => status))).toEqual(
    new Set(['delivered']),
  );
  expect(lane?.freePlaces('proven')).toBeGreaterThan(8);
});
