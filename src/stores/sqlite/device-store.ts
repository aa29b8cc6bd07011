// The DeviceStore port on the same file and the same two threads as the log.

import type { DeviceStore } from '../../core/ports/devices.ts';
import type { ReadCalls, WriteCalls } from './protocol.ts';
import type { WorkerLink } from './worker-link.ts';

/** Deletions per transaction: small, so that inserts get in between. */
const PRUNE_ROWS = 100;

export function createDeviceStore(
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

type Pruning = Parameters<DeviceStore['pruneDevices']>[0];

async function pruneDevices(writer: WorkerLink<WriteCalls>, { limit, ...before }: Pruning) {
  let dead = 0;
  let unseen = 0;
  for (;;) {
    const input = {
      ...before,
      limit: Math.min(PRUNE_ROWS, limit - dead - unseen),
      signatureLimit: PRUNE_ROWS,
    };
    const pruned = await writer.call({ kind: 'prune_devices', input });
    dead += pruned.dead;
    unseen += pruned.unseen;
    if (pruned.dead + pruned.unseen + pruned.signatures === 0) return { dead, unseen };
  }
}
