// The connection for queries: operators' lookups and the core's queries before a push. It is separate from the writer,
// so that neither waits for the other.

import type Database from 'better-sqlite3';
import type { OpenedKeys } from '../sealing/keys.ts';
import type { Sealer } from '../sealing/seal.ts';
import { failureOf, reasonOf } from './errors.ts';
import { prepareEventQueries } from './events/queries.ts';
import { findKeys } from './file/keys.ts';
import { openReading } from './file/open-database.ts';
import { prepareCount } from './operations/count.ts';
import { prepareDeviceQueries } from './operations/device-queries.ts';
import { prepareGather } from './operations/gather.ts';
import { preparePages } from './operations/pages.ts';
import { prepareQueueState, prepareWaiting } from './operations/queue-state.ts';
import { prepareSearch } from './operations/search.ts';
import { prepareFindDuplicate } from './operations/token-queries.ts';
import type {
  Opened,
  ReadCalls,
  ReaderOptions,
  ReadOperation,
  ReadResult,
  Reply,
} from './protocol.ts';
import { prepareReceiptQueries } from './receipts/queries.ts';

interface Connection {
  readonly db: Database.Database;
  readonly keys: OpenedKeys;
  readonly run: (operation: ReadOperation) => ReadResult;
}

export class Reader {
  readonly #options: ReaderOptions;
  #connection: Connection | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  open(): Opened {
    return { kind: 'opened', lookupKey: this.#connect().keys.lookupKey };
  }

  /** One reply for each operation; each sees everything that was committed before it. */
  runBatch(operations: readonly ReadOperation[]): readonly Reply<ReadCalls>[] {
    return operations.map((operation) => {
      try {
        return { ok: true, result: this.#connect().run(operation) };
      } catch (error) {
        const reason = reasonOf(error);
        if (reason !== undefined && reason !== 'locked') this.close();
        return { ok: false, failure: failureOf(error) };
      }
    });
  }

  close(): void {
    this.#connection?.db.close();
    this.#connection = undefined;
  }

  #connect(): Connection {
    this.#connection ??= connect(this.#options);
    return this.#connection;
  }
}

function connect(options: ReaderOptions): Connection {
  const db = openReading(options);
  try {
    const keys = findKeys(db, options.keys, options.file);
    return { db, keys, run: prepareReadOperations(db, keys.sealer) };
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepareReadOperations(db: Database.Database, sealer: Sealer) {
  const devices = prepareDeviceQueries(db, sealer);
  const findDuplicate = prepareFindDuplicate(db);
  const queueState = prepareQueueState(db);
  const listWaiting = prepareWaiting(db);
  const search = db.transaction(prepareSearch(db));
  const gather = db.transaction(prepareGather(db, sealer));
  const countPage = prepareCount(db);
  const pages = preparePages(db, sealer);
  const receipts = prepareReceiptQueries(db);
  const events = prepareEventQueries(db, sealer);

  return function run({ kind, input }: ReadOperation): ReadResult {
    switch (kind) {
      case 'queue_state':
        return { kind, output: queueState(input) };
      case 'find_duplicate':
        return { kind, output: findDuplicate(input) };
      case 'find_deliveries':
        return { kind, output: search(input) };
      case 'gather':
        return { kind, output: gather(input) };
      case 'count_page':
        return { kind, output: countPage(input) };
      case 'find_device':
        return { kind, output: devices.find(input.id) };
      case 'find_device_by_handle':
        return { kind, output: devices.findByHandle(input.handleHash) };
      case 'find_devices_by_user':
        return { kind, output: devices.findByUser(input) };
      case 'list_deliveries':
        return { kind, output: pages.deliveries(input) };
      case 'list_refusals':
        return { kind, output: pages.refusals(input) };
      case 'list_devices':
        return { kind, output: pages.devices(input) };
      case 'list_waiting':
        return { kind, output: listWaiting() };
      case 'next_events':
        return { kind, output: events.next(input) };
      case 'next_alerts':
        return { kind, output: events.alerts(input) };
      case 'read_digest':
        return { kind, output: events.digest(input.endpointId) };
      case 'find_event':
        return { kind, output: events.find(input.id) };
      case 'list_attempts':
        return { kind, output: events.attempts(input) };
      case 'page_quarantine':
        return { kind, output: pages.quarantine(input) };
      case 'find_wake':
        return { kind, output: receipts.findWake(input) };
      case 'find_history':
        return { kind, output: receipts.findHistory(input) };
    }
  };
}
