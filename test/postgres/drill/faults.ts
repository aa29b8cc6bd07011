// What the drill does to machines and PostgreSQL, one fault at a time. Before each fault some pushes are made to hang,
// so that there are always attempts under way.

import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from '../../support/chance.ts';
import type { Server } from '../server.ts';
import type { DrillDatabase, Leased } from './database.ts';
import { ATTEMPT_TIMEOUT_MS, type Machine } from './machine.ts';
import type { Cut } from './relay.ts';

export const FAULT_KINDS = ['kill', 'postgres', 'stop', 'cut'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

const STOPPED_MS = 10_000;
const CUT_MS = 12_000;
const MAX_POSTGRES_DOWN_MS = 9_000;
const MAX_DEAD_MS = 12_000;
/** How long a statement of the dead machine that is still under way may take to commit. */
const LAST_COMMIT_MS = 100;
const LOOK_EVERY_MS = 25;
const MAX_TAKEOVER_MS = 30_000;
const HANGING = 3;

export interface FaultRecord {
  readonly kind: FaultKind;
  /** Absent for PostgreSQL, because that fault affects all machines. */
  readonly machine: number | undefined;
  readonly fromMs: number;
  /**
   * When the fault was over: the machine has started again, runs again or reaches PostgreSQL again, or PostgreSQL is
   * back.
   */
  readonly toMs: number;
  readonly how?: Cut | undefined;
  /** For each delivery that the machine was sending: how long it waited until another machine took it over. */
  readonly takeoversMs: readonly number[];
  /** Machines that were declared dead by a restart of PostgreSQL. */
  readonly declaredDead: number;
}

export interface FaultsParts {
  readonly machines: readonly Machine[];
  readonly server: Server;
  readonly database: DrillDatabase;
  readonly chance: Chance;
}

export async function perform(kind: FaultKind, parts: FaultsParts): Promise<FaultRecord> {
  const { machines, chance } = parts;
  if (kind === 'postgres') return await restartPostgres(parts);
  const [first, ...rest] = machines;
  if (first === undefined) throw new Error('no machine');
  const machine = chance.pick([first, ...rest]);
  await keepPushesUnderWay([machine], chance);
  switch (kind) {
    case 'kill':
      return await killMachine(machine, parts);
    case 'stop':
      return await stopMachine(machine, parts);
    case 'cut':
      return await cutOff(machine, parts);
  }
}

/** Makes some pushes of these machines hang, and waits for the first one. */
async function keepPushesUnderWay(machines: readonly Machine[], chance: Chance): Promise<void> {
  const accepted = chance.happens(0.5);
  const fromMs = Date.now();
  await Promise.all(
    machines.map(async ({ sandbox }) => {
      sandbox.script({ fault: { kind: 'hang', accepted }, times: HANGING });
      await sandbox.waitForRequests(
        ({ reason, receivedAtMs }) => reason === 'hang' && receivedAtMs >= fromMs,
        1,
      );
    }),
  );
  await pause(chance.between(0, ATTEMPT_TIMEOUT_MS / 2));
}

async function killMachine(
  machine: Machine,
  { database, chance }: FaultsParts,
): Promise<FaultRecord> {
  const deadMs = chance.between(0, MAX_DEAD_MS);
  const fromMs = Date.now();
  await machine.kill();
  machine.sandbox.clearFaults();
  const takeovers = watchTakeover(machine, { database, fromMs });
  await pause(Math.max(LAST_COMMIT_MS, fromMs + deadMs - Date.now()));
  await machine.start();
  const toMs = Date.now();
  return record('kill', { machine, fromMs, toMs, takeoversMs: await takeovers });
}

async function stopMachine(machine: Machine, { database }: FaultsParts): Promise<FaultRecord> {
  const fromMs = Date.now();
  machine.pause();
  const takeovers = watchTakeover(machine, { database, fromMs });
  await pause(STOPPED_MS);
  machine.resume();
  const toMs = Date.now();
  return record('stop', { machine, fromMs, toMs, takeoversMs: await takeovers });
}

async function cutOff(machine: Machine, { database, chance }: FaultsParts): Promise<FaultRecord> {
  const how = chance.pick<Cut>(['silent', 'silent', 'reset']);
  const fromMs = Date.now();
  machine.relay.cut(how);
  const takeovers = watchTakeover(machine, { database, fromMs });
  await pause(CUT_MS);
  machine.relay.heal();
  const toMs = Date.now();
  return { ...record('cut', { machine, fromMs, toMs, takeoversMs: await takeovers }), how };
}

async function restartPostgres({
  machines,
  server,
  database,
  chance,
}: FaultsParts): Promise<FaultRecord> {
  await keepPushesUnderWay(machines, chance);
  const before = await database.nodes();
  const fromMs = Date.now();
  await server.kill();
  await pause(chance.between(0, MAX_POSTGRES_DOWN_MS));
  await server.start();
  const toMs = Date.now();
  // If a machine is declared dead because of this, that happens within this time.
  await pause(MAX_POSTGRES_DOWN_MS);
  const after = await database.nodes();
  const isSame = (node: (typeof before)[number]) =>
    after.some(({ id, epoch }) => id === node.id && epoch === node.epoch);
  const declaredDead = before.filter((node) => !isSame(node)).length;
  return { kind: 'postgres', machine: undefined, fromMs, toMs, takeoversMs: [], declaredDead };
}

function record(
  kind: FaultKind,
  fault: Pick<FaultRecord, 'fromMs' | 'toMs' | 'takeoversMs'> & { readonly machine: Machine },
): FaultRecord {
  return { ...fault, kind, machine: fault.machine.number, declaredDead: 0 };
}

/** Watches the deliveries that the machine was sending until another one has taken them over; rejects if none does. */
async function watchTakeover(
  { nodeUrl, number }: Machine,
  { database, fromMs }: { readonly database: DrillDatabase; readonly fromMs: number },
): Promise<readonly number[]> {
  await pause(LAST_COMMIT_MS);
  let left: readonly Leased[] = await database.leasedAt(nodeUrl);
  const takeoversMs: number[] = [];
  while (left.length > 0) {
    await pause(LOOK_EVERY_MS);
    const still = await database.stillLeft(left);
    const takenMs = Date.now() - fromMs;
    for (let taken = still.length; taken < left.length; taken += 1) takeoversMs.push(takenMs);
    left = still;
    if (takenMs > MAX_TAKEOVER_MS)
      throw new Error(`nobody takes up ${left.length} deliveries of machine ${number}`);
  }
  return takeoversMs;
}
