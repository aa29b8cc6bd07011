import { totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { capacityOf, memoryOfMachine } from '../../src/service/capacity.ts';

const MB = 1_024 * 1_024;

test.each([
  [128, { connections: 500, remembered: 10_000, provenTokens: 20_000 }],
  [256, { connections: 1_194, remembered: 10_000, provenTokens: 20_000 }],
  [512, { connections: 6_656, remembered: 53_248, provenTokens: 106_496 }],
  [1_024, { connections: 17_578, remembered: 140_629, provenTokens: 200_000 }],
  [8_192, { connections: 20_000, remembered: 200_000, provenTokens: 200_000 }],
])('a machine of %i MB', (megabytes, capacity) => {
  expect(capacityOf(megabytes * MB)).toEqual(capacity);
});

test('the memory of the machine is known, whether a control group limits it or not', () => {
  expect(memoryOfMachine()).toBeGreaterThan(64 * MB);
  expect(memoryOfMachine()).toBeLessThanOrEqual(totalmem());
});

test.each([
  ['nothing is known', 0, 8, 8],
  ['nothing is limited', 2 ** 64, 8, 8],
  ['a control group limits it', 2, 8, 2],
])('the memory of a machine where %s', (_where, constrained, total, expected) => {
  expect(memoryOfMachine(constrained, total)).toBe(expected);
});
