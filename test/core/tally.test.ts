// When nothing is under way any more.

import { expect, it } from 'vitest';
import { Tally } from '../../src/core/tally.ts';

it('is idle before anything began', async () => {
  const tally = new Tally();
  await tally.idle();
  expect(tally.count).toBe(0);
});

it('tells everybody who waits when the last one ends, and not before', async () => {
  const tally = new Tally();
  tally.begin();
  tally.begin();
  const told: string[] = [];
  const waits = ['first', 'second'].map((name) => tally.idle().then(() => told.push(name)));
  tally.end();
  await Promise.resolve();
  expect([tally.count, ...told]).toEqual([1]);
  tally.end();
  await Promise.all(waits);
  expect(told).toEqual(['first', 'second']);
});
