// How many costly signatures are verified a second, and who waits when more come, in virtual time.

import { expect, test } from 'vitest';
import { ServiceError } from '../../src/core/errors.ts';
import { Forgeries } from '../../src/http/limits/forgeries.ts';
import { type SignatureCheck, SignatureGate } from '../../src/http/limits/signature-gate.ts';
import { ManualClock } from '../support/manual-clock.ts';

const STEP_MS = 10;

function setup() {
  const clock = new ManualClock();
  const forgeries = new Forgeries(clock);
  const gate = new SignatureGate(clock, forgeries);
  let verified = 0;
  /** What a route does: a place at the gate, the check, a note of a wrong signature. */
  const call = async (check: SignatureCheck, isForged: boolean): Promise<boolean> => {
    try {
      await gate.admit(check);
    } catch (error) {
      expect(error).toBeInstanceOf(ServiceError);
      expect(error).toMatchObject({ code: 'rate_limited', details: { retryAfterSeconds: 1 } });
      return false;
    }
    verified += 1;
    if (isForged) forgeries.count(check.url);
    return true;
  };
  /** Moves the clock on; what was admitted meanwhile goes on before the next step. */
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, call, pass, verified: () => verified };
}

test('verifies at once what comes at the pace of a busy LSP', async () => {
  const { call, pass } = setup();
  for (let number = 0; number < 500; number += 1) {
    expect(await call({ url: `device ${number}`, address: 'lsp' }, false)).toBe(true);
    await pass(STEP_MS);
  }
});

test('verifies no more than 100 a second in all, and no more than 20 at a URL with forgeries', async () => {
  const { call, pass, verified } = setup();
  const flood = async (seconds: number, urls: number) => {
    for (let ms = 0; ms < seconds * 1_000; ms += STEP_MS) {
      for (let number = 0; number < 10; number += 1) {
        void call({ url: `url ${(ms / STEP_MS + number) % urls}`, address: 'forger' }, true);
      }
      await pass(STEP_MS);
    }
  };
  await flood(10, 1);
  expect(verified()).toBeLessThanOrEqual(20 + 10 * 20 + 10);
  const before = verified();
  await flood(10, 50);
  expect(verified() - before).toBeLessThanOrEqual(100 + 10 * 100);
});

test('1,000 forgeries a second at one URL: every good call at other URLs passes, 9 of 10 at this one', async () => {
  for (const forgers of [1, 3, 8]) {
    const { call, pass } = setup();
    const atOthers: Promise<boolean>[] = [];
    const atThis: Promise<boolean>[] = [];
    for (let step = 0; step < 2_000; step += 1) {
      for (let number = 0; number < 10; number += 1) {
        const address = `forger ${number % forgers}`;
        void call({ url: 'attacked', address }, true);
      }
      const hasAttackBegun = step >= 100;
      if (hasAttackBegun && step % 4 === 0) {
        atOthers.push(call({ url: `device ${step % 97}`, address: 'lsp' }, false));
      }
      if (hasAttackBegun && step % 50 === 0) {
        atThis.push(call({ url: 'attacked', address: 'lsp' }, false));
      }
      await pass(STEP_MS);
    }
    await pass(1_000);
    const share = async (calls: readonly Promise<boolean>[]) => {
      const passed = (await Promise.all(calls)).filter((isPassed) => isPassed);
      return passed.length / calls.length;
    };
    expect(await share(atOthers), `${forgers} forgers`).toBe(1);
    expect(await share(atThis), `${forgers} forgers`).toBeGreaterThanOrEqual(0.9);
  }
});

test('forgeries at many URLs do not displace a good call at another one', async () => {
  const { call, pass } = setup();
  const good: Promise<boolean>[] = [];
  for (let step = 0; step < 1_000; step += 1) {
    for (let number = 0; number < 10; number += 1) {
      void call({ url: `attacked ${number}`, address: 'forger' }, true);
    }
    if (step % 10 === 0) good.push(call({ url: `device ${step}`, address: 'lsp' }, false));
    await pass(STEP_MS);
  }
  await pass(1_000);
  expect((await Promise.all(good)).filter((isPassed) => !isPassed)).toEqual([]);
});

test('a call waits 500 ms at most, and of more than 50 the newest of the largest crowd goes', async () => {
  const { clock, call, pass } = setup();
  const first = Array.from({ length: 100 }, (_, number) => {
    return call({ url: `${number}`, address: 'lsp' }, false);
  });
  expect(await Promise.all(first)).toEqual(Array(100).fill(true));
  const waiting = Array.from({ length: 60 }, () => call({ url: 'one', address: 'a' }, false));
  const other = call({ url: 'other', address: 'b' }, false);
  const ended: boolean[] = [];
  for (const one of waiting) void one.then((isPassed) => ended.push(isPassed));
  await pass(0);
  expect(ended).toEqual(Array(11).fill(false));
  await pass(STEP_MS);
  await pass(STEP_MS);
  expect(await other).toBe(true);
  await pass(500);
  expect(ended).toHaveLength(60);
  expect(clock.timers).toBe(0);
});

test('a minute after its last forgery, a URL has no lower bound than others', async () => {
  const { call, pass, verified } = setup();
  const check = { url: 'attacked', address: 'forger' };
  for (let number = 0; number < 20; number += 1) await call(check, true);
  void call(check, false);
  void call(check, false);
  await pass(0);
  expect(verified()).toBe(21);
  await pass(60_000);
  const calls = Array.from({ length: 50 }, () => call({ url: 'attacked', address: 'lsp' }, false));
  expect(await Promise.all(calls)).toEqual(Array(50).fill(true));
});
