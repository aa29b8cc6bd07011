// The same flood against the real program: nothing that was sent is in its output and files, and it ends cleanly.

import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { startBinary } from '../support/binary.ts';
import { seedFrom } from '../support/chance.ts';
import { sandboxEnvironment, temporaryFolder } from '../support/service.ts';
import { filesWithMarker, findMarker } from './marker.ts';
import { brokenRequests, requests } from './requests.ts';
import { flood } from './run.ts';
import { FUZZ_ENVIRONMENT, NO_LIMITS, prepareTargets } from './targets.ts';

const TOTAL = Number(process.env.NDS_FUZZ_REQUESTS ?? 20_000);

test('writes nothing of what it was sent', { timeout: 600_000 }, async () => {
  const seed = seedFrom('NDS_FUZZ_SEED');
  console.log(`fuzz seed ${seed}`);
  const folder = temporaryFolder();
  const sandbox = await startSandbox({ keepPushes: 0, keepRequests: 0 });
  onTestFinished(() => sandbox.close());
  const binary = await startBinary({
    ...sandboxEnvironment(sandbox, folder),
    ...FUZZ_ENVIRONMENT,
    ...NO_LIMITS,
    NDS_LOG_LEVEL: 'debug',
  });
  const { url } = binary;
  const targets = await prepareTargets(url);
  const whole = await flood({
    url,
    arbitrary: requests(targets),
    seed: seed + 2,
    count: Math.floor(TOTAL * 0.025),
  });
  const broken = await flood({
    url,
    arbitrary: brokenRequests(targets),
    seed: seed + 3,
    count: Math.floor(TOTAL * 0.005),
    isBroken: true,
  });
  expect([...whole.faults, ...broken.faults]).toEqual([]);
  expect(findMarker(binary.output)).toBeUndefined();
  expect(filesWithMarker(folder)).toEqual([]);
  binary.kill('SIGTERM');
  expect(await binary.ended, binary.output.slice(-2_000)).toBe(0);
  expect(findMarker(binary.output)).toBeUndefined();
});
