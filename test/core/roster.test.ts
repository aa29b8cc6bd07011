// Who is in, in order of arrival, whoever comes and goes.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Place, Roster } from '../../src/core/roster.ts';

it('keeps the order of arrival, whoever leaves', () => {
  const step = fc.oneof(fc.constant('add' as const), fc.nat({ max: 30 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const roster = new Roster<number>();
      const expected = new Map<number, Place<number>>();
      steps.forEach((what, number) => {
        if (what === 'add') {
          expected.set(number, roster.add(number));
          return;
        }
        const leaving = [...expected][what];
        if (leaving === undefined) return;
        expected.delete(leaving[0]);
        expect(roster.remove(leaving[1])).toBe(true);
        expect(roster.remove(leaving[1])).toBe(false);
      });
      expect([...roster]).toEqual([...expected.keys()]);
      expect(roster.size).toBe(expected.size);
    }),
  );
});

it('visits everybody once although each leaves when visited, and those who come meanwhile', () => {
  const roster = new Roster<string>();
  const places = new Map(['a', 'b', 'c'].map((name) => [name, roster.add(name)] as const));
  const visited: string[] = [];
  for (const name of roster) {
    visited.push(name);
    if (name === 'b') places.set('late', roster.add('late'));
    const place = places.get(name);
    if (place !== undefined) roster.remove(place);
  }
  expect(visited).toEqual(['a', 'b', 'c', 'late']);
  expect(roster.size).toBe(0);
});

it('visits those who come while the last one stays', () => {
  const roster = new Roster<number>();
  roster.add(0);
  const visited: number[] = [];
  for (const number of roster) {
    visited.push(number);
    if (number < 3) roster.add(number + 1);
  }
  expect(visited).toEqual([0, 1, 2, 3]);
});
