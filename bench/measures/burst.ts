// Burst: 5,000 calls at once, each on a connection of its own, at a service that has been idle.

import type { BenchRun } from '../bench-run.ts';
import { megabytes, number } from '../format.ts';
import { memoryOf, resetPeak } from '../process-usage.ts';
import type { Measured } from './measure.ts';

const CALLS = 5_000;
const IDLE_MS = 1_500;
const MIXES = ['mixed', 'android', 'ios'] as const;
/** Answers of providers that are as far away as real ones. */
const ROUND_TRIPS_MS = { quick: [0], usual: [0, 50, 200], full: [0, 50, 200] } as const;

export async function measureBurst(run: BenchRun): Promise<Measured> {
  const bursts = [];
  for (const delayMs of ROUND_TRIPS_MS[run.options.size]) {
    for (const mix of MIXES) {
      bursts.push(await burst(run, mix, delayMs));
      if (run.options.size !== 'full') break;
    }
  }
  return {
    tables: [
      {
        title: `Burst of ${CALLS} calls at once from idle`,
        columns: [
          'phones',
          'round trip ms',
          'last push out ms',
          'last answer ms',
          'delivered',
          'queued',
          'refused',
          'lost',
          'sent twice',
          'peak MB',
        ],
        rows: bursts.map(({ mix, delayMs, result, peakBytes }) => [
          mix,
          String(delayMs),
          number(result.lastPushAfterMs),
          number(result.toAnswerMs?.max),
          String(result.delivered),
          String(result.outcomes.queued ?? 0),
          String(result.outcomes.refused ?? 0),
          String(result.calls - result.arrived),
          String(result.repeated),
          megabytes(peakBytes),
        ]),
        note: '"lost" did not reach the provider within 10 s of the last answer; refused calls are among them.',
      },
    ],
    data: { calls: CALLS, bursts },
  };
}

async function burst(run: BenchRun, mix: (typeof MIXES)[number], delayMs: number) {
  return await run.withGateway(async (gateway) => {
    await run.standIns.delayAnswers(delayMs);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    resetPeak(gateway.pid);
    const result = await run.load(gateway, { kind: 'burst' }, { mix, count: CALLS, phones: CALLS });
    const { peakBytes } = memoryOf(gateway.pid);
    await run.standIns.delayAnswers(0);
    return { mix, delayMs, result, peakBytes };
  });
}
