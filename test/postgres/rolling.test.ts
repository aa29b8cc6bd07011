// A deploy: machines are restarted in turn under load, and no caller notices. `npm run drill:rolling` has the full
// numbers.

import { expect, test } from 'vitest';
import { SERVERS, useDatabases } from './databases.ts';
import { faultsOf } from './rolling/faults.ts';
import { type RollOptions, roll } from './rolling/roll.ts';

const server = SERVERS.at(-1);
if (server === undefined) throw new Error('no server was started');
const { newEmptyDatabase } = useDatabases(server);

const SMALL: Omit<RollOptions, 'databaseUrl'> = {
  ...{ machines: 3, calls: 500, ratePerSecond: 50, drainMs: 1_000 },
  ...{ checkEveryMs: 200, askEveryMs: 250 },
};

test('a rolling restart refuses no call, and every caller gets the invoice that a phone replies meanwhile', async () => {
  const rolled = await roll({ ...SMALL, databaseUrl: await newEmptyDatabase() });
  expect(faultsOf(rolled)).toEqual([]);
  expect(rolled.calls).toBeGreaterThanOrEqual(500);
  expect(rolled.asked.answered).toBeGreaterThan(20);
  expect(rolled.exits).toEqual(Array.from(rolled.exits, () => 0));
  expect(rolled.exits.length).toBeGreaterThanOrEqual(6);
});

test('without a drain the same restart breaks calls, and the drill reports them', async () => {
  // No phone is asked: its caller would wait for a reply that was lost.
  const asked = { askEveryMs: 3_600_000 };
  const changes = { machines: 1, calls: 50, drainMs: 1, checkEveryMs: 1_000, ...asked };
  const rolled = await roll({ ...SMALL, ...changes, databaseUrl: await newEmptyDatabase() });
  expect(rolled.refused).toBeGreaterThan(0);
  const faults = faultsOf(rolled).join('\n');
  expect(faults).toMatch(/^\d+ calls got no 200: .*502/m);
  expect(faults).toMatch(/^\d+ kinds of failure at the proxy: .*ECONNRE(?:FUSED|SET) \(\d+\)/m);
});
