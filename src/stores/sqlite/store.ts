// The ports to the log and the devices on one SQLite file. This side runs on the main thread and only sends operations:
// a writer thread commits batches, and a reader thread, started at the first query, answers queries. Neither delays the
// other.

import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../../core/ports/clock.ts';
import type { DeviceStore } from '../../core/ports/devices.ts';
import type { EventStore } from '../../core/ports/events.ts';
import type { LogReader } from '../../core/ports/log.ts';
import type { OperatingStore } from '../../core/ports/operating.ts';
import type { ReceiptStore } from '../../core/ports/receipts.ts';
import type { Records } from '../../core/ports/records.ts';
import type { Store } from '../../core/ports/store.ts';
import type { Keys } from '../sealing/keys.ts';
import type { Reason } from './errors.ts';
import { createEventStore } from './events/event-store.ts';
import type { ConnectionOptions } from './file/open-database.ts';
import { createOperatingStore } from './operating-store.ts';
import type {
  PruneOptions,
  ReadCalls,
  ReaderOptions,
  WriteCalls,
  WriteOperation,
  WriterOptions,
} from './protocol.ts';
import { createReceiptStore } from './receipts/receipt-store.ts';
import { createRecords, Settlements } from './records.ts';
import { WorkerLink } from './worker-link.ts';

const DEFAULT_MAX_PENDING_OPERATIONS = 20_000;
const DEFAULT_BUSY_TIMEOUT_MS = 250;
/** Deletions per transaction: few, so that inserts can run in between. */
const PRUNE_DELIVERIES = 200;
const PRUNE_DEVICES = 100;
const TOKEN_PAGE_ROWS = 10_000;
/** How often the file is checked while nothing is written. */
const CHECK_EVERY_MS = 1_000;

export interface SqliteStoreOptions {
  /** Path of the database; made if there is none, with its folder. */
  readonly file: string;
  readonly keys: Keys;
  /** With a clock, a file that was moved, deleted or damaged is noticed within a second even if nothing is written. */
  readonly clock?: Clock | undefined;
  readonly maxPendingOperations?: number | undefined;
  /** The length of one wait for another process's lock, of which there are eight; at most 250. */
  readonly busyTimeoutMs?: number | undefined;
  /** Largest size of the file; writes that do not fit are refused as `full`. */
  readonly maxFileBytes?: number | undefined;
  readonly onEvent?: ((event: SqliteStoreEvent) => void) | undefined;
  /** Called with the number of operations when a batch goes to the writer as one transaction. */
  readonly onBatch?: ((operations: number) => void) | undefined;
  /** Called when a batch of writes ended, committed or not; only with a clock, and not for checks of the file. */
  readonly onBatchEnded?: ((batch: EndedBatch) => void) | undefined;
}

export interface EndedBatch {
  readonly operations: number;
  /** From handing it to the thread to its answer. */
  readonly durationMs: number;
}

export type SqliteStoreEvent =
  /** The encryption key was replaced. */
  | { readonly name: 'key_rotated'; readonly resealedRows: number }
  /** A thread died; the next operation starts another. */
  | { readonly name: 'worker_crashed'; readonly role: 'writer' | 'reader'; readonly error: Error };

export interface OpenedStore {
  readonly store: Store;
  /** Closed with the store. */
  readonly devices: DeviceStore;
  /** Closed with the store. */
  readonly records: Records;
  readonly log: LogReader;
  /** Closed with the store. */
  readonly operating: OperatingStore;
  readonly receipts: ReceiptStore;
  /** Closed with the store. */
  readonly events: EventStore;
  /** 32 bytes, for the life of the database: the key of `Ids.fingerprint`. */
  readonly lookupKey: Uint8Array;
  readonly sqliteVersion: string;
}

/** The two threads, and who is notified of their failures. */
interface Threads {
  readonly writer: WorkerLink<WriteCalls>;
  readonly reader: WorkerLink<ReadCalls>;
  readonly settlements: Settlements;
  readonly listeners: ((reason: Reason) => void)[];
  /** Stops the checks of the file. */
  readonly stopChecks: () => void;
}

/**
 * Rejects with `DatabaseRefusedError`, whose message says what the operator must do, or with `StoreUnavailableError`.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<OpenedStore> {
  const { file, keys, busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS, maxFileBytes, onEvent } = options;
  if (busyTimeoutMs < 0 || busyTimeoutMs > DEFAULT_BUSY_TIMEOUT_MS) {
    throw new RangeError(`busyTimeoutMs must be from 0 to ${DEFAULT_BUSY_TIMEOUT_MS}`);
  }
  const { maxPendingOperations = DEFAULT_MAX_PENDING_OPERATIONS } = options;
  const connection: ConnectionOptions = { file, busyTimeoutMs, maxFileBytes };
  const listeners: ((reason: Reason) => void)[] = [];
  const onTrouble = (reason: Reason) => {
    for (const listener of listeners) listener(reason);
  };
  const settlements = new Settlements();
  let expectedLookupKey: Uint8Array | undefined;

  const writer = new WorkerLink<WriteCalls>({
    spawn: () => spawn({ role: 'writer', ...connection, keys, expectedLookupKey }),
    maxPendingOperations,
    ...tellBatches(options, settlements),
    onCrash: (error) => onEvent?.({ name: 'worker_crashed', role: 'writer', error }),
    onTrouble,
  });
  const reader = new WorkerLink<ReadCalls>({
    spawn: () => spawn({ role: 'reader', ...connection, keys }),
    maxPendingOperations,
    onCrash: (error) => onEvent?.({ name: 'worker_crashed', role: 'reader', error }),
    onTrouble,
  });

  const opened = await writer.open();
  const { lookupKey, resealedRows, aliveUntilMs, sqliteVersion = 'unknown' } = opened;
  expectedLookupKey = lookupKey;
  if (resealedRows !== undefined) onEvent?.({ name: 'key_rotated', resealedRows });
  const stopChecks = checkRegularly(writer, options.clock);
  return {
    store: createStore({ writer, reader, settlements, listeners, stopChecks }),
    devices: createDeviceStore(writer, reader),
    records: createRecords(writer, settlements, aliveUntilMs),
    log: {
      gather: (input) => reader.call({ kind: 'gather', input }),
      countPage: (input) => reader.call({ kind: 'count_page', input }),
    },
    operating: createOperatingStore(writer, reader),
    receipts: createReceiptStore(writer, reader),
    events: createEventStore(writer, reader),
    lookupKey,
    sqliteVersion,
  };
}

/** One batch is under way at a time. */
function tellBatches(
  { clock, onBatch, onBatchEnded }: SqliteStoreOptions,
  settlements: Settlements,
) {
  let sentAtMs = 0;
  const leave = (operations: number) => {
    settlements.left();
    onBatch?.(operations);
  };
  if (clock === undefined || onBatchEnded === undefined) return { onBatch: leave };
  return {
    onBatch: (operations: number) => {
      sentAtMs = clock.nowMs();
      leave(operations);
    },
    onBatchEnded: (batch: readonly WriteOperation[]) => {
      const operations = batch.filter(({ kind }) => kind !== 'check_file').length;
      if (operations > 0) onBatchEnded({ operations, durationMs: clock.nowMs() - sentAtMs });
    },
  };
}

function spawn(options: WriterOptions | ReaderOptions): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: options,
    name: `store ${options.role}`,
  });
}

/** Checks the file repeatedly, one check after the other, and reports findings to the listeners. */
function checkRegularly(writer: WorkerLink<WriteCalls>, clock: Clock | undefined): () => void {
  let timer: Timer | undefined;
  let isStopped = false;
  const plan = () => {
    if (!isStopped) timer = clock?.after(CHECK_EVERY_MS, check);
  };
  const check = () => {
    const input = { aliveAtMs: clock?.wallMs() ?? 0 };
    void writer.call({ kind: 'check_file', input }).then(plan, plan);
  };
  plan();
  return () => {
    isStopped = true;
    timer?.cancel();
  };
}

function createStore({ writer, reader, settlements, listeners, stopChecks }: Threads): Store {
  return {
    insert: (input) => writer.call({ kind: 'insert', input }),
    settle: (settlement) => settlements.settle(writer, settlement),
    confirm: (input) => writer.call({ kind: 'confirm', input }),
    renew: (input) => writer.call({ kind: 'renew', input }),
    claimDue: (input) => writer.call({ kind: 'claim', input }),
    mayRetry: () => true,
    releaseLeases: (owner) => writer.call({ kind: 'release_leases', input: { owner } }),
    recover: (input) => writer.call({ kind: 'recover', input }),
    hasten: (input) => writer.call({ kind: 'hasten', input }),
    expireOverdue: (input) => writer.call({ kind: 'expire_overdue', input }),
    queueState: (input) => reader.call({ kind: 'queue_state', input }),
    findDuplicate: (input) => reader.call({ kind: 'find_duplicate', input }),
    quarantine: (entry, about) => writer.call({ kind: 'quarantine', input: { entry, about } }),
    releaseQuarantine: (tokenHash) =>
      writer.call({ kind: 'release_quarantine', input: { tokenHash } }),
    listQuarantine: (input) => writer.call({ kind: 'list_quarantine', input }),
    listProvenTokens: (limit) => listProvenTokens(writer, limit),
    findDeliveries: (input) => reader.call({ kind: 'find_deliveries', input }),
    prune: (options) => prune(writer, options),
    probe: () => writer.call({ kind: 'probe', input: undefined }),
    onTrouble: (listener) => {
      listeners.push(listener);
    },
    recordReply: (input) => writer.call({ kind: 'record_reply', input }),
    async close() {
      stopChecks();
      // The connection that closes last empties the WAL and removes it, which a reader cannot do.
      await writer.close(reader.close());
    },
  };
}

function createDeviceStore(
  writer: WorkerLink<WriteCalls>,
  reader: WorkerLink<ReadCalls>,
): DeviceStore {
  return {
    addDevice: (input) => writer.call({ kind: 'add_device', input }),
    replaceDevice: (input) => writer.call({ kind: 'replace_device', input }),
    deleteDevice: (input) => writer.call({ kind: 'delete_device', input }),
    findDevice: (id) => reader.call({ kind: 'find_device', input: { id } }),
    findDeviceByHandle: (handleHash) =>
      reader.call({ kind: 'find_device_by_handle', input: { handleHash } }),
    findDevicesByUser: (input) => reader.call({ kind: 'find_devices_by_user', input }),
    pruneDevices: (options) => pruneDevices(writer, options),
    useOnce: (input) => writer.call({ kind: 'use_once', input }),
  };
}

/** Page by page, so that the writer can commit other operations in between. */
async function listProvenTokens(
  writer: WorkerLink<WriteCalls>,
  limit: number,
): Promise<readonly string[]> {
  const tokenHashes = new Set<string>();
  let beforeRowId: number | undefined;
  do {
    const input = { maxRows: TOKEN_PAGE_ROWS, beforeRowId };
    const page = await writer.call({ kind: 'proven_tokens', input });
    for (const tokenHash of page.tokenHashes) {
      if (tokenHashes.size === limit) return [...tokenHashes];
      tokenHashes.add(tokenHash);
    }
    beforeRowId = page.nextRowId;
  } while (beforeRowId !== undefined);
  return [...tokenHashes];
}

async function prune(
  writer: WorkerLink<WriteCalls>,
  { limit, ...times }: PruneOptions,
): Promise<number> {
  let gone = 0;
  while (gone < limit) {
    const input = { ...times, limit: Math.min(PRUNE_DELIVERIES, limit - gone) };
    const pruned = await writer.call({ kind: 'prune', input });
    if (pruned === 0) break;
    gone += pruned;
  }
  return gone;
}

type Pruning = Parameters<DeviceStore['pruneDevices']>[0];

async function pruneDevices(writer: WorkerLink<WriteCalls>, { limit, ...before }: Pruning) {
  let dead = 0;
  let unseen = 0;
  for (;;) {
    const input = {
      ...before,
      limit: Math.min(PRUNE_DEVICES, limit - dead - unseen),
      signatureLimit: PRUNE_DEVICES,
    };
    const pruned = await writer.call({ kind: 'prune_devices', input });
    dead += pruned.dead;
    unseen += pruned.unseen;
    if (pruned.dead + pruned.unseen + pruned.signatures === 0) return { dead, unseen };
  }
}
