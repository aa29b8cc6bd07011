// Cost: CPU µs per delivered push and pushes per second at saturation, beside the bare transport and the owners'
// libraries. Every round uses fresh processes, and the rounds take turns, so that a noisy minute hits all alike.

import type { BenchRun } from '../bench-run.ts';
import { number, percent, ratio } from '../format.ts';
import type { Mix } from '../numbering.ts';
import { cpuUs } from '../process-usage.ts';
import { Reference, type ReferenceKind } from '../references.ts';
import { median, spread } from '../statistics.ts';
import type { Measured } from './measure.ts';

const SIZES = {
  quick: { rounds: 1, pushes: 4_000 },
  usual: { rounds: 5, pushes: 6_000 },
  full: { rounds: 5, pushes: 12_000 },
} as const;
const CALLERS = [64, 256] as const;
const MIXES = ['android', 'ios', 'mixed'] as const;
const REFERENCE_WARM_UP = 6_000;
const SETTLE_MS = 300;

interface Sample {
  readonly subject: string;
  readonly mix: Mix;
  readonly callers: number;
  readonly cpuUsPerPush: number;
  readonly perSecond: number;
  /** By thread name; of our own references only the sum is known. */
  readonly threads?: Readonly<Record<string, number>>;
}

interface Row {
  readonly subject: string;
  readonly mix: Mix;
  readonly callers: number;
  readonly cpuUsPerPush: number;
  readonly spread: number;
  readonly perSecond: number;
  /** To the bare transport of the same platforms and callers. */
  readonly ratioToBare: number | undefined;
  readonly rounds: readonly number[];
  readonly threads: Readonly<Record<string, number>>;
}

export async function measureCost(run: BenchRun): Promise<Measured> {
  const { rounds, pushes } = SIZES[run.options.size];
  const subject = run.options.foreign === undefined ? 'nds' : run.options.foreign.api;
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const kind of ['bare', 'libraries'] as const) {
      for (const provider of ['fcm', 'apns'] as const) {
        samples.push(...(await sampleReference(run, { kind, provider, pushes })));
      }
    }
    samples.push(...(await sampleGateway(run, subject, pushes)));
  }
  const rows = summarize(samples);
  return { tables: [tableOf(rows), threadTable(rows, subject)], data: { rounds, pushes, rows } };
}

async function sampleReference(
  run: BenchRun,
  given: {
    readonly kind: ReferenceKind;
    readonly provider: 'apns' | 'fcm';
    readonly pushes: number;
  },
): Promise<readonly Sample[]> {
  const { kind, provider, pushes } = given;
  await using reference = await Reference.start(kind, run.standIns, provider);
  const send = (callers: number, count: number) =>
    reference.closedLoop({ callers, count, firstNumber: run.takeNumbers(count) });
  await send(CALLERS[0], REFERENCE_WARM_UP);
  const samples: Sample[] = [];
  for (const callers of CALLERS) {
    const cpuBefore = cpuUs(reference.pid);
    const startedMs = performance.now();
    await send(callers, pushes);
    const seconds = (performance.now() - startedMs) / 1_000;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    samples.push({
      subject: kind === 'bare' ? 'bare' : provider === 'apns' ? 'node-apn' : 'firebase-admin',
      mix: provider === 'apns' ? 'ios' : 'android',
      callers,
      cpuUsPerPush: (cpuUs(reference.pid) - cpuBefore) / pushes,
      perSecond: pushes / seconds,
    });
  }
  return samples;
}

async function sampleGateway(
  run: BenchRun,
  subject: string,
  count: number,
): Promise<readonly Sample[]> {
  return await run.withGateway(async (gateway) => {
    const samples: Sample[] = [];
    for (const mix of MIXES) {
      for (const callers of CALLERS) {
        const result = await run.load(gateway, { kind: 'closed', callers }, { mix, count });
        if (result.arrived < count) warnOfLoss(subject, count - result.arrived);
        const { cpuUsPerPush, perSecond, threadUsPerPush } = result;
        samples.push({ subject, mix, callers, cpuUsPerPush, perSecond, threads: threadUsPerPush });
      }
    }
    return samples;
  });
}

function warnOfLoss(subject: string, missing: number): void {
  process.stderr.write(`${subject}: ${missing} pushes did not reach the provider\n`);
}

function summarize(samples: readonly Sample[]): readonly Row[] {
  const groups = Map.groupBy(
    samples,
    ({ subject, mix, callers }) => `${subject} ${mix} ${callers}`,
  );
  const bare = (mix: Mix, callers: number): number | undefined => {
    const of = (platform: Mix) =>
      groups.get(`bare ${platform} ${callers}`)?.map(({ cpuUsPerPush }) => cpuUsPerPush);
    if (mix !== 'mixed') return medianOf(of(mix));
    const [android, ios] = [medianOf(of('android')), medianOf(of('ios'))];
    return android === undefined || ios === undefined ? undefined : (android + ios) / 2;
  };
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { subject, mix, callers } = first;
    const rounds = group.map(({ cpuUsPerPush }) => cpuUsPerPush);
    const cpuUsPerPush = median(rounds);
    const reference = bare(mix, callers);
    return [
      {
        subject,
        mix,
        callers,
        cpuUsPerPush,
        spread: spread(rounds),
        perSecond: median(group.map(({ perSecond }) => perSecond)),
        ratioToBare: reference === undefined ? undefined : cpuUsPerPush / reference,
        rounds,
        threads: medianThreads(group),
      },
    ];
  });
}

function medianOf(values: readonly number[] | undefined): number | undefined {
  return values === undefined || values.length === 0 ? undefined : median(values);
}

function medianThreads(group: readonly Sample[]): Readonly<Record<string, number>> {
  const names = new Set(group.flatMap(({ threads }) => Object.keys(threads ?? {})));
  return Object.fromEntries(
    [...names].map((name) => [name, median(group.map(({ threads }) => threads?.[name] ?? 0))]),
  );
}

function tableOf(rows: readonly Row[]) {
  return {
    title: 'Cost: CPU of the sending process per push, closed loop at saturation',
    columns: ['who', 'phones', 'callers', 'CPU µs/push', 'spread', 'to bare', 'pushes/s'],
    rows: rows.map((row) => [
      row.subject,
      row.mix,
      String(row.callers),
      number(row.cpuUsPerPush),
      percent(row.spread),
      ratio(row.ratioToBare),
      number(row.perSecond),
    ]),
    note: 'Medians of the rounds. pushes/s is what the machine carries with caller, service and stand-ins on it.',
  };
}

function threadTable(rows: readonly Row[], subject: string) {
  const own = rows.filter((row) => row.subject === subject);
  const total = (name: string) => own.reduce((sum, { threads }) => sum + (threads[name] ?? 0), 0);
  const names = [...new Set(own.flatMap(({ threads }) => Object.keys(threads)))]
    .sort((one, other) => total(other) - total(one))
    .slice(0, 6);
  return {
    title: 'Cost by thread, CPU µs per push',
    columns: ['phones', 'callers', ...names],
    rows: own.map(({ mix, callers, threads }) => [
      mix,
      String(callers),
      ...names.map((name) => number(threads[name] ?? 0)),
    ]),
  };
}
