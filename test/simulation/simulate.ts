// One run of one seed, from the first call to the last row.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MEMORY_FOLDER } from '../support/memory-folder.ts';
import { checkAttempts, checkCalls, checkDatabase, checkMemory } from './final-rules.ts';
import type { Violation } from './journal.ts';
import { checkPromises } from './promises.ts';
import { World } from './world.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly deliveries: number;
  /** The number of machines that share one store; absent: one machine with a store of its own. */
  readonly machines?: number | undefined;
  readonly print?: (line: string) => void;
}

export interface SimulationReport {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** One number for everything that happened, in order. */
  readonly digest: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly deliveries: number;
  /** The last lines of the journal. */
  readonly lines: readonly string[];
}

export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const folder = mkdtempSync(join(MEMORY_FOLDER, 'nds-simulation-'));
  try {
    const world = new World({ ...options, folder });
    await world.run();
    const { journal } = world;
    if (journal.violations.length === 0) {
      checkCalls(journal);
      for (const life of world.lives) checkMemory(life, journal);
      checkDatabase(await world.end(), journal);
      checkAttempts(journal, world.weather);
      checkPromises(journal, world.weather);
    } else {
      await world.end();
    }
    return {
      seed: options.seed,
      violations: journal.violations,
      digest: journal.digest(),
      counts: Object.fromEntries([...journal.counts].sort()),
      deliveries: journal.deliveries.size,
      lines: journal.lines,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The report of a run that broke a rule. */
export function describeFailure(
  report: SimulationReport,
  deliveries: number,
  machines?: number,
): string {
  const fleet = machines === undefined ? '' : ` --machines ${machines}`;
  const rules = report.violations.map(
    ({ rule, detail, atMs }) => `  ${(atMs / 1_000).toFixed(3)} s: ${rule}: ${detail}`,
  );
  return [
    `Seed ${report.seed} broke a rule:`,
    ...rules,
    'Replay it, with every event, by',
    `  npm run simulate -- --seed ${report.seed} --deliveries ${deliveries}${fleet} --trace`,
  ].join('\n');
}
