// What a push costs and how long it takes: at 20, 100 and 400 calls a second and at saturation. The floor and the
// gateway run in turn, each in a fresh process, so that a noisy minute affects both.

import { number, percent, ratio } from '../format.ts';
import type { Pattern } from '../generator.ts';
import type { Mix } from '../numbering.ts';
import type { BenchRun, Gateway, LoadResult } from '../run.ts';
import { type Distribution, median, spread } from '../statistics.ts';
import type { Measured, Table } from './measure.ts';

interface Load {
  readonly name: string;
  readonly mix: Mix;
  readonly pattern: Pattern;
  /** Of a usual run; a quick run makes a quarter, a full run twice as many. */
  readonly calls: number;
  readonly withFloor: boolean;
}

const closed = { kind: 'closed', callers: 64 } as const;
const open = (ratePerSecond: number) => ({ kind: 'open', ratePerSecond }) as const;

/** The CPU time of a process is known to 10 ms, so with 400 pushes each is uncertain by 25 µs. */
const LOADS: readonly Load[] = [
  { name: '20/s', mix: 'android', pattern: open(20), calls: 400, withFloor: true },
  { name: '100/s', mix: 'android', pattern: open(100), calls: 1_000, withFloor: true },
  { name: '400/s', mix: 'android', pattern: open(400), calls: 2_000, withFloor: true },
  { name: '64 callers', mix: 'android', pattern: closed, calls: 6_000, withFloor: true },
  { name: '100/s', mix: 'ios', pattern: open(100), calls: 1_000, withFloor: false },
  { name: '64 callers', mix: 'ios', pattern: closed, calls: 6_000, withFloor: false },
];
const ROUNDS = { quick: 1, usual: 3, full: 5 } as const;
const CALLS = { quick: 0.25, usual: 1, full: 2 } as const;
/** The rates whose latency is shown: a vendor's usual ones. */
const LATENCY_OF = new Set(['100/s', '400/s']);

interface Sample {
  readonly subject: string;
  readonly load: Load;
  readonly result: LoadResult;
}

export async function measureCost(run: BenchRun): Promise<Measured> {
  const rounds = ROUNDS[run.options.size];
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await run.withFresh('floor', (floor) =>
      sample(run, floor, {
        subject: 'floor',
        loads: LOADS.filter(({ withFloor }) => withFloor),
        samples,
      }),
    );
    await run.withGateway((gateway) =>
      sample(run, gateway, { subject: run.subject, loads: LOADS, samples }),
    );
  }
  const of = (subject: string, load: Load) =>
    samples
      .filter((one) => one.subject === subject && one.load === load)
      .map(({ result }) => result);
  return {
    tables: [
      costTable(run.subject, of),
      ...['floor', run.subject].map((subject) => latencyTable(subject, of)),
    ],
    data: { rounds, samples },
  };
}

async function sample(
  run: BenchRun,
  gateway: Gateway,
  given: { readonly subject: string; readonly loads: readonly Load[]; readonly samples: Sample[] },
): Promise<void> {
  const { subject, loads, samples } = given;
  for (const load of loads) {
    const count = load.calls * CALLS[run.options.size];
    const result = await run.load(gateway, load.pattern, { mix: load.mix, count });
    if (result.arrived < count) {
      process.stderr.write(`${subject} at ${load.name}: ${result.arrived} of ${count} arrived\n`);
    }
    samples.push({ subject, load, result });
  }
}

type Results = (subject: string, load: Load) => readonly LoadResult[];

function costTable(subject: string, of: Results): Table {
  return {
    title: 'Cost: CPU µs of the process per push that reached the provider',
    columns: ['load', 'phones', 'floor', subject, 'ratio', 'spread', 'pushes/s'],
    rows: LOADS.map((load) => {
      const own = of(subject, load);
      const cost = (results: readonly LoadResult[]) => results.map((one) => one.cpuUsPerPush);
      const floor = load.withFloor ? median(cost(of('floor', load))) : undefined;
      const middle = median(cost(own));
      return [
        load.name,
        load.mix,
        number(floor),
        number(middle),
        ratio(floor === undefined ? undefined : middle / floor),
        percent(spread(cost(own))),
        number(median(own.map(({ perSecond }) => perSecond))),
      ];
    }),
    note: 'Medians of the rounds; the spread is that of the gateway. The floor knows FCM alone.',
  };
}

function latencyTable(subject: string, of: Results): Table {
  const ways = [
    ['→ provider', ({ toProviderMs }: LoadResult) => toProviderMs],
    ['→ answer', ({ toAnswerMs }: LoadResult) => toAnswerMs],
    ['generator', ({ generatorLagMs }: LoadResult) => generatorLagMs],
  ] as const;
  const loads = LOADS.filter((load) => LATENCY_OF.has(load.name) && of(subject, load).length > 0);
  return {
    title: `Latency of ${subject}, ms from when the call was due`,
    columns: ['load', 'phones', 'way', 'p50', 'p99', 'p99.9', 'max'],
    rows: loads.flatMap((load) =>
      ways.map(([way, pick]) => [
        load.name,
        load.mix,
        way,
        ...middles(of(subject, load).map(pick)),
      ]),
    ),
    note: '"generator" is how late the caller itself was: part of every other line.',
  };
}

function middles(distributions: readonly (Distribution | undefined)[]): readonly string[] {
  const known = distributions.filter((one) => one !== undefined);
  if (known.length === 0) return ['–', '–', '–', '–'];
  return (['p50', 'p99', 'p999', 'max'] as const).map((name) =>
    number(median(known.map((one) => one[name]))),
  );
}
