// Cold start: from the start of the process to the first push at the provider, in time and in CPU time. A caller tries
// again until it is connected, as the proxy of a platform does that starts a stopped machine for a request.

import { number } from '../format.ts';
import { nowUs } from '../monotonic.ts';
import { cpuUs } from '../process-usage.ts';
import type { BenchRun } from '../run.ts';
import { launchService } from '../service.ts';
import { median } from '../statistics.ts';
import type { Measured } from './measure.ts';

const ROUNDS = { quick: 1, usual: 5, full: 5 } as const;
const KNOCK_EVERY_MS = 10;
const TIMEOUT_MS = 20_000;

interface Sample {
  readonly wallMs: number;
  readonly cpuMs: number;
}

export async function measureColdStart(run: BenchRun): Promise<Measured> {
  const starts: (Sample & { readonly mix: string })[] = [];
  // Fills the compile cache, as the build of the image does.
  await start(run, 'android');
  for (let round = 0; round < ROUNDS[run.options.size]; round += 1) {
    for (const mix of ['android', 'ios'] as const) starts.push({ mix, ...(await start(run, mix)) });
  }
  const middle = (mix: string, pick: (sample: Sample) => number) =>
    number(median(starts.filter((sample) => sample.mix === mix).map(pick)));
  return {
    tables: [
      {
        title: 'Cold start: process start → first push accepted by the provider',
        columns: ['phones', 'ms', 'CPU ms'],
        rows: ['android', 'ios'].map((mix) => [
          mix,
          middle(mix, ({ wallMs }) => wallMs),
          middle(mix, ({ cpuMs }) => cpuMs),
        ]),
        note: 'Medians. Both providers are configured, the database is new, the compile cache is full.',
      },
    ],
    data: { starts },
  };
}

async function start(run: BenchRun, mix: 'android' | 'ios'): Promise<Sample> {
  const startedUs = nowUs();
  await using service = await launchService({ standIns: run.standIns.described });
  const { target, pid } = run.gatewayOf(service);
  const untilMs = Date.now() + TIMEOUT_MS;
  while (Date.now() < untilMs) {
    const firstNumber = run.takeNumbers(1);
    await run.standIns.watch(firstNumber, 1);
    const calls = { mix, count: 1, firstNumber };
    await run.generator.run(target, { kind: 'burst' }, calls);
    const { arrived, lastAtUs } = await run.standIns.waitFor(0, 0);
    if (arrived === 1) return { wallMs: (lastAtUs - startedUs) / 1e3, cpuMs: cpuUs(pid) / 1e3 };
    await new Promise((resolve) => setTimeout(resolve, KNOCK_EVERY_MS));
  }
  throw new Error('the service did not deliver in time');
}
