// The drill: machines over one PostgreSQL under load, and random faults, one after the other. At the end the records of
// callers, stand-ins and database are compared.

import { setTimeout as pause } from 'node:timers/promises';
import { type Chance, createChance } from '../../support/chance.ts';
import { type OnEnd, temporaryFolder } from '../../support/service.ts';
import { installServers, type Major, makeServer } from '../server.ts';
import { startCallers } from './callers.ts';
import { findClocks } from './clocks.ts';
import { readingDatabase } from './database.ts';
import { type FaultKind, type FaultRecord, perform } from './faults.ts';
import { createMachine, type Machine } from './machine.ts';
import type { Evidence, Sent } from './reconcile.ts';

const MAJOR: Major = 18;
const FIRST_CALLS_MS = 1_000;
const MIN_REST_MS = 500;
const MAX_REST_MS = 3_000;
/** A push that failed before the last fault is tried again within this. */
const MAX_SETTLING_MS = 90_000;
const LOOK_EVERY_MS = 100;

export interface DrillOptions {
  readonly nodes: number;
  /** Kills of machines and of PostgreSQL; for every five of them there are also a stop and a cut. */
  readonly kills: number;
  readonly callsPerSecond: number;
  readonly seed: number;
  /** A folder for the machines' logs, if they shall be kept. */
  readonly logs?: string | undefined;
  readonly onEnd: OnEnd;
  /** Called with one line for each thing that happens. */
  readonly tell: (line: string) => void;
}

export interface Drilled extends Evidence {
  /** Contradictions within the log, and rows that did not end. */
  readonly databaseFaults: readonly string[];
  readonly open: number;
  readonly clocks: string;
  /** How often machines logged each of these events. */
  readonly counts: Readonly<Record<string, number>>;
}

const COUNTED = ['node_taken_over', 'lease_lost', 'key_unclaimed', 'internal_fault'];

/** Every kind at least once; every fourth kill is one of PostgreSQL. */
export function planFaults(kills: number, chance: Chance): readonly FaultKind[] {
  const killed = Array.from(
    { length: kills },
    (_, index) => (index % 4 === 1 ? 'postgres' : 'kill') as FaultKind,
  );
  const besides = Array.from(
    { length: Math.ceil(kills / 5) },
    () => ['stop', 'cut'] as const,
  ).flat();
  return [...killed, ...besides]
    .map((kind) => ({ kind, place: chance.fraction() }))
    .sort((one, other) => one.place - other.place)
    .map(({ kind }) => kind);
}

export async function drill(options: DrillOptions): Promise<Drilled> {
  const { nodes, seed, logs, onEnd, tell } = options;
  // The callers have random numbers of their own, so that they do not change the faults.
  const chance = createChance(seed);
  const clocks = findClocks(nodes);
  tell(`clocks of the machines: ${clocks.description}`);
  await installServers();
  const server = await makeServer(MAJOR);
  onEnd(() => server.remove());
  const folder = temporaryFolder(onEnd);
  const machines: Machine[] = [];
  for (let number = 1; number <= nodes; number += 1) {
    const environment = clocks.environmentOf(number);
    machines.push(
      await createMachine({ number, folder, database: server.url, environment, logs, onEnd }),
    );
  }
  await Promise.all(machines.map((machine) => machine.start()));
  const database = readingDatabase(server.url);
  const callers = startCallers(machines, {
    perSecond: options.callsPerSecond,
    chance: createChance(seed + 1),
  });
  const faults: FaultRecord[] = [];
  await pause(FIRST_CALLS_MS);
  for (const kind of planFaults(options.kills, chance)) {
    await pause(chance.between(MIN_REST_MS, MAX_REST_MS));
    const fault = await perform(kind, { machines, server, database, chance });
    faults.push(fault);
    tell(describe(fault));
  }
  await pause(MIN_REST_MS);
  await callers.stop();
  for (const { sandbox } of machines) sandbox.clearFaults();
  tell('waiting until everything has ended');
  const untilMs = Date.now() + MAX_SETTLING_MS;
  let open = await database.countOpen();
  while (open > 0 && Date.now() < untilMs) {
    await pause(LOOK_EVERY_MS);
    open = await database.countOpen();
  }
  await Promise.all(machines.map((machine) => machine.stop()));
  const sentBy = <What>(read: (machine: Machine) => readonly What[]): readonly Sent<What>[] =>
    machines.flatMap((machine) =>
      read(machine).map((what) => ({ ...what, machine: machine.number })),
    );
  const countOf = (event: string) =>
    machines.reduce((sum, machine) => sum + machine.count(event), 0);
  return {
    calls: callers.calls,
    rows: await database.deliveries(),
    pushes: sentBy(({ sandbox }) => sandbox.received()),
    requests: sentBy(({ sandbox }) => sandbox.requests()),
    faults,
    unclaimed: new Set(machines.flatMap(({ unclaimed }) => [...unclaimed])),
    databaseFaults: await database.faults(),
    open,
    clocks: clocks.description,
    counts: Object.fromEntries(COUNTED.map((event) => [event, countOf(event)])),
  };
}

function describe({
  kind,
  machine,
  how,
  fromMs,
  toMs,
  takeoversMs,
  declaredDead,
}: FaultRecord): string {
  const whom = machine === undefined ? 'postgres killed' : `machine ${machine}: ${kind}`;
  const lasted = `${((toMs - fromMs) / 1_000).toFixed(1)} s`;
  const taken = takeoversMs.length === 0 ? '' : `, taken over after ${takeoversMs.join(', ')} ms`;
  const dead = declaredDead === 0 ? '' : `, ${declaredDead} DECLARED DEAD`;
  return `${whom}${how === undefined ? '' : ` (${how})`} for ${lasted}${taken}${dead}`;
}
