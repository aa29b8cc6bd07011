// How many pushes per second a gateway carries here, for the measurements that run at a share of it.

import type { BenchRun, Gateway } from './bench-run.ts';
import type { Mix } from './numbering.ts';

const CALLERS = 64;
const CALLS = { quick: 4_000, usual: 8_000, full: 16_000 } as const;

/** Half of what a closed loop of 64 callers reaches right now, in whole pushes per second. */
export async function halfOfSaturation(run: BenchRun, gateway: Gateway, mix: Mix): Promise<number> {
  const count = CALLS[run.options.size];
  const { perSecond } = await run.load(
    gateway,
    { kind: 'closed', callers: CALLERS },
    { mix, count },
  );
  return Math.max(1, Math.floor(perSecond / 2));
}
