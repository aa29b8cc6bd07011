// `npm run bench`: runs the measurements that were asked for, prints tables and writes one JSON file.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { formatTable } from './format.ts';
import { describeMachine } from './machine.ts';
import { measureBurst } from './measures/burst.ts';
import { measureColdStart } from './measures/cold-start.ts';
import { measureCost } from './measures/cost.ts';
import { measureEvents } from './measures/events.ts';
import { measureLog } from './measures/log.ts';
import type { Measure } from './measures/measure.ts';
import { measureMemory } from './measures/memory.ts';
import { measureOutage } from './measures/outage.ts';
import { measurePostgres } from './measures/postgres.ts';
import { type Foreign, HELP, type MeasureName, type Options, parseOptions } from './options.ts';
import { BenchRun } from './run.ts';

const FOREIGN_TIMEOUT_MS = 600_000;
const FOREIGN_RETRY_MS = 500;

/** A new measurement is a file of its own and a line here and in `MEASURES`. */
const MEASURE: Readonly<Record<MeasureName, Measure>> = {
  cost: measureCost,
  burst: measureBurst,
  memory: measureMemory,
  'cold-start': measureColdStart,
  log: measureLog,
  outage: measureOutage,
  events: measureEvents,
  postgres: measurePostgres,
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

/** Prints the addresses of the stand-ins, and waits until a push of the other gateway arrives. */
async function meetForeign(run: BenchRun, foreign: Foreign): Promise<void> {
  const { apns, fcm, files } = run.standIns.described;
  process.stdout.write(`The stand-ins listen. Start the gateway so that it pushes to them:

  APNs  ${apns.url}  key ${files?.apnsKey}  key id ${apns.keyId}  team ${apns.teamId}  topic ${apns.topic}
  FCM   ${fcm.url}  project ${fcm.projectId}  service account ${files?.serviceAccount}
  both  certificate authority ${files?.ca}

Waiting for a push from it …
`);
  const untilMs = Date.now() + FOREIGN_TIMEOUT_MS;
  while (!(await pushes(run, foreign))) {
    if (Date.now() > untilMs) throw new Error('no push came: see how the stand-ins are reached');
    await new Promise((resolve) => setTimeout(resolve, FOREIGN_RETRY_MS));
  }
}

async function pushes(run: BenchRun, { host, port, api }: Foreign): Promise<boolean> {
  const firstNumber = run.takeNumbers(2);
  await run.standIns.watch(firstNumber, 2);
  const target = { host, port, api, topic: run.standIns.described.apns.topic };
  const calls = { mix: 'mixed', count: 2, firstNumber, maxMs: 2_000 } as const;
  await run.generator.run(target, { kind: 'closed', callers: 1 }, calls);
  return (await run.standIns.waitFor(1, 1_000)).arrived > 0;
}

/** Further decimals would be more precise than the measurements. */
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
