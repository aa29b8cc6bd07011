// Burst: 5,000 calls at once, each on a connection of its own, to a gateway that has been idle.

import { number } from '../format.ts';
import type { BenchRun } from '../run.ts';
import type { Measured } from './measure.ts';

const CALLS = 5_000;
const IDLE_MS = 1_500;
/** The provider answers at once, or as late as a provider that is far away. */
const ROUND_TRIPS_MS = { quick: [0], usual: [0, 50], full: [0, 50, 200] } as const;

export async function measureBurst(run: BenchRun): Promise<Measured> {
  const bursts = [];
  for (const delayMs of ROUND_TRIPS_MS[run.options.size]) {
    bursts.push({ delayMs, result: await burst(run, delayMs) });
  }
  return {
    tables: [
      {
        title: `Burst of ${CALLS} calls at once from idle, both platforms`,
        columns: [
          'round trip ms',
          'last push ms',
          'last answer ms',
          'accepted',
          'refused',
          'no answer',
          'lost',
          'sent twice',
        ],
        rows: bursts.map(({ delayMs, result }) => [
          String(delayMs),
          number(result.lastPushAfterMs),
          number(result.toAnswerMs?.max),
          String(result.accepted),
          String(result.refused),
          String(result.broken),
          String(result.lost),
          String(result.repeated),
        ]),
        note: '"lost" was answered 200 and did not reach the provider within 10 s of the last answer.',
      },
    ],
    data: { calls: CALLS, bursts },
  };
}

async function burst(run: BenchRun, delayMs: number) {
  return await run.withGateway(async (gateway) => {
    await run.standIns.delayAnswers(delayMs);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const calls = { mix: 'mixed', count: CALLS, phones: CALLS } as const;
    const result = await run.load(gateway, { kind: 'burst' }, calls);
    await run.standIns.delayAnswers(0);
    return result;
  });
}
