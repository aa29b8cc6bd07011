// What a push costs at the rates that most services have: far from saturation, where few pushes share a
// transaction, a system call or a turn of the event loop.

import type { BenchRun, LoadResult } from '../bench-run.ts';
import { number } from '../format.ts';
import { median } from '../statistics.ts';
import type { Measured } from './measure.ts';

const SIZES = {
  quick: { rounds: 1, seconds: 3 },
  usual: { rounds: 3, seconds: 5 },
  full: { rounds: 5, seconds: 20 },
} as const;
const RATES_PER_SECOND = [20, 100, 400, 1_500] as const;

interface Sample extends Pick<LoadResult, 'cpuUsPerPush' | 'toProviderMs' | 'toAnswerMs'> {
  readonly ratePerSecond: number;
}

export async function measureRates(run: BenchRun): Promise<Measured> {
  const { rounds, seconds } = SIZES[run.options.size];
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await run.withGateway(async (gateway) => {
      for (const ratePerSecond of RATES_PER_SECOND) {
        const calls = { mix: 'mixed', count: ratePerSecond * seconds } as const;
        const result = await run.load(gateway, { kind: 'open', ratePerSecond }, calls);
        const { cpuUsPerPush, toProviderMs, toAnswerMs } = result;
        samples.push({ ratePerSecond, cpuUsPerPush, toProviderMs, toAnswerMs });
      }
    });
  }
  return {
    tables: [
      {
        title: 'Cost at steady rates, mixed phones, open loop',
        columns: [
          'rate/s',
          'CPU µs/push',
          'p50 to provider, ms',
          'p99',
          'p50 to answer, ms',
          'p99',
        ],
        rows: RATES_PER_SECOND.map((rate) =>
          rowOf(samples.filter(({ ratePerSecond }) => ratePerSecond === rate)),
        ),
        note: 'Medians of the rounds. The providers answer at once, so that an answer waits for its row.',
      },
    ],
    data: { rounds, seconds, samples },
  };
}

function rowOf(samples: readonly Sample[]): readonly string[] {
  const middle = (pick: (sample: Sample) => number | undefined) =>
    number(median(samples.map(pick).filter((value) => value !== undefined)));
  return [
    number(samples[0]?.ratePerSecond ?? 0),
    middle(({ cpuUsPerPush }) => cpuUsPerPush),
    middle(({ toProviderMs }) => toProviderMs?.p50),
    middle(({ toProviderMs }) => toProviderMs?.p99),
    middle(({ toAnswerMs }) => toAnswerMs?.p50),
    middle(({ toAnswerMs }) => toAnswerMs?.p99),
  ];
}
