// How a CPU profile is told by stage: own time goes to the nearest frame whose file is known.

import { expect, test } from 'vitest';
import { breakDown, parseProfile } from '../../bench/profile/stages.ts';

const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 0 });

function setup() {
  return parseProfile(
    JSON.stringify({
      startTime: 1_000,
      nodes: [
        { id: 1, callFrame: frame('(root)'), children: [2, 4, 5] },
        { id: 2, callFrame: frame('accept', 'file:///app/src/core/dispatcher.ts'), children: [3] },
        { id: 3, callFrame: frame('writev'), children: [] },
        { id: 4, callFrame: frame('(idle)') },
        { id: 5, callFrame: frame('(garbage collector)') },
      ],
      samples: [2, 3, 4, 5, 2],
      timeDeltas: [10, 20, 40, 80, 160],
    }),
  );
}

test('gives native time to its caller and leaves idle time out', () => {
  const { stages, functions } = breakDown(setup(), 0, Infinity);
  expect(stages).toEqual([
    { stage: 'core', us: 190 },
    { stage: 'garbage collection', us: 80 },
  ]);
  expect(functions[0]).toMatchObject({ stage: 'core', us: 170 });
});

test('counts only what lies between two moments', () => {
  expect(breakDown(setup(), 1_000, 1_030).stages).toEqual([{ stage: 'core', us: 30 }]);
});
