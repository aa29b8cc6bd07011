// The port to devices. Looking one up is one transaction; changes run one after the other.

import type { DeviceStore } from '../../../core/ports/devices.ts';
import { transact } from '../conflicts.ts';
import type { Run } from '../database.ts';
import type { Serial } from '../serial.ts';
import type { Parts } from '../store.ts';
import { createDeviceOperations, pruneSignatures, useOnce } from './operations.ts';
import { createDeviceQueries } from './queries.ts';

/** Deletions per transaction: few, so that others do not wait long for their locks. */
const PRUNE_DEVICES = 100;

export function createDeviceStore(
  { database, sealer, times }: Parts,
  changes: Serial,
): DeviceStore {
  const queries = createDeviceQueries(sealer);
  const operations = createDeviceOperations(sealer);
  const read = <Result>(work: (run: Run) => Promise<Result>) => database.transaction(work);
  const write = <Result>(work: (run: Run) => Promise<Result>) =>
    changes.run(() => transact(database, work, { isAccepted: true }));

  async function pruneDevices({
    limit,
    nowMs,
    ...before
  }: Parameters<DeviceStore['pruneDevices']>[0]) {
    let dead = 0;
    let unseen = 0;
    for (;;) {
      const input = { ...before, limit: Math.min(PRUNE_DEVICES, limit - dead - unseen) };
      const pruned = await write((run) => operations.prune(run, input));
      dead += pruned.dead;
      unseen += pruned.unseen;
      const ended = { nowMs, limit: PRUNE_DEVICES };
      const signatures = await write((run) => pruneSignatures(run, ended, times));
      if (pruned.dead + pruned.unseen + signatures === 0) return { dead, unseen };
    }
  }

  return {
    addDevice: (options) => write((run) => operations.add(run, options)),
    replaceDevice: (replaced) => write((run) => operations.replace(run, replaced)),
    deleteDevice: (options) => write((run) => operations.remove(run, options)),
    findDevice: (id) => read((run) => queries.find(run, id)),
    findDeviceByHandle: (handleHash) => read((run) => queries.findByHandle(run, handleHash)),
    findDevicesByUser: (options) => read((run) => queries.findByUser(run, options)),
    pruneDevices,
    useOnce: (options) => write((run) => useOnce(run, options, times)),
  };
}
