// `npm run simulate -- --seeds 1000`: many runs, a few at a time. Exits with 1 if any broke a rule.

import { parseArgs } from 'node:util';
import { describeFailure, type SimulationReport, simulate } from './simulate.ts';
import { areMet, figuresOf, formatFigures } from './wake-figures.ts';
import { simulateWakes } from './wakes.ts';

const HELP = `Runs the service in a simulated world, each seed another one.

  --seeds <number>       how many seeds (default 10)
  --seed <number>        the first of them; alone: only this one
  --deliveries <number>  of each run (default 10000; with --lost 100000)
  --machines <number>    so many over one store that they share (default: one with a file of its own)
  --trace                print every event

  --lost <share>         instead: phones with receipts, and pushes of which this share is lost without a word
  --knock, --no-knock    with second knocks (default) or without`;

/** A run mostly waits for the threads of its databases. */
const AT_ONCE = 4;

interface Options {
  readonly seeds: readonly number[];
  readonly deliveries: number;
  readonly machines: number | undefined;
  readonly trace: boolean;
  readonly lost: number | undefined;
  readonly hasKnock: boolean;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      deliveries: { type: 'string' },
      machines: { type: 'string' },
      lost: { type: 'string' },
      knock: { type: 'boolean', default: true },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
    allowNegative: true,
  });
  if (values.help) return undefined;
  const first = parseCount('seed', values.seed ?? '1');
  const count = parseCount('seeds', values.seeds ?? (values.seed === undefined ? '10' : '1'));
  return {
    seeds: Array.from({ length: count }, (_, index) => first + index),
    deliveries: parseCount(
      'deliveries',
      values.deliveries ?? (values.lost === undefined ? '10000' : '100000'),
    ),
    machines: values.machines === undefined ? undefined : parseCount('machines', values.machines),
    trace: values.trace,
    lost: values.lost === undefined ? undefined : parseShare('lost', values.lost),
    hasKnock: values.knock,
  };
}

function parseCount(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`--${name} must be a whole number`);
}

function parseShare(name: string, text: string): number {
  const share = Number(text);
  if (share >= 0 && share <= 1) return share;
  throw new Error(`--${name} must be a share from 0 to 1`);
}

function describe(report: SimulationReport, seconds: number): string {
  const { seed, violations, deliveries, counts, digest } = report;
  return [
    `seed ${seed}: ${violations.length === 0 ? 'ok' : 'FAILED'}`,
    `${deliveries} deliveries`,
    `${counts.attempts ?? 0} attempts`,
    `${counts.crashes ?? 0} crashes`,
    `${seconds.toFixed(1)} s`,
    digest.slice(0, 12),
  ].join(', ');
}

async function runAll({ seeds, deliveries, machines, trace }: Options): Promise<readonly number[]> {
  const failed: number[] = [];
  const left = [...seeds];
  const runNext = async (): Promise<void> => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const startedMs = performance.now();
      const print = trace ? { print: (line: string) => console.log(line) } : {};
      const report = await simulate({ seed, deliveries, machines, ...print });
      console.log(describe(report, (performance.now() - startedMs) / 1_000));
      if (seeds.length === 1) console.log(report.counts);
      if (report.violations.length === 0) continue;
      failed.push(seed);
      console.log(describeFailure(report, deliveries, machines));
    }
  };
  await Promise.all(Array.from({ length: trace ? 1 : AT_ONCE }, runNext));
  return failed;
}

async function runWakes({
  seeds: [seed = 1],
  deliveries,
  lost,
  hasKnock,
}: Options & { readonly lost: number }): Promise<number> {
  const knocks = hasKnock ? 'with second knocks' : 'without second knocks';
  console.log(`${deliveries} races, ${lost * 100} % of the pushes lost, ${knocks}, seed ${seed}\n`);
  const report = await simulateWakes({ seed, deliveries, lost, hasKnock });
  const figures = figuresOf(report, hasKnock);
  console.log(formatFigures(figures));
  return areMet(figures) ? 0 : 1;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  const { lost } = options;
  if (lost !== undefined) return await runWakes({ ...options, lost });
  const failed = await runAll(options);
  const held = options.seeds.length - failed.length;
  console.log(`${held} of ${options.seeds.length} seeds held every rule.`);
  if (failed.length > 0) console.log(`Failed: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

process.exitCode = await main();
