// The floods that need a run of their own: bytes that are not HTTP, and every limit switched on.

import { expect, test } from 'vitest';
import { expectSound, setupFuzz, TIMEOUT, TOTAL, watchLog } from './fuzz-service.ts';
import { brokenRequests, requests } from './requests.ts';
import { flood } from './run.ts';
import { NO_LIMITS } from './targets.ts';

test('answers or closes on bytes that are not HTTP', TIMEOUT, async () => {
  const { running, seed, targets } = await setupFuzz(NO_LIMITS);
  const result = await flood({
    url: running.service.url,
    arbitrary: brokenRequests(targets),
    seed,
    count: Math.floor(TOTAL * 0.05),
    isBroken: true,
    afterBatch: watchLog(running),
  });
  await expectSound(running, result);
});

test('keeps its promises with every limit on', TIMEOUT, async () => {
  const { running, seed, targets } = await setupFuzz({
    NDS_TRUSTED_ADDRESS_HEADER: 'Fly-Client-IP',
    // Low, so that each of them is reached.
    NDS_ADDRESS_RATE: '10/1',
    NDS_TOKEN_RATE: '2/1',
    NDS_REGISTRATION_RATE: '5/1',
  });
  const result = await flood({
    url: running.service.url,
    arbitrary: requests(targets),
    seed: seed + 1,
    count: Math.floor(TOTAL * 0.08),
    afterBatch: watchLog(running),
  });
  expect(result.statuses['429'] ?? 0).toBeGreaterThan(0);
  await expectSound(running, result);
});
