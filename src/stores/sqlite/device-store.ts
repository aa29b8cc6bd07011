// The DeviceStore port on the same file and the same two threads as the log.

import type { DeviceStore } from '../../core/devices.ts';
import type { ReadCalls, WriteCalls } from './protocol.ts';
import type { WorkerLink } from './worker-link.ts';

/** Deletions per transaction: small, so that inserts get in between. */
const PRUNE_ROWS = 100;

export function createDeviceStore(
  writer: WorkerLink<WriteCalls>,
  reader: WorkerLink<ReadCalls>,
): DeviceStore {
  return {
    async addDevice(input) {
      return (await writer.call({ kind: 'add_device', input })).output;
    },
    async replaceDevice(input) {
      return (await writer.call({ kind: 'replace_device', input })).output;
    },
    async deleteDevice(input) {
      return (await writer.call({ kind: 'delete_device', input })).output;
    },
    async findDevice(id) {
      return (await reader.call({ kind: 'find_device', input: { id } })).output;
    },
    async findDeviceByHandle(handleHash) {
      return (await reader.call({ kind: 'find_device_by_handle', input: { handleHash } })).output;
    },
    async findDevicesByUser(input) {
      return (await reader.call({ kind: 'find_devices_by_user', input })).output;
    },
    pruneDevices: (options) => pruneDevices(writer, options),
    async useOnce(input) {
      return (await writer.call({ kind: 'use_once', input })).output;
    },
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
    const { output } = await writer.call({ kind: 'prune_devices', input });
    dead += output.dead;
    unseen += output.unseen;
    if (output.dead + output.unseen + output.signatures === 0) return { dead, unseen };
  }
}
