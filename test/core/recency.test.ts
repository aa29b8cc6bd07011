// Keys that were used lately, within a bound.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Recency } from '../../src/core/recency.ts';

test('keeps what was used last, never more than it may, and nothing that was deleted', () => {
  const key = fc.integer({ min: 0, max: 30 }).map(String);
  const step = fc.record({ key, isDeleted: fc.boolean() });
  const rule = fc.property(fc.integer({ min: 1, max: 10 }), fc.array(step), (keys, steps) => {
    const recency = new Recency<number>(keys);
    const used: string[] = [];
    const values = new Map<string, number>();
    for (const [at, { key: name, isDeleted }] of steps.entries()) {
      if (isDeleted) {
        recency.delete(name);
        values.delete(name);
        expect(recency.has(name)).toBe(false);
      } else {
        recency.use(name, at);
        if (used.includes(name)) used.splice(used.indexOf(name), 1);
        used.push(name);
        values.set(name, at);
      }
      const kept = [...values.keys()].filter((candidate) => recency.has(candidate));
      expect(kept.length).toBeLessThanOrEqual(2 * keys);
      const latest = used.slice(-keys).filter((used) => values.has(used));
      expect(kept).toEqual(expect.arrayContaining(latest));
      for (const candidate of kept) expect(recency.get(candidate)).toBe(values.get(candidate));
    }
  });
  fc.assert(rule, { numRuns: 500 });
});
