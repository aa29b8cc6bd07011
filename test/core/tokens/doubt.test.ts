// When the service's own settings are doubted instead of the tokens, because of which tokens, and for how long.

import { expect, test } from 'vitest';
import { Doubt, type TokenEvidence } from '../../../src/core/tokens/doubt.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function setup() {
  const clock = new ManualClock();
  const doubt = new Doubt(clock);
  return {
    clock,
    doubt,
    verdict: () => doubt.of('default', 'fcm'),
    die: (count: number, given: Partial<TokenEvidence> = {}) =>
      Array.from({ length: count }, (_, n) => doubt.weigh(evidence(n, given), true)),
  };
}

function evidence(n: number, given: Partial<TokenEvidence> = {}): TokenEvidence {
  return {
    app: 'default',
    provider: 'fcm',
    tokenHash: `token ${n}`,
    provenForMs: 2 * HOUR,
    ...given,
  };
}

test('one more than half of the last forty trusted devices dead raises doubt', () => {
  const { doubt, die, verdict } = setup();
  const changes = die(21);
  expect(changes.slice(0, 20)).toEqual(Array(20).fill(undefined));
  expect(changes[20]).toMatchObject({ kind: 'began', pardoned: expect.any(Array) });
  expect(doubt.doubtsDeaths('default', 'fcm')).toBe(true);
  expect(verdict()).toContain('come back dead');
});

test('one device that dies again and again raises no doubt', () => {
  const { doubt, verdict } = setup();
  for (let n = 0; n < 40; n += 1) doubt.weigh(evidence(1), true);
  expect(verdict()).toBeUndefined();
});

test.each([
  ['tokens that never worked', { provenForMs: undefined }],
  ['tokens that have worked for less than an hour', { provenForMs: HOUR - 1 }],
])('%s raise no doubt, however many die', (_name, given) => {
  const { die, verdict } = setup();
  die(200, given);
  expect(verdict()).toBeUndefined();
});

test('registered devices count from their first push on', () => {
  const { doubt, verdict } = setup();
  for (let n = 0; n < 21; n += 1) {
    doubt.weigh(evidence(n, { provenForMs: 1_000, deviceId: `device ${n}` }), true);
  }
  expect(verdict()).toBeDefined();
});

test('deaths that are spread over more than a minute are a wave of reinstalled apps', () => {
  const { clock, doubt, verdict } = setup();
  for (let n = 0; n < 60; n += 1) {
    doubt.weigh(evidence(n), true);
    clock.advance(3_500);
  }
  expect(verdict()).toBeUndefined();
});

test('doubt about deaths ends when devices are alive again, and pardons no token twice', () => {
  const { doubt, die, verdict } = setup();
  die(21);
  const changes = Array.from({ length: 40 }, (_, n) => doubt.weigh(evidence(100 + n), false));
  expect(changes.filter((change) => change !== undefined)).toEqual([{ kind: 'ended' }]);
  expect(verdict()).toBeUndefined();
});

test('a verdict ends with its evidence, without any traffic', () => {
  const { clock, doubt, die, verdict } = setup();
  die(21);
  clock.advance(10 * MINUTE);
  expect(verdict()).toBeUndefined();
  expect(doubt.doubtsDeaths('default', 'fcm')).toBe(false);
});

test('a push that arrives ends the doubt about the message', () => {
  const { doubt, verdict } = setup();
  for (let n = 0; n < 3; n += 1) doubt.noteMalformed(evidence(n));
  doubt.weigh(evidence(1), false);
  expect(verdict()).toBeUndefined();
});

test('three proven tokens called malformed within ten minutes mean that the message is wrong', () => {
  const { clock, doubt, verdict } = setup();
  expect([1, 2, 2].map((n) => doubt.noteMalformed(evidence(n)))).toEqual([false, false, false]);
  expect(doubt.noteMalformed(evidence(3))).toBe(true);
  expect(verdict()).toContain('refuses messages');
  clock.advance(10 * MINUTE);
  expect(doubt.noteMalformed(evidence(4))).toBe(false);
});

test('doubt about one app and provider does not affect another', () => {
  const { doubt, die } = setup();
  die(21);
  expect(doubt.of('default', 'apns')).toBeUndefined();
  expect(doubt.of('other', 'fcm')).toBeUndefined();
});
