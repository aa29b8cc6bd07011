// Thousands of requests that nobody should send, mixed with ordinary ones: every answer is documented, no secret is in
// the log or on the disk, memory does not grow, and the service still delivers. NDS_FUZZ_SEED replays a run,
// NDS_FUZZ_REQUESTS makes it shorter or longer.

import { expect, test } from 'vitest';
import { expectSound, setupFuzz, TIMEOUT, TOTAL, watchLog } from './fuzz-service.ts';
import { requests } from './requests.ts';
import { flood, liveHeapBytes } from './run.ts';
import { NO_LIMITS } from './targets.ts';

const MAX_GROWTH_BYTES = 20 * 1_024 * 1_024;

test('gives a documented answer to every request, without growing memory', TIMEOUT, async () => {
  const { running, seed, targets } = await setupFuzz(NO_LIMITS);
  const count = Math.floor(TOTAL * 0.84);
  const watch = watchLog(running);
  let early: number | undefined;
  const result = await flood({
    url: running.service.url,
    arbitrary: requests(targets),
    seed,
    count,
    afterBatch: (sent) => {
      const fault = watch();
      if (early === undefined && sent >= count / 10) early = liveHeapBytes();
      return fault;
    },
  });
  const growth = liveHeapBytes() - (early ?? 0);
  console.log(`the heap grew by ${(growth / 1_048_576).toFixed(1)} MiB`);
  await expectSound(running, result);
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
});
