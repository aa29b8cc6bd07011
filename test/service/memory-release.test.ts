import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { createMemoryRelease } from '../../src/service/memory-release.ts';
import { ManualClock } from '../support/manual-clock.ts';

const MB = 1_024 * 1_024;
const MINUTE_MS = 60_000;

function setup() {
  const clock = new ManualClock();
  const state = { utilization: 0, megabytes: 400, collections: 0 };
  const release = createMemoryRelease(clock, {
    takeUtilization: () => state.utilization,
    residentBytes: () => state.megabytes * MB,
    collect: () => {
      state.collections += 1;
    },
  });
  return { clock, state, release };
}

test('memory is given back when the service is quiet and holds much, and never otherwise', () => {
  const { state, release } = setup();
  state.utilization = 0.1;
  release();
  state.utilization = 0;
  state.megabytes = 299;
  release();
  expect(state.collections).toBe(0);
  state.megabytes = 300;
  release();
  expect(state.collections).toBe(1);
});

test('what cannot be given back is not tried for again until there is more, and ten minutes later', () => {
  const { clock, state, release } = setup();
  release();
  clock.advance(MINUTE_MS);
  release();
  clock.advance(10 * MINUTE_MS);
  state.megabytes = 479;
  release();
  expect(state.collections).toBe(1);
  state.megabytes = 480;
  release();
  expect(state.collections).toBe(2);
  release();
  state.megabytes = 900;
  clock.advance(10 * MINUTE_MS - 1);
  release();
  expect(state.collections).toBe(2);
  clock.advance(1);
  release();
  expect(state.collections).toBe(3);
});

/** Holds 300 MB in small objects, drops them, and tells what is resident before and after. */
const PROGRAM = `
  const { createCollector } = await import(process.argv[1]);
  const collector = createCollector();
  let held = Array.from({ length: 3_000_000 }, (_, number) => ({ number, text: 'n' + number }));
  const before = collector.residentBytes();
  held = undefined;
  collector.collect();
  console.log(JSON.stringify({ before, after: collector.residentBytes() }));`;

const sizes = z.object({ before: z.number(), after: z.number() });

test('a process gives back what it does not hold any more', async () => {
  const module = join(import.meta.dirname, '../../src/service/memory-release.ts');
  const args = ['--input-type=module', '--eval', PROGRAM, module];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { before, after } = sizes.parse(JSON.parse(stdout));
  expect(before).toBeGreaterThan(250 * MB);
  expect(after).toBeLessThan(before - 150 * MB);
});
