// Latency in an open loop at half of saturation: calls start by a schedule, whatever the answers do, and every time
// counts from when the call was due, so that a stall shows in all the calls it delayed (no coordinated omission).
// The bare transport sends at the same rate, right before.

import { type BenchRun, differencesMs } from '../bench-run.ts';
import { number, ratio } from '../format.ts';
import type { Mix } from '../numbering.ts';
import { Reference } from '../references.ts';
import { halfOfSaturation } from '../saturation.ts';
import { type Distribution, median } from '../statistics.ts';
import type { Measured } from './measure.ts';

const SIZES = {
  quick: { rounds: 1, seconds: 3 },
  usual: { rounds: 5, seconds: 4 },
  full: { rounds: 5, seconds: 15 },
} as const;
const MIXES = ['android', 'ios'] as const;
const ARRIVAL_TIMEOUT_MS = 10_000;
const REFERENCE_WARM_UP = 6_000;

interface Sample {
  readonly mix: Mix;
  readonly ratePerSecond: number;
  readonly bareToProviderMs: Distribution;
  readonly toProviderMs: Distribution;
  readonly toAnswerMs: Distribution;
  readonly generatorLagMs: Distribution;
}

export async function measureLatency(run: BenchRun): Promise<Measured> {
  const { rounds, seconds } = SIZES[run.options.size];
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const mix of MIXES) samples.push(await sampleOnce(run, mix, seconds));
  }
  const rows = MIXES.flatMap((mix) => rowsOf(samples.filter((sample) => sample.mix === mix)));
  return {
    tables: [
      {
        title: 'Latency at half of saturation, ms from when the call was due',
        columns: ['way', 'phones', 'rate/s', 'p50', 'p99', 'p99.9', 'max', 'p99 to bare'],
        rows,
        note: 'Medians of the rounds. "generator" is how late the caller itself was: part of every other line.',
      },
    ],
    data: { rounds, seconds, samples },
  };
}

async function sampleOnce(run: BenchRun, mix: 'android' | 'ios', seconds: number): Promise<Sample> {
  return await run.withGateway(async (gateway) => {
    const ratePerSecond = await halfOfSaturation(run, gateway, mix);
    const count = Math.floor(ratePerSecond * seconds);
    const bareToProviderMs = await bareLatency(run, { mix, ratePerSecond, count });
    const result = await run.load(gateway, { kind: 'open', ratePerSecond }, { mix, count });
    const { toProviderMs, toAnswerMs, generatorLagMs } = result;
    if (!toProviderMs || !toAnswerMs || !generatorLagMs) throw new Error('nothing was delivered');
    return { mix, ratePerSecond, bareToProviderMs, toProviderMs, toAnswerMs, generatorLagMs };
  });
}

async function bareLatency(
  run: BenchRun,
  given: {
    readonly mix: 'android' | 'ios';
    readonly ratePerSecond: number;
    readonly count: number;
  },
): Promise<Distribution> {
  const { mix, ratePerSecond, count } = given;
  const provider = mix === 'ios' ? 'apns' : 'fcm';
  await using bare = await Reference.start('bare', run.standIns, provider);
  const warmUp = { callers: 64, count: REFERENCE_WARM_UP };
  await bare.closedLoop({ ...warmUp, firstNumber: run.takeNumbers(REFERENCE_WARM_UP) });
  const firstNumber = run.takeNumbers(count);
  await run.standIns.watch(firstNumber, count);
  const dueUs = await bare.openLoop({ ratePerSecond, count, firstNumber });
  await run.standIns.waitFor(count, ARRIVAL_TIMEOUT_MS);
  const latency = differencesMs(dueUs, (await run.standIns.arrivals()).atUs);
  if (latency === undefined) throw new Error('the bare transport delivered nothing');
  return latency;
}

function rowsOf(samples: readonly Sample[]): readonly (readonly string[])[] {
  const middle = (pick: (sample: Sample) => number) => median(samples.map(pick));
  const row = (way: string, pick: (sample: Sample) => Distribution, toBare?: number) => [
    way,
    samples[0]?.mix ?? '',
    number(middle(({ ratePerSecond }) => ratePerSecond)),
    ...(['p50', 'p99', 'p999', 'max'] as const).map((name) =>
      number(middle((sample) => pick(sample)[name])),
    ),
    ratio(toBare),
  ];
  const p99Ratio = middle(({ toProviderMs, bareToProviderMs }) => {
    return toProviderMs.p99 / bareToProviderMs.p99;
  });
  return [
    row('bare → provider', ({ bareToProviderMs }) => bareToProviderMs, 1),
    row('receipt → provider', ({ toProviderMs }) => toProviderMs, p99Ratio),
    row('receipt → answer', ({ toAnswerMs }) => toAnswerMs),
    row('generator', ({ generatorLagMs }) => generatorLagMs),
  ];
}
