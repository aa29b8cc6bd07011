// Memory: resident after the start, after steady load over many phones, and after a flood of 20,000 calls at once.

import type { BenchRun } from '../bench-run.ts';
import { megabytes, number } from '../format.ts';
import { memoryOf, resetPeak } from '../process-usage.ts';
import type { Measured } from './measure.ts';

const LOAD_SECONDS = { quick: 5, usual: 30, full: 600 } as const;
const RATE_PER_SECOND = 500;
const PHONES = 50_000;
const FLOODS = 4;
const FLOOD_CALLS = 5_000;
/** After the flood, before and after the service gives back what it can. */
const LOOK_AFTER_SECONDS = { quick: [5], usual: [5, 20], full: [5, 20, 120] } as const;

export async function measureMemory(run: BenchRun): Promise<Measured> {
  const seconds = LOAD_SECONDS[run.options.size];
  return await run.withGateway(async ({ pid, target }, startedBytes) => {
    const steps: {
      readonly name: string;
      readonly rssBytes: number;
      readonly peakBytes: number;
    }[] = [];
    const note = (name: string) => steps.push({ name, ...memoryOf(pid) });
    if (startedBytes !== undefined) {
      steps.push({ name: 'after the start', rssBytes: startedBytes, peakBytes: startedBytes });
    }
    note('after the warm-up');

    resetPeak(pid);
    const pattern = { kind: 'open', ratePerSecond: RATE_PER_SECOND } as const;
    const count = RATE_PER_SECOND * seconds;
    await run.load({ pid, target }, pattern, { mix: 'mixed', count, phones: PHONES });
    note(`after ${seconds} s at ${RATE_PER_SECOND}/s`);

    resetPeak(pid);
    for (let flood = 0; flood < FLOODS; flood += 1) {
      const calls = { mix: 'mixed', count: FLOOD_CALLS, phones: PHONES } as const;
      await run.load({ pid, target }, { kind: 'burst' }, calls);
    }
    note(`after a flood of ${FLOODS} × ${FLOOD_CALLS} calls`);
    const endedMs = performance.now();
    for (const afterSeconds of LOOK_AFTER_SECONDS[run.options.size]) {
      const waitMs = endedMs + afterSeconds * 1_000 - performance.now();
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      note(`${afterSeconds} s after it`);
    }
    return {
      tables: [
        {
          title: 'Memory of the service, MB',
          columns: ['when', 'resident', 'peak since the line before'],
          rows: steps.map(({ name, rssBytes, peakBytes }) => [
            name,
            megabytes(rssBytes),
            megabytes(peakBytes),
          ]),
          note: `${number(PHONES)} phones, both platforms.`,
        },
      ],
      data: { steps, phones: PHONES, ratePerSecond: RATE_PER_SECOND, seconds },
    };
  });
}
