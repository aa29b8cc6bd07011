// The ports to the log and the devices on one SQLite file. This side runs on the main thread and only asks: a writer thread
// commits batches, a reader thread answers queries, and neither can hold up a push or the other.

import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { DeviceStore } from '../../core/ports/devices.ts';
import type { Store } from '../../core/ports/store.ts';
import { createDeviceStore } from './device-store.ts';
import type { ConnectionOptions } from './open-database.ts';
import { packAcceptance, packSettlement } from './packed.ts';
import type {
  PruneOptions,
  ReadCalls,
  ReaderOptions,
  WriteCalls,
  WriterOptions,
} from './protocol.ts';
import type { Keys } from './vault.ts';
import { WorkerLink } from './worker-link.ts';

const DEFAULT_MAX_PENDING_OPERATIONS = 20_000;
const DEFAULT_BUSY_TIMEOUT_MS = 250;
/** Deletions per transaction: small, so that inserts get in between. */
const PRUNE_ROWS = 200;
const TOKEN_PAGE_ROWS = 10_000;
/**
 * V8's young generation in the threads. What a batch makes lives for milliseconds: with the 16 MB of the main thread
 * each of them would hold some 30 MB for nothing.
 */
const YOUNG_GENERATION_MB = 2;

export interface SqliteStoreOptions {
  /** Path of the database; made if there is none, with its directory. */
  readonly file: string;
  readonly keys: Keys;
  /** For whoever only looks: a database that is under a previous key stays under it. */
  readonly keepsKey?: boolean;
  readonly maxPendingOperations?: number;
  /** One of eight waits for another process's lock; at most 250. */
  readonly busyTimeoutMs?: number;
  /** Largest size of the file; what does not fit any more is refused as `full`. */
  readonly maxFileBytes?: number;
  /** When a batch of writes goes out after its first one came in; default: at the end of the turn. */
  readonly defer?: (flush: () => void) => void;
  readonly onEvent?: (event: SqliteStoreEvent) => void;
}

export type SqliteStoreEvent =
  /** A batch of writes goes to the writer as one transaction. */
  | { readonly name: 'batch_sent'; readonly operations: number }
  /** The encryption key was replaced. */
  | { readonly name: 'key_rotated'; readonly resealedRows: number }
  /** A thread died; the next operation starts another. */
  | { readonly name: 'worker_crashed'; readonly role: 'writer' | 'reader'; readonly error: Error };

export interface OpenedStore {
  readonly store: Store;
  /** Closed with the store. */
  readonly devices: DeviceStore;
  /** 32 bytes, for the life of the database: the key of `Ids.fingerprint`. */
  readonly lookupKey: Uint8Array;
}

/**
 * Rejects with `UnknownKeyError`, `CorruptDatabaseError` or `MigrationMismatchError`, whose messages tell
 * the operator what to do, or with `StoreUnavailableError`.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<OpenedStore> {
  const { file, keys, busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS, maxFileBytes, onEvent } = options;
  if (busyTimeoutMs < 0 || busyTimeoutMs > DEFAULT_BUSY_TIMEOUT_MS) {
    throw new RangeError(`busyTimeoutMs must be from 0 to ${DEFAULT_BUSY_TIMEOUT_MS}`);
  }
  const maxPendingOperations = options.maxPendingOperations ?? DEFAULT_MAX_PENDING_OPERATIONS;
  const connection: ConnectionOptions = {
    file,
    busyTimeoutMs,
    ...(maxFileBytes === undefined ? {} : { maxFileBytes }),
  };
  let lookupKey: Uint8Array | undefined;
  let key = keys.current;

  const writer = new WorkerLink<WriteCalls>({
    spawn: () =>
      spawn({
        role: 'writer',
        ...connection,
        keys,
        keepsKey: options.keepsKey ?? false,
        ...(lookupKey === undefined ? {} : { expectedLookupKey: lookupKey }),
      }),
    maxPendingOperations,
    defer: options.defer,
    onBatch: (operations) => onEvent?.({ name: 'batch_sent', operations }),
    onCrash: (error) => onEvent?.({ name: 'worker_crashed', role: 'writer', error }),
  });
  const reader = new WorkerLink<ReadCalls>({
    spawn: () => spawn({ role: 'reader', ...connection, key }),
    maxPendingOperations,
    onCrash: (error) => onEvent?.({ name: 'worker_crashed', role: 'reader', error }),
  });

  const opened = await writer.open();
  if (opened.lookupKey === undefined) throw new Error('the writer told no lookup key');
  lookupKey = opened.lookupKey;
  key = opened.key ?? key;
  if (opened.resealedRows !== undefined) {
    onEvent?.({ name: 'key_rotated', resealedRows: opened.resealedRows });
  }
  return {
    store: createStore(writer, reader),
    devices: createDeviceStore(writer, reader),
    lookupKey,
  };
}

function spawn(options: WriterOptions | ReaderOptions): Worker {
  // Not by `resourceLimits`: the flag with which the process was started would win. It is read when a thread
  // starts, so that this one changes nothing for threads that run.
  setFlagsFromString(`--max-semi-space-size=${YOUNG_GENERATION_MB}`);
  return new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: options,
    name: `store ${options.role}`,
  });
}

function createStore(writer: WorkerLink<WriteCalls>, reader: WorkerLink<ReadCalls>): Store {
  return {
    insert: (accepted) => writer.call({ kind: 'insert', input: packAcceptance(accepted) }),
    settle: (settlement) => writer.call({ kind: 'settle', input: packSettlement(settlement) }),
    claimDue: (input) => writer.call({ kind: 'claim', input }),
    releaseLeases: (owner) => writer.call({ kind: 'release_leases', input: { owner } }),
    recover: (input) => writer.call({ kind: 'recover', input }),
    hasten: (input) => writer.call({ kind: 'hasten', input }),
    findDuplicate: (input) => reader.call({ kind: 'find_duplicate', input }),
    quarantine: (input) => writer.call({ kind: 'quarantine', input }),
    releaseQuarantine: (tokenHash) =>
      writer.call({ kind: 'release_quarantine', input: { tokenHash } }),
    listQuarantine: (input) => reader.call({ kind: 'list_quarantine', input }),
    listProvenTokens: (limit) => listProvenTokens(reader, limit),
    findDeliveries: (input) => reader.call({ kind: 'find_deliveries', input }),
    prune: (options) => prune(writer, options),
    probe: () => writer.call({ kind: 'probe', input: undefined }),
    recordReply: (input) => writer.call({ kind: 'record_reply', input }),
    async close() {
      // The connection that closes last empties the WAL and removes it, which a reader cannot do.
      await writer.close(reader.close());
    },
  };
}

/** Page by page, so that the reader answers others in between. */
async function listProvenTokens(
  reader: WorkerLink<ReadCalls>,
  limit: number,
): Promise<readonly string[]> {
  const tokenHashes = new Set<string>();
  let beforeRowId: number | undefined;
  do {
    const input = {
      maxRows: TOKEN_PAGE_ROWS,
      ...(beforeRowId === undefined ? {} : { beforeRowId }),
    };
    const page = await reader.call({ kind: 'proven_tokens', input });
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
  { beforeMs, nowMs, limit }: PruneOptions,
): Promise<number> {
  let gone = 0;
  while (gone < limit) {
    const input = { beforeMs, nowMs, limit: Math.min(PRUNE_ROWS, limit - gone) };
    const pruned = await writer.call({ kind: 'prune', input });
    if (pruned === 0) break;
    gone += pruned;
  }
  return gone;
}
