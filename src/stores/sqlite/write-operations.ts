// The writer's operations by name, prepared for one connection, and what frames them in their transaction.

import type Database from 'better-sqlite3';
import { type DeliveryOperations, prepareDeliveryOperations } from './delivery-operations.ts';
import { prepareDeviceOperations } from './device-operations.ts';
import { Journal } from './journal.ts';
import { prepareLookupUpkeep } from './lookups.ts';
import type { WriteOperation, WriteResult } from './protocol.ts';
import { prepareQueueOperations } from './queue-operations.ts';
import type { Sealer } from './seal.ts';
import { prepareUpkeepOperations } from './upkeep-operations.ts';

/** Those that find open deliveries in the tables of the queue, or change their rows. */
const LOOKS_AT_OPEN: ReadonlySet<WriteOperation['kind']> = new Set<WriteOperation['kind']>([
  'claim',
  'release_leases',
  'recover',
  'hasten',
]);

export interface WriteOperations {
  /** First in a transaction. */
  begin(): void;
  run(operation: WriteOperation): WriteResult;
  /** After an operation that may have to be undone by itself: nothing of it is left for the end. */
  complete(): void;
  /** Last in a transaction. */
  end(): void;
  /** Between transactions. May fail, which harms nothing: the next call goes on. */
  tidy(): void;
  /** The transaction, or the last operation, was rolled back; also where it is not known what was written before. */
  undone(): void;
}

/** `earlier`: of keys that were replaced. */
export function prepareWriteOperations(
  db: Database.Database,
  sealer: Sealer,
  earlier: readonly Sealer[],
): WriteOperations {
  const journal = new Journal(db, sealer, earlier);
  const deliveries = prepareDeliveryOperations({ db, sealer, journal });

  return {
    begin: () => {
      if (journal.isForgotten) deliveries.reload();
    },
    run: prepareRun({ db, sealer, deliveries }),
    complete: () => journal.write(),
    end: () => journal.write(),
    tidy: prepareLookupUpkeep(db),
    undone: () => journal.forget(),
  };
}

interface Parts {
  readonly db: Database.Database;
  readonly sealer: Sealer;
  readonly deliveries: DeliveryOperations;
}

function prepareRun({ db, sealer, deliveries }: Parts) {
  const queue = prepareQueueOperations(db, sealer, deliveries.finish);
  const devices = prepareDeviceOperations(db, sealer, deliveries);
  const upkeep = prepareUpkeepOperations(db);

  return function run({ kind, input }: WriteOperation): WriteResult {
    if (LOOKS_AT_OPEN.has(kind)) deliveries.spill();
    switch (kind) {
      case 'insert':
        deliveries.insert(input);
        return { kind, output: undefined };
      case 'settle':
        return { kind, output: deliveries.settle(input) };
      case 'claim':
        return { kind, output: queue.claim(input) };
      case 'release_leases':
        queue.releaseLeases(input.owner);
        return { kind, output: undefined };
      case 'recover':
        return { kind, output: queue.recover(input.nowMs) };
      case 'hasten':
        return { kind, output: queue.hasten(input) };
      case 'quarantine':
        upkeep.quarantine(input);
        return { kind, output: undefined };
      case 'release_quarantine':
        return { kind, output: upkeep.releaseQuarantine(input.tokenHash) };
      case 'prune':
        return { kind, output: upkeep.prune(input) };
      case 'record_reply':
        deliveries.spillOne(input.deliveryId);
        upkeep.recordReply(input);
        return { kind, output: undefined };
      case 'probe':
        upkeep.probe();
        return { kind, output: undefined };
      case 'add_device':
        return { kind, output: devices.add(input) };
      case 'replace_device':
        return { kind, output: devices.replace(input) };
      case 'delete_device':
        return { kind, output: devices.remove(input) };
      case 'prune_devices':
        return { kind, output: devices.prune(input) };
      case 'use_once':
        return { kind, output: devices.useOnce(input) };
    }
  };
}
