// The ports to the log and the devices on one PostgreSQL, which any number of machines share.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/ports/clock.ts';
import type { MachineList, Peers } from '../../core/ports/peers.ts';
import type { Store } from '../../core/ports/store.ts';
import type { Keys } from '../sealing/keys.ts';
import type { Sealer } from '../sealing/seal.ts';
import { Batches, type EndedBatch } from './batches.ts';
import { Database } from './database.ts';
import { refusalOf } from './errors.ts';
import { openKeys } from './keys.ts';
import { listMachines } from './machines/machine-list.ts';
import { createNodeTable } from './machines/node-table.ts';
import { Nodes, type NodesParts } from './machines/nodes.ts';
import { applyMigrations } from './migrations.ts';
import { prepareClaim } from './operations/claim.ts';
import { prepareClaimKey } from './operations/claim-key.ts';
import { prepareInsert } from './operations/insert.ts';
import { preparePlans } from './operations/plans.ts';
import { prepareSearch } from './operations/search.ts';
import { prepareConfirm, prepareSettle } from './operations/settle.ts';
import { prepareTokenQueries } from './operations/token-queries.ts';
import { prepareUpkeep } from './operations/upkeep.ts';
import { createPorts, type Ports } from './ports.ts';
import { Tellings } from './records/tellings.ts';
import { Serial } from './serial.ts';
import { Times } from './times.ts';

const DEFAULT_MAX_PENDING_OPERATIONS = 20_000;
const NODE_ID_BYTES = 16;

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database?sslmode=verify-full`. */
  readonly url: string;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly maxPendingOperations?: number | undefined;
  /** Deliveries of a machine that died may be claimed now. */
  readonly onTakenOver?: NodesParts['onTakenOver'];
  readonly onGone?: NodesParts['onGone'];
  readonly onEvent?: ((event: PostgresStoreEvent) => void) | undefined;
  /** Called with the number of operations when a batch goes to the database as one transaction. */
  readonly onBatch?: ((operations: number) => void) | undefined;
  /** Called when a batch of writes was committed. */
  readonly onBatchEnded?: ((batch: EndedBatch) => void) | undefined;
}

/** The encryption key was replaced. */
export interface PostgresStoreEvent {
  readonly name: 'key_rotated';
  readonly resealedRows: number;
}

export interface OpenedPostgresStore extends Ports {
  readonly store: Store;
  /** 32 bytes, for the life of the database: the key of `Ids.fingerprint`. */
  readonly lookupKey: Uint8Array;
  /** This machine's name among those that share the database: the owner of its leases. */
  readonly owner: string;
  readonly peers: Peers;
  readonly machineList: MachineList;
  /** False if a crash of the PostgreSQL may lose what was committed. */
  readonly commitsAreSafe: () => boolean;
}

/** What the operations of one machine share. */
export interface Parts {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly times: Times;
  readonly nodes: Nodes;
}

/**
 * Rejects with `DatabaseRefusedError`, whose message says what the operator must do, or with `StoreUnavailableError`.
 */
export async function openPostgresStore(
  options: PostgresStoreOptions,
): Promise<OpenedPostgresStore> {
  const { url, keys, clock, onEvent } = options;
  const database = new Database({ url, clock });
  try {
    await applyMigrations(database, url);
    const { sealer, lookupKey, resealedRows } = await openKeys(database, keys, url);
    if (resealedRows !== undefined) onEvent?.({ name: 'key_rotated', resealedRows });
    const times = new Times(clock);
    const owner = randomBytes(NODE_ID_BYTES).toString('base64url');
    const { onTakenOver, onGone } = options;
    const table = createNodeTable(database);
    const nodes = new Nodes({ id: owner, clock, table, times, onTakenOver, onGone });
    await database.warm();
    // The last step: a machine that fails to start must not count as alive.
    await nodes.join();
    const parts = { database, sealer, times, nodes };
    const sides = { tellings: new Tellings(database, clock), deviceChanges: new Serial() };
    const store = createStore(parts, { ...options, ...sides });
    return {
      store,
      ...createPorts(parts, sides),
      lookupKey,
      owner,
      peers: nodes,
      machineList: { id: owner, list: () => listMachines(database) },
      commitsAreSafe: () => nodes.commitsAreSafe,
    };
  } catch (error) {
    await database.close();
    throw refusalOf(url, error);
  }
}

interface StoreParts extends PostgresStoreOptions {
  readonly tellings: Tellings;
  readonly deviceChanges: Serial;
}

function createStore(parts: Parts, options: StoreParts): Store {
  const { database, times, nodes } = parts;
  const { clock, onBatch, onBatchEnded, tellings, deviceChanges } = options;
  const { maxPendingOperations: maxPending = DEFAULT_MAX_PENDING_OPERATIONS } = options;
  const batching = { clock, maxPending, onBatch, onBatchEnded };
  const inserts = new Batches({
    ...batching,
    keyOf: ({ delivery }) => delivery.id,
    write: prepareInsert(database, { ...parts, now: () => clock.nowMs() }),
  });
  const claims = new Batches({
    ...batching,
    keyOf: ({ duplicateKey }) => duplicateKey.keyHash,
    write: prepareClaimKey(database, { ...parts, now: () => clock.nowMs() }),
  });
  const settlements = new Batches({
    ...batching,
    keyOf: ({ settlement }) => settlement.deliveryId,
    write: prepareSettle(parts, tellings),
  });
  const plans = preparePlans(parts);
  const upkeep = prepareUpkeep(database, times);
  const tokens = prepareTokenQueries(database, times);
  const confirm = prepareConfirm(database, parts.sealer);
  /** Operations on a delivery whose row is being written wait for the row. */
  const after = async <Result>(deliveryId: string, ask: () => Promise<Result>): Promise<Result> => {
    await inserts.written(deliveryId);
    return await ask();
  };
  return {
    insert: (accepted) => inserts.add(accepted),
    claimKey: (keyed) => claims.add(keyed),
    settle(settlement) {
      const write = tellings.settling(settlement);
      const settled = after(settlement.deliveryId, () => settlements.add(write));
      return settled.finally(() => tellings.left([write]));
    },
    confirm: (confirmation) => after(confirmation.deliveryId, () => confirm(confirmation)),
    renew: (renewal) => after(renewal.deliveryId, () => plans.renew(renewal)),
    claimDue: prepareClaim(database, parts),
    mayRetry: (leasedAtMs) => nodes.holds(leasedAtMs),
    releaseLeases: plans.releaseLeases,
    recover: plans.recover,
    hasten: plans.hasten,
    expireOverdue: plans.expireOverdue,
    queueState: tokens.queueState,
    findDuplicate: tokens.findDuplicate,
    quarantine: upkeep.quarantine,
    releaseQuarantine: upkeep.releaseQuarantine,
    listQuarantine: tokens.listQuarantine,
    listProvenTokens: tokens.listProvenTokens,
    findDeliveries: prepareSearch(database),
    prune: upkeep.prune,
    probe: () => upkeep.probe((run) => tellings.ride(run)),
    onTrouble: (listener) => database.onTrouble(listener),
    recordReply: (reply) => after(reply.deliveryId, () => upkeep.recordReply(reply)),
    close: () => {
      const accepted = [inserts, claims, settlements, deviceChanges].map((one) => one.close());
      const told = Promise.all(accepted).then(() => tellings.close());
      return database.close(told.then(() => nodes.leave()));
    },
  };
}
