// The port to what operators list and change.

import type { ForgetResult, OperatingStore } from '../../../core/ports/operating.ts';
import { transact as retried } from '../conflicts.ts';
import type { Run } from '../database.ts';
import type { Serial } from '../serial.ts';
import type { Parts } from '../store.ts';
import { forgetDevices, forgetRows } from './forget.ts';
import { hurry } from './hurry.ts';
import { deliveryPage, devicePage, quarantinePage, refusalPage } from './pages.ts';
import { listWaiting } from './waiting.ts';

/** Rows of the log that one transaction changes: few, so that others do not wait long for their locks. */
const FORGET_ROWS = 200;

export function createOperatingStore(
  { database, sealer, times }: Parts,
  changes: Serial,
): OperatingStore {
  const transact = <Result>(work: (run: Run) => Promise<Result>) => retried(database, work);

  async function forget({
    wallMs,
    ...forgotten
  }: Parameters<OperatingStore['forget']>[0]): Promise<ForgetResult> {
    let rows = 0;
    for (;;) {
      const changed = await transact((run) =>
        forgetRows(run, { ...forgotten, limit: FORGET_ROWS }),
      );
      if (changed === 0) break;
      rows += changed;
    }
    const last = await changes.run(() =>
      transact((run) => forgetDevices(run, { ...forgotten, wallMs })),
    );
    return { ...last, deliveries: rows + last.deliveries };
  }

  return {
    listDeliveries: (query) => transact((run) => deliveryPage(run, query)),
    listRefusals: (query) => transact((run) => refusalPage(run, query)),
    listDevices: (query) => transact((run) => devicePage(run, query, sealer)),
    listQuarantine: (query) => transact((run) => quarantinePage(run, query, times)),
    listWaiting: () => transact(listWaiting),
    hurry: (options) => transact((run) => hurry(run, options, times)),
    forget,
  };
}
