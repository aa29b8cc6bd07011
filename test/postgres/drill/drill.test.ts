// A short drill: two machines, and one fault of each kind. NDS_DRILL_SEED replays the random choices of a run.

import { expect, onTestFinished, test } from 'vitest';
import { seedFrom } from '../../support/chance.ts';
import { drill } from './drill.ts';
import { judge } from './judge.ts';

test('kills, stops and cuts lose nothing that was promised', { timeout: 240_000 }, async () => {
  const drilled = await drill({
    nodes: 2,
    kills: 2,
    callsPerSecond: 15,
    seed: seedFrom('NDS_DRILL_SEED'),
    onEnd: onTestFinished,
    tell: (line) => console.log(line),
  });
  const { figures, broken } = judge(drilled);
  console.log(figures);
  expect(broken).toEqual([]);
  expect(figures.faults).toEqual({ kill: 1, postgres: 1, stop: 1, cut: 1 });
});
