// The trace of one POST: it names the files that a call goes through, and fails above its bound.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const TRACE = join(import.meta.dirname, '../../bench/trace.ts');

test('lists the files that one POST runs and exits with 1 above the bound', {
  timeout: 60_000,
}, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [TRACE, '--max', '3'], {
    encoding: 'utf8',
  });
  expect(stdout, stderr).toMatch(/^ {2}99 of 99 {2}src\/core\/answering\/dispatcher\.ts$/m);
  expect(stdout).toMatch(/^ {2}99 of 99 {2}src\/providers\/fcm\/payload\.ts$/m);
  // Its module body runs at the start, none of its functions during a call.
  expect(stdout).not.toContain('src/core/devices/registry.ts');
  expect(stdout).toMatch(/^\d+ files in the median of calls 2 to 100$/m);
  expect(stderr).toContain('more than the 3 that are allowed');
  expect(status).toBe(1);
});
