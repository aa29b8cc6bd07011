// Memory: resident after the start, after the warm-up, and after a flood of 20,000 calls.

import { megabytes } from '../format.ts';
import { memoryOf, resetPeak } from '../process-usage.ts';
import type { BenchRun } from '../run.ts';
import type { Measured } from './measure.ts';

const PHONES = 50_000;
const FLOODS = 4;
const FLOOD_CALLS = 5_000;
const LOOK_AFTER_SECONDS = { quick: [5], usual: [5, 20], full: [5, 20, 120] } as const;

interface Step {
  readonly name: string;
  readonly rssBytes: number;
  readonly peakBytes: number;
}

export async function measureMemory(run: BenchRun): Promise<Measured> {
  const steps = await run.withGateway(async (gateway): Promise<readonly Step[]> => {
    const { pid, startedBytes } = gateway;
    const found: Step[] = [];
    const note = (name: string) => found.push({ name, ...memoryOf(pid) });
    if (startedBytes !== undefined) {
      found.push({ name: 'after the start', rssBytes: startedBytes, peakBytes: startedBytes });
    }
    note('after the warm-up');
    resetPeak(pid);
    for (let flood = 0; flood < FLOODS; flood += 1) {
      const calls = { mix: 'mixed', count: FLOOD_CALLS, phones: PHONES } as const;
      await run.load(gateway, { kind: 'burst' }, calls);
    }
    note(`after a flood of ${FLOODS} × ${FLOOD_CALLS} calls`);
    const endedMs = performance.now();
    for (const afterSeconds of LOOK_AFTER_SECONDS[run.options.size]) {
      const waitMs = endedMs + afterSeconds * 1_000 - performance.now();
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      note(`${afterSeconds} s after it`);
    }
    return found;
  });
  return {
    tables: [
      {
        title: 'Memory of the process, MB',
        columns: ['when', 'resident', 'peak so far'],
        rows: steps.map(({ name, rssBytes, peakBytes }) => [
          name,
          megabytes(rssBytes),
          megabytes(peakBytes),
        ]),
      },
    ],
    data: { steps, phones: PHONES },
  };
}
