// One machine's store over a database that several share, in memory; it answers as src/stores/postgres does. Its clock,
// its beats and its judgement about other machines are that adapter's own code.

import type { Delivery } from '../../src/core/delivery.ts';
import type { Clock } from '../../src/core/ports/clock.ts';
import type { Claim, ClaimResult, ClaimSelection } from '../../src/core/ports/plans.ts';
import type {
  AcceptedDelivery,
  KeyedDelivery,
  QuarantineEntry,
  Store,
} from '../../src/core/ports/store.ts';
import { StoreUnavailableError } from '../../src/core/ports/store.ts';
import type { NodeTable } from '../../src/stores/postgres/machines/node-table.ts';
import { Nodes, type NodesParts } from '../../src/stores/postgres/machines/nodes.ts';
import { claimWhileFresh } from '../../src/stores/postgres/operations/claim.ts';
import { Times } from '../../src/stores/postgres/times.ts';
import { interceptStore, type StoreOperation } from './intercept-store.ts';
import type { SharedDatabase } from './shared-database.ts';

/** Carries a statement to the database and its answer back. */
export type Link = <Result>(
  name: StoreOperation | 'nodes',
  statement: () => Promise<Result>,
) => Promise<Result>;

export interface SharedMachineOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly link?: Link;
  /** Wraps the store, to see each operation when it is performed, whether or not this machine gets the answer. */
  readonly watch?: (store: Store) => Store;
  readonly onTakenOver?: NodesParts['onTakenOver'];
  readonly onGone?: NodesParts['onGone'];
}

export interface SharedMachine {
  readonly store: Store;
  readonly owner: string;
  readonly nodes: Nodes;
}

export async function joinMachine(
  database: SharedDatabase,
  { id, clock, link = direct, watch = (store) => store, onTakenOver, onGone }: SharedMachineOptions,
): Promise<SharedMachine> {
  const times = new Times(clock);
  const listeners: ((reason: StoreUnavailableError['reason']) => void)[] = [];
  let isClosed = false;
  const run: Link = async (name, statement) => {
    try {
      return await link(name, statement);
    } catch (error) {
      const isTold = error instanceof StoreUnavailableError && !isClosed;
      if (isTold) for (const listener of listeners) listener(error.reason);
      throw error;
    }
  };
  const table = linked(database.table, run);
  const nodes = new Nodes({ id, clock, times, table, onTakenOver, onGone });
  await nodes.join();
  const own = { database, times, clock, claimant: () => ({ id, epoch: nodes.epoch }) };
  const store = interceptStore(watch(inServiceTime(own)), (name, statement) =>
    isClosed ? Promise.reject(new StoreUnavailableError('closed')) : run(name, statement),
  );
  return {
    owner: id,
    nodes,
    store: {
      ...store,
      claimDue: claimWhileFresh(nodes, store.claimDue),
      mayRetry: (leasedAtMs) => nodes.holds(leasedAtMs),
      onTrouble: (listener) => void listeners.push(listener),
      close: async () => {
        isClosed = true;
        await nodes.leave();
      },
    },
  };
}

const direct: Link = (_name, statement) => statement();

function linked(table: NodeTable, run: Link): NodeTable {
  return {
    register: (id, url) => run('nodes', () => table.register(id, url)),
    beat: (id, epoch) => run('nodes', () => table.beat(id, epoch)),
    announce: (id, url) => run('nodes', () => table.announce(id, url)),
    find: (id) => run('nodes', () => table.find(id)),
    leave: (id) => run('nodes', () => table.leave(id)),
    declareDead: (beat) => run('nodes', () => table.declareDead(beat)),
    free: (id) => run('nodes', () => table.free(id)),
    forget: (id, epoch) => run('nodes', () => table.forget(id, epoch)),
  };
}

/** Rows have the database's time, in whole milliseconds; the machine has its own. */
function inServiceTime(given: {
  readonly database: SharedDatabase;
  readonly times: Times;
  readonly clock: Clock;
  readonly claimant: () => { readonly id: string; readonly epoch: number };
}): Store {
  const { database, times, clock, claimant } = given;
  const at = (ms: number) => Date.parse(times.at(ms));
  const atWall = (ms: number) => Date.parse(times.atWall(ms));
  const endAt = (ms: number) => Date.parse(times.endAt(ms));
  const maybeFrom = (ms: number | undefined) => (ms === undefined ? undefined : times.from(ms));
  const inRow = (delivery: Delivery): Delivery => ({
    ...delivery,
    expiresAtMs: endAt(delivery.expiresAtMs),
  });
  const fromRow = (delivery: Delivery): Delivery => ({
    ...delivery,
    expiresAtMs: times.from(delivery.expiresAtMs),
  });
  const leased = <Accepted extends AcceptedDelivery>(accepted: Accepted): Accepted => ({
    ...accepted,
    delivery: inRow(accepted.delivery),
    leaseUntilMs: at(accepted.leaseUntilMs),
    ...(accepted.duplicateKey && {
      duplicateKey: {
        ...accepted.duplicateKey,
        expiresAtMs: at(accepted.duplicateKey.expiresAtMs),
      },
    }),
  });
  const entryIn = (entry: QuarantineEntry): QuarantineEntry => ({
    ...entry,
    sinceMs: atWall(entry.sinceMs),
    untilMs: atWall(entry.untilMs),
  });
  const entryFrom = (entry: QuarantineEntry): QuarantineEntry => ({
    ...entry,
    sinceMs: times.wallFrom(entry.sinceMs),
    untilMs: times.wallFrom(entry.untilMs),
  });
  const selectIn = (select: ClaimSelection): ClaimSelection => {
    if (select.kind === 'last_moment') {
      return { ...select, usefulUntilByMs: at(select.usefulUntilByMs) };
    }
    if (select.kind === 'unsent') return { ...select, leaseUntilMs: at(select.leaseUntilMs) };
    return select;
  };
  const claimIn = (claim: Claim): Claim => ({
    ...claim,
    nowMs: at(claim.nowMs),
    leaseUntilMs: at(claim.leaseUntilMs),
    select: selectIn(claim.select),
  });
  const claimed = ({ deliveries, nextDueAtMs, nextUsefulUntilMs }: ClaimResult): ClaimResult => ({
    deliveries: deliveries.map(fromRow),
    nextDueAtMs: maybeFrom(nextDueAtMs),
    nextUsefulUntilMs: maybeFrom(nextUsefulUntilMs),
  });
  return {
    insert: (accepted) => database.insert(leased(accepted)),
    claimKey: async (keyed: KeyedDelivery) => {
      const claim = await database.claimKey(leased(keyed), at(clock.nowMs()));
      if (claim.kind === 'quarantined') return { ...claim, entry: entryFrom(claim.entry) };
      if (claim.kind === 'held' || claim.hold === undefined) return claim;
      return { ...claim, hold: entryFrom(claim.hold) };
    },
    settle: ({ next, keepLeaseUntilMs, expiresAtMs, ...settlement }) =>
      database.settle({
        ...settlement,
        nowMs: at(settlement.nowMs),
        ...(keepLeaseUntilMs === undefined ? {} : { keepLeaseUntilMs: at(keepLeaseUntilMs) }),
        ...(expiresAtMs === undefined ? {} : { expiresAtMs: endAt(expiresAtMs) }),
        next:
          next.status === 'queued'
            ? {
                ...next,
                dueAtMs: at(next.dueAtMs),
                notBeforeMs: next.notBeforeMs === undefined ? undefined : at(next.notBeforeMs),
              }
            : next,
      }),
    confirm: (confirmation) => database.confirm(confirmation),
    renew: (renewal) =>
      database.renew({
        ...renewal,
        expiresAtMs: endAt(renewal.expiresAtMs),
        usefulUntilMs: endAt(renewal.usefulUntilMs),
        dueAtMs: at(renewal.dueAtMs),
      }),
    claimDue: async (claim) => claimed(await database.claimAs(claimant(), claimIn(claim))),
    mayRetry: () => true,
    releaseLeases: (owner) => database.releaseLeases(owner),
    recover: ({ nowMs }) => database.recover({ nowMs: at(nowMs) }),
    hasten: (options) => database.hasten({ ...options, nowMs: at(options.nowMs) }),
    expireOverdue: (options) => database.expireOverdue({ ...options, nowMs: at(options.nowMs) }),
    queueState: ({ nowMs }) => database.queueState({ nowMs: at(nowMs) }),
    findDuplicate: ({ keyHash, nowMs }) => database.findDuplicate({ keyHash, nowMs: at(nowMs) }),
    quarantine: (entry) => database.quarantine(entryIn(entry)),
    releaseQuarantine: (tokenHash) => database.releaseQuarantine(tokenHash),
    listQuarantine: async ({ wallMs, limit }) =>
      (await database.listQuarantine({ wallMs: atWall(wallMs), limit })).map(entryFrom),
    listProvenTokens: (limit) => database.listProvenTokens(limit),
    findDeliveries: (query) => database.findDeliveries(query),
    prune: (options) =>
      database.prune({
        ...options,
        nowMs: at(options.nowMs),
        wallMs: atWall(options.wallMs),
      }),
    probe: () => database.probe(),
    onTrouble: () => {},
    recordReply: (reply) => database.recordReply(reply),
    close: () => Promise.resolve(),
  };
}
