// The writer's operations by name, prepared for one connection.

import type Database from 'better-sqlite3';
import { prepareDeliveryOperations } from './delivery-operations.ts';
import { prepareDeviceOperations } from './device-operations.ts';
import type { WriteOperation, WriteResult } from './protocol.ts';
import { prepareQueueOperations } from './queue-operations.ts';
import type { Sealer } from './seal.ts';
import { prepareUpkeepOperations } from './upkeep-operations.ts';

export function prepareWriteOperations(db: Database.Database, sealer: Sealer) {
  const deliveries = prepareDeliveryOperations(db, sealer);
  const queue = prepareQueueOperations(db, sealer, deliveries.finish);
  const devices = prepareDeviceOperations(db, sealer, deliveries.finish);
  const upkeep = prepareUpkeepOperations(db);

  return function run({ kind, input }: WriteOperation): WriteResult {
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
