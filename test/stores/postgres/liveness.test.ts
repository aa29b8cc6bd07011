// Which machines count as dead, in virtual time.

import { expect, test } from 'vitest';
import { MachineLiveness } from '../../../src/stores/postgres/machines/liveness.ts';

const still = { id: 'still', beat: 7, epoch: 1 };

/** Reads once a second from `fromMs` on; returns which machines the last read found dead. */
function watch(
  liveness: MachineLiveness,
  { fromMs, seconds }: { fromMs: number; seconds: number },
) {
  let dead: readonly string[] = [];
  for (let second = 0; second <= seconds; second += 1) {
    const beats = [still, { id: 'alive', beat: fromMs + second, epoch: 1 }];
    dead = liveness.read(beats, fromMs + 1_000 * second).map(({ id }) => id);
  }
  return dead;
}

test('declares only those machines dead whose counter stood still for six seconds', () => {
  const liveness = new MachineLiveness();
  expect(watch(liveness, { fromMs: 0, seconds: 5 })).toEqual([]);
  expect(watch(liveness, { fromMs: 6_000, seconds: 0 })).toEqual(['still']);
});

test('declares no machine dead after fewer than four reads, however long they took', () => {
  const liveness = new MachineLiveness();
  for (const nowMs of [0, 10_000, 20_000]) expect(liveness.read([still], nowMs)).toEqual([]);
  expect(liveness.read([still], 20_001)).toEqual([still]);
});

test('counts from the start after a failed read: a restart of the database makes no machine dead', () => {
  const liveness = new MachineLiveness();
  watch(liveness, { fromMs: 0, seconds: 5 });
  liveness.readFailed();
  expect(watch(liveness, { fromMs: 15_000, seconds: 5 })).toEqual([]);
  expect(watch(liveness, { fromMs: 21_000, seconds: 0 })).toEqual(['still']);
});

test('counts from the start when the counter or the epoch changes', () => {
  for (const change of [{ beat: 8 }, { epoch: 2 }]) {
    const liveness = new MachineLiveness();
    watch(liveness, { fromMs: 0, seconds: 5 });
    expect(liveness.read([{ ...still, ...change }], 6_000)).toEqual([]);
    expect(liveness.read([{ ...still, ...change }], 11_999)).toEqual([]);
  }
});

test('forgets a machine that left', () => {
  const liveness = new MachineLiveness();
  watch(liveness, { fromMs: 0, seconds: 5 });
  liveness.read([], 6_000);
  expect(liveness.read([still], 7_000)).toEqual([]);
});
