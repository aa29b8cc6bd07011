// Each of these failures, which could wake an operator at night, is caused in a running service. `nds doctor`, `nds
// find`, /readyz or a metric names it by a stable code, in words that say what is wrong. `npm run story` prints them.

import { expect, onTestFinished, test } from 'vitest';
import { STORIES } from '../story/stories.ts';

test('there are at least twenty different failures', () => {
  expect(new Set(STORIES.map(({ failure }) => failure)).size).toBe(STORIES.length);
  expect(STORIES.length).toBeGreaterThanOrEqual(20);
});

test.each(STORIES)('$failure', async ({ happens, shows, names }) => {
  const signs = await happens((end) => onTestFinished(end));
  expect(signs.map(({ where, code }) => ({ where, code }))).toEqual(shows);
  expect(signs[0]?.words).toMatch(names);
});
