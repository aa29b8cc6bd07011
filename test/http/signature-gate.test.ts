// How many costly signatures are verified a second, and which calls wait when more come, in virtual time.

import { expect, test } from 'vitest';
import { ServiceError } from '../../src/core/errors.ts';
import { type SignatureCheck, SignatureGate } from '../../src/http/limits/signature-gate.ts';
import { ManualClock } from '../support/manual-clock.ts';

const STEP_MS = 10;

function setup() {
  const clock = new ManualClock();
  const gate = new SignatureGate(clock);
  let verified = 0;
  /** Whether it is verified. */
  const call = async (check: SignatureCheck): Promise<boolean> => {
    try {
      await gate.admit(check);
    } catch (error) {
      expect(error).toBeInstanceOf(ServiceError);
      expect(error).toMatchObject({ code: 'rate_limited', details: { retryAfterSeconds: 1 } });
      return false;
    }
    verified += 1;
    return true;
  };
  /** Moves the clock on; calls that were admitted meanwhile continue before the next step. */
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, call, pass, verified: () => verified };
}

test('verifies at once what comes at the pace of a busy LSP', async () => {
  const { call, pass } = setup();
  for (let number = 0; number < 500; number += 1) {
    expect(await call({ url: `device ${number}`, address: 'lsp' })).toBe(true);
    await pass(STEP_MS);
  }
});

test('verifies no more than 1,500 a second', async () => {
  for (const urls of [1, 50]) {
    const { call, pass, verified } = setup();
    for (let step = 0; step < 200; step += 1) {
      for (let number = 0; number < 40; number += 1) {
        void call({ url: `url ${(step + number) % urls}`, address: 'forger' });
      }
      await pass(STEP_MS);
    }
    expect(verified()).toBeGreaterThan(1_400 * 2);
    expect(verified()).toBeLessThanOrEqual(200 + 1_500 * 2);
  }
});

/** The shares of the valid calls that are verified, at other URLs and at the one that gets the forgeries. */
async function flood({ perSecond, forgers, lsp }: Flood) {
  const { call, pass } = setup();
  const atOthers: Promise<boolean>[] = [];
  const atThis: Promise<boolean>[] = [];
  for (let step = 0; step < 500; step += 1) {
    for (let number = 0; number < (perSecond * STEP_MS) / 1_000; number += 1) {
      void call({ url: 'attacked', address: forgers[number % forgers.length] ?? '' });
    }
    const hasAttackBegun = step >= 100;
    if (hasAttackBegun && step % 4 === 0) {
      atOthers.push(call({ url: `device ${step % 97}`, address: lsp }));
    }
    if (hasAttackBegun && step % 20 === 0) atThis.push(call({ url: 'attacked', address: lsp }));
    await pass(STEP_MS);
  }
  await pass(1_000);
  const share = async (calls: readonly Promise<boolean>[]) => {
    const passed = (await Promise.all(calls)).filter((isPassed) => isPassed);
    return passed.length / calls.length;
  };
  return { atOthers: await share(atOthers), atThis: await share(atThis) };
}

interface Flood {
  readonly perSecond: number;
  /** The addresses of the forgers. */
  readonly forgers: readonly string[];
  readonly lsp: string;
}

test('1,000 forgeries a second at one URL push out no valid call, even if all have one address', async () => {
  const passed = await flood({ perSecond: 1_000, forgers: ['proxy'], lsp: 'proxy' });
  expect(passed).toEqual({ atOthers: 1, atThis: 1 });
});

test('3,000 a second: every valid call at other URLs passes, and 9 of 10 at this one, if addresses are known', async () => {
  for (const forgers of [1, 8]) {
    const addresses = Array.from({ length: forgers }, (_, number) => `forger ${number}`);
    const passed = await flood({ perSecond: 3_000, forgers: addresses, lsp: 'lsp' });
    expect(passed.atOthers, `${forgers} forgers`).toBe(1);
    expect(passed.atThis, `${forgers} forgers`).toBeGreaterThanOrEqual(0.9);
  }
  const passed = await flood({ perSecond: 3_000, forgers: ['proxy'], lsp: 'proxy' });
  expect(passed.atOthers).toBe(1);
});

test('forgeries at many URLs do not push out a valid call at another one', async () => {
  const { call, pass } = setup();
  const good: Promise<boolean>[] = [];
  for (let step = 0; step < 300; step += 1) {
    for (let number = 0; number < 50; number += 1) {
      void call({ url: `attacked ${number % 10}`, address: 'forger' });
    }
    if (step % 10 === 0) good.push(call({ url: `device ${step}`, address: 'lsp' }));
    await pass(STEP_MS);
  }
  await pass(1_000);
  expect((await Promise.all(good)).filter((isPassed) => !isPassed)).toEqual([]);
});

test('a call waits 500 ms at most, and if more than 50 wait the newest of the largest group is refused', async () => {
  const { clock, call, pass } = setup();
  const first = Array.from({ length: 200 }, (_, number) => {
    return call({ url: `${number}`, address: 'lsp' });
  });
  expect(await Promise.all(first)).toEqual(Array(200).fill(true));
  const waiting = Array.from({ length: 60 }, () => call({ url: 'one', address: 'a' }));
  const other = call({ url: 'other', address: 'b' });
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
