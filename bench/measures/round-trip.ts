// The provider as far away as a real one: throughput must not fall with the round trip until the pool's bound.

import type { BenchRun } from '../bench-run.ts';
import { number } from '../format.ts';
import type { Measured } from './measure.ts';

const ROUND_TRIPS_MS = [0, 50, 200] as const;
const CALLERS = { quick: [256], usual: [64, 256], full: [64, 256, 1_000] } as const;
const SECONDS = { quick: 3, usual: 4, full: 10 } as const;
const MIXES = { quick: ['android'], usual: ['android', 'ios'], full: ['android', 'ios'] } as const;
const MAX_CALLS = 100_000;

export async function measureRoundTrip(run: BenchRun): Promise<Measured> {
  const maxMs = SECONDS[run.options.size] * 1_000;
  const rows = await run.withGateway(async (gateway) => {
    const measured = [];
    for (const mix of MIXES[run.options.size]) {
      for (const delayMs of ROUND_TRIPS_MS) {
        await run.standIns.delayAnswers(delayMs);
        for (const callers of CALLERS[run.options.size]) {
          const pattern = { kind: 'closed', callers } as const;
          const result = await run.load(gateway, pattern, { mix, count: MAX_CALLS, maxMs });
          measured.push({ mix, delayMs, callers, result });
        }
        await run.standIns.delayAnswers(0);
      }
    }
    return measured;
  });
  return {
    tables: [
      {
        title: 'Throughput by simulated round trip to the provider, closed loop',
        columns: [
          'phones',
          'round trip ms',
          'callers',
          'pushes/s',
          'of callers ÷ round trip',
          'CPU µs/push',
          'answer p50 ms',
          'answer p99 ms',
          'not delivered',
        ],
        rows: rows.map(({ mix, delayMs, callers, result }) => [
          mix,
          String(delayMs),
          String(callers),
          number(result.perSecond),
          delayMs === 0 ? '–' : `${Math.round((result.perSecond * delayMs) / callers / 10)} %`,
          number(result.cpuUsPerPush),
          number(result.toAnswerMs?.p50),
          number(result.toAnswerMs?.p99),
          String(
            (result.outcomes.queued ?? 0) +
              (result.outcomes.refused ?? 0) +
              (result.outcomes.other ?? 0) +
              (result.outcomes.broken ?? 0),
          ),
        ]),
        note: 'A closed loop cannot exceed callers ÷ round trip; near 100 % the service adds nothing.',
      },
    ],
    data: { rows },
  };
}
