// The ports to the log and the devices on one PostgreSQL, which any number of machines share.

import type { Clock } from '../../core/ports/clock.ts';
import type { DeviceStore } from '../../core/ports/devices.ts';
import type { EventStore } from '../../core/ports/events.ts';
import type { LogReader } from '../../core/ports/log.ts';
import type { OperatingStore } from '../../core/ports/operating.ts';
import type { ReceiptStore } from '../../core/ports/receipts.ts';
import type { Records } from '../../core/ports/records.ts';
import { type Store, StoreUnavailableError } from '../../core/ports/store.ts';
import { DatabaseRefusedError } from '../refused.ts';
import type { Keys } from '../sealing/keys.ts';
import type { Sealer } from '../sealing/seal.ts';
import { Batches, type EndedBatch } from './batches.ts';
import { Database } from './database.ts';
import { createDeviceStore } from './device-store.ts';
import { unusable } from './errors.ts';
import { createEventStore } from './events/event-store.ts';
import { openKeys } from './keys.ts';
import { applyMigrations } from './migrations.ts';
import { createOperatingStore } from './operating-store.ts';
import { prepareClaim } from './operations/claim.ts';
import { countPage } from './operations/count.ts';
import { gather } from './operations/gather.ts';
import { prepareInsert } from './operations/insert.ts';
import { preparePlans } from './operations/plans.ts';
import { prepareSearch } from './operations/search.ts';
import { prepareConfirm, prepareSettle } from './operations/settle.ts';
import { prepareTokenQueries } from './operations/token-queries.ts';
import { prepareUpkeep } from './operations/upkeep.ts';
import { createReceiptStore } from './receipts/receipt-store.ts';
import { createRecords } from './records.ts';
import { Serial } from './serial.ts';
import { Tellings } from './tellings.ts';
import { Times } from './times.ts';

const DEFAULT_MAX_PENDING_OPERATIONS = 20_000;

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database?sslmode=verify-full`. */
  readonly url: string;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly maxPendingOperations?: number | undefined;
  readonly onEvent?: ((event: PostgresStoreEvent) => void) | undefined;
  /** Called when a batch of so many operations goes to the database as one transaction. */
  readonly onBatch?: ((operations: number) => void) | undefined;
  /** Called when a batch of writes was committed. */
  readonly onBatchEnded?: ((batch: EndedBatch) => void) | undefined;
}

/** The encryption key was replaced. */
export interface PostgresStoreEvent {
  readonly name: 'key_rotated';
  readonly resealedRows: number;
}

/** All of them are closed with the store. */
export interface OpenedPostgresStore {
  readonly store: Store;
  readonly devices: DeviceStore;
  readonly records: Records;
  readonly log: LogReader;
  readonly operating: OperatingStore;
  readonly receipts: ReceiptStore;
  readonly events: EventStore;
  /** 32 bytes, for the life of the database: the key of `Ids.fingerprint`. */
  readonly lookupKey: Uint8Array;
}

/** What the operations of one machine share. */
export interface Parts {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly times: Times;
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
    const parts = { database, sealer, times: new Times() };
    const tellings = new Tellings(database, clock);
    const deviceChanges = new Serial();
    return {
      store: createStore(parts, { ...options, tellings, deviceChanges }),
      devices: createDeviceStore(parts, deviceChanges),
      records: createRecords(database, tellings),
      log: {
        gather: (question) => database.transaction((run) => gather(run, question, parts)),
        countPage: (page) => database.transaction((run) => countPage(run, page)),
      },
      operating: createOperatingStore(parts, deviceChanges),
      receipts: createReceiptStore(database, sealer),
      events: createEventStore(database, sealer),
      lookupKey,
    };
  } catch (error) {
    await database.close();
    throw refusalOf(url, error);
  }
}

function refusalOf(url: string, error: unknown): unknown {
  if (error instanceof DatabaseRefusedError || !(error instanceof Error)) return error;
  const cause = error instanceof StoreUnavailableError ? error.cause : error;
  return cause instanceof Error ? unusable(url, cause) : error;
}

interface StoreParts extends PostgresStoreOptions {
  readonly tellings: Tellings;
  readonly deviceChanges: Serial;
}

function createStore(parts: Parts, options: StoreParts): Store {
  const { database, times } = parts;
  const { clock, onBatch, onBatchEnded, tellings, deviceChanges } = options;
  const { maxPendingOperations: maxPending = DEFAULT_MAX_PENDING_OPERATIONS } = options;
  const batching = { clock, maxPending, onBatch, onBatchEnded };
  const inserts = new Batches({
    ...batching,
    keyOf: ({ delivery }) => delivery.id,
    write: prepareInsert(database, parts),
  });
  const settlements = new Batches({
    ...batching,
    keyOf: ({ settlement }) => settlement.deliveryId,
    write: prepareSettle(parts, tellings),
  });
  const plans = preparePlans(database, times);
  const upkeep = prepareUpkeep(database, times);
  const tokens = prepareTokenQueries(database, times);
  return {
    insert: (accepted) => inserts.add(accepted),
    settle: (settlement) => settlements.add(tellings.settling(settlement)),
    confirm: prepareConfirm(database),
    renew: plans.renew,
    claimDue: prepareClaim(database, parts),
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
    probe: async () => {
      await tellings.flush();
      await upkeep.probe();
    },
    onTrouble: (listener) => database.onTrouble(listener),
    recordReply: upkeep.recordReply,
    async close() {
      const accepted = [inserts.close(), settlements.close(), deviceChanges.close()];
      await database.close(Promise.all(accepted).then(() => tellings.close()));
    },
  };
}
