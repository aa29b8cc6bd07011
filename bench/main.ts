// `npm run bench`: measures what was asked for, prints tables and writes one JSON file.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { BenchRun } from './bench-run.ts';
import { formatTable } from './format.ts';
import { describeMachine } from './machine.ts';
import { measureBurst } from './measures/burst.ts';
import { measureColdStart } from './measures/cold-start.ts';
import { measureCost } from './measures/cost.ts';
import { measureLatency } from './measures/latency.ts';
import { measureLog } from './measures/log.ts';
import type { Measure } from './measures/measure.ts';
import { measureMemory } from './measures/memory.ts';
import { measureOutage } from './measures/outage.ts';
import { measureProfile } from './measures/profile.ts';
import { measureRates } from './measures/rates.ts';
import { measureRoundTrip } from './measures/round-trip.ts';
import { type Foreign, HELP, type MeasureName, type Options, parseOptions } from './options.ts';

const FOREIGN_TIMEOUT_MS = 120_000;

/** A new measurement is a file of its own and a line here and in `MEASURES`. */
const MEASURE: Readonly<Record<MeasureName, Measure>> = {
  cost: measureCost,
  rates: measureRates,
  latency: measureLatency,
  burst: measureBurst,
  memory: measureMemory,
  'cold-start': measureColdStart,
  log: measureLog,
  'round-trip': measureRoundTrip,
  outage: measureOutage,
  profile: measureProfile,
};

async function bench(options: Options): Promise<void> {
  const machine = describeMachine();
  const startedAt = new Date().toISOString();
  process.stdout.write(`${machine.summary}\n\n`);
  if (machine.loadBefore > machine.cores / 4) {
    process.stdout.write(
      `Busy with other work (load ${machine.loadBefore.toFixed(1)}): trust ratios only.\n\n`,
    );
  }
  await using run = await BenchRun.start(options);
  if (options.foreign !== undefined) await meetForeign(run, options.foreign);
  const results: Record<string, object> = {};
  for (const name of options.measures) {
    const { tables, data } = await MEASURE[name](run);
    results[name] = data;
    for (const table of tables) process.stdout.write(`${formatTable(table)}\n`);
  }
  mkdirSync(dirname(options.outputFile), { recursive: true });
  const report = { startedAt, size: options.size, machine, results };
  writeFileSync(options.outputFile, `${JSON.stringify(report, roundNumbers, 1)}\n`);
  process.stdout.write(`Written to ${options.outputFile}\n`);
}

/** Says how the stand-ins are reached and waits until the other gateway does so. */
async function meetForeign(run: BenchRun, foreign: Foreign): Promise<void> {
  const { apns, fcm, files } = run.standIns.described;
  process.stdout.write(`The gateway under test must push to these stand-ins:

  APNs  ${apns.url}  key ${files?.apnsKey}  key id ${apns.keyId}  team ${apns.teamId}  topic ${apns.topic}
  FCM   ${fcm.url}  project ${fcm.projectId}  service account ${files?.serviceAccount}
  both  certificate authority ${files?.ca}

Waiting for a push from it …
`);
  const gateway = { pid: foreign.pid, target: run.targetOf(foreign.host, foreign.port) };
  const untilMs = Date.now() + FOREIGN_TIMEOUT_MS;
  for (;;) {
    const load = { mix: 'mixed', count: 2, maxMs: 2_000 } as const;
    const { arrived } = await run.load(gateway, { kind: 'closed', callers: 1 }, load);
    if (arrived === 2) return;
    if (Date.now() > untilMs) throw new Error('none came: see how the stand-ins are reached');
  }
}

/** Four digits after the point are more than was measured. */
function roundNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value * 1e4) / 1e4 : value;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(`${HELP}\n`);
  else await bench(options);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
