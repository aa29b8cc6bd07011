// The trace of one POST: it names the files that a call runs through, and fails above its limit.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const TRACE = join(import.meta.dirname, '../../bench/trace.ts');
/** docs/decisions/0008-files-on-the-way.md. */
const BOUND = 51;

function trace(...args: readonly string[]) {
  return spawnSync(process.execPath, [TRACE, ...args], { encoding: 'utf8' });
}

test.each(['android', 'ios'])(
  'a push for %s goes through no more files than decision 8 allows',
  {
    timeout: 60_000,
  },
  (phones) => {
    const { status, stdout, stderr } = trace('--phones', phones, '--max', String(BOUND));
    expect(stdout, stderr).toMatch(/^\d+ files in the median of calls 2 to 100$/m);
    expect(status, stderr).toBe(0);
  },
);

test('lists the files that one POST runs and exits with 1 above the bound', {
  timeout: 60_000,
}, () => {
  const { status, stdout, stderr } = trace('--max', '3');
  expect(stdout, stderr).toMatch(/^ {2}99 of 99 {2}src\/core\/answering\/dispatcher\.ts$/m);
  expect(stdout).toMatch(/^ {2}99 of 99 {2}src\/providers\/fcm\/payload\.ts$/m);
  // Its module body runs at the start, but none of its functions runs during a call.
  expect(stdout).not.toContain('src/core/devices/registry.ts');
  expect(stdout).toMatch(/^\d+ files in the median of calls 2 to 100$/m);
  expect(stderr).toContain('more than the 3 that are allowed');
  expect(status).toBe(1);
});
