// A small run of what `npm run simulate -- --lost 0.05 --knock` shows in a large one.

import { expect, test } from 'vitest';
import { areMet, figuresOf, formatFigures } from './wake-figures.ts';
import { simulateWakes } from './wakes.ts';

const RUN = { seed: 1, deliveries: 10_000, lost: 0.05 };

test('second knocks wake nine of ten phones whose push was lost, and no user sees a payment twice', async () => {
  const report = await simulateWakes({ ...RUN, hasKnock: true });
  const { lost, reachable, unreachable, knocks } = report;
  expect(lost.deliveries).toBeGreaterThan(400);
  expect(lost.woken / lost.deliveries).toBeGreaterThan(0.88);
  expect(reachable.pushes / reachable.deliveries).toBeLessThanOrEqual(1.12);
  expect(unreachable.pushes / unreachable.deliveries).toBeLessThanOrEqual(1.12);
  expect(report.disturbing / knocks).toBeLessThan(0.02);
  expect([report.shownTwice, report.heldUp]).toEqual([0, 0]);
});

test('without them each payment has one push, and what is lost stays lost', async () => {
  const report = await simulateWakes({ ...RUN, hasKnock: false });
  expect(report.knocks).toBe(0);
  expect(report.reachable.pushes).toBe(report.reachable.deliveries);
  expect(report.lost.wokenByOwn).toBe(0);
});

test('a missed goal is printed and counts', async () => {
  const report = await simulateWakes({ ...RUN, deliveries: 1_000, hasKnock: false });
  const figures = figuresOf(report, true);
  expect(areMet(figures)).toBe(false);
  expect(formatFigures(figures)).toContain('90 % at least: MISSED');
  expect(areMet(figuresOf(report, false))).toBe(true);
});
