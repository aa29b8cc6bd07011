// Where the time of one notification goes: a CPU profile of each thread of the service under load, told by stage,
// and a heap profile. The profiles lie in bench/results for Chrome's developer tools.

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { BenchRun } from '../bench-run.ts';
import { number } from '../format.ts';
import type { Mix } from '../numbering.ts';
import { type Breakdown, breakDown, parseProfile } from '../profile/stages.ts';
import type { Measured, Table } from './measure.ts';

const FOLDER = resolve('bench/results');
const CALLERS = 64;
const PUSHES = { quick: 8_000, usual: 15_000, full: 40_000 } as const;
const FUNCTIONS_SHOWN = 40;

export async function measureProfile(run: BenchRun): Promise<Measured> {
  const tables: Table[] = [];
  const data: Record<string, object> = {};
  for (const mix of ['android', 'ios'] as const) {
    const threads = await profileUnderLoad(run, mix);
    data[mix] = threads.map(({ thread, stages }) => ({ thread, stages }));
    tables.push(...threads.flatMap((breakdown) => tablesOf(mix, breakdown)));
  }
  await profileHeap(run);
  return { tables, data };
}

/** Where memory is allocated under load; apart from the CPU profile, which it would distort. */
async function profileHeap(run: BenchRun): Promise<void> {
  await using service = await run.startService({
    nodeOptions: ['--heap-prof', `--heap-prof-dir=${FOLDER}`],
  });
  const gateway = run.gatewayOf(service);
  await run.warmUp(gateway);
  const pattern = { kind: 'closed', callers: CALLERS } as const;
  await run.load(gateway, pattern, { mix: 'mixed', count: PUSHES[run.options.size] });
  await service.stop();
}

interface ThreadBreakdown extends Breakdown {
  readonly thread: string;
}

async function profileUnderLoad(run: BenchRun, mix: Mix): Promise<readonly ThreadBreakdown[]> {
  mkdirSync(FOLDER, { recursive: true });
  const known = new Set(readdirSync(FOLDER));
  await using service = await run.startService({
    nodeOptions: ['--cpu-prof', '--cpu-prof-interval=250', `--cpu-prof-dir=${FOLDER}`],
  });
  const gateway = run.gatewayOf(service);
  await run.warmUp(gateway);
  const pattern = { kind: 'closed', callers: CALLERS } as const;
  const load = await run.load(gateway, pattern, { mix, count: PUSHES[run.options.size] });
  await service.stop();
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.cpuprofile'));
  return files
    .filter((file) => !known.has(file))
    .map((file) => {
      const profile = parseProfile(readFileSync(join(FOLDER, file), 'utf8'));
      const { stages, functions } = breakDown(profile, load.startedUs, load.endedUs);
      const perPush = <Entry extends { readonly us: number }>(entry: Entry): Entry => ({
        ...entry,
        us: entry.us / load.arrived,
      });
      return {
        thread: threadOf(file),
        stages: stages.map(perPush),
        functions: functions.map(perPush),
      };
    })
    .filter(({ stages }) => stages.length > 0);
}

/** `CPU.<date>.<time>.<pid>.<thread>.<sequence>.cpuprofile`; thread 0 is the main one, the writer comes next. */
function threadOf(file: string): string {
  const thread = file.split('.')[4];
  return thread === '0' ? 'main' : thread === '1' ? 'store writer' : `thread ${thread}`;
}

function tablesOf(mix: Mix, { thread, stages, functions }: ThreadBreakdown): readonly Table[] {
  const total = stages.reduce((sum, { us }) => sum + us, 0);
  if (total < 1) return [];
  return [
    {
      title: `Budget of one ${mix} notification, ${thread} thread (profiled, so dearer than unprofiled)`,
      columns: ['stage', 'µs'],
      rows: [...stages.map(({ stage, us }) => [stage, number(us)]), ['sum', number(total)]],
    },
    {
      title: `Dearest functions, ${mix}, ${thread} thread`,
      columns: ['function', 'stage', 'µs'],
      rows: functions
        .slice(0, FUNCTIONS_SHOWN)
        .map(({ name, stage, us }) => [name, stage, number(us)]),
    },
  ];
}
