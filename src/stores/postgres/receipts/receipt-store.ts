// The port to receipts: each operation in a transaction of its own, together with its events.

import type { ReceiptStore } from '../../../core/ports/receipts.ts';
import { DELIVERY_IDS } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { transact as retried } from '../conflicts.ts';
import type { Database, Run } from '../database.ts';
import { endWaiting, expectReceipt, noteMissed } from '../events/missed.ts';
import { recordReceiptEvents, recordReplyEvents, recordSilentEvents } from '../events/wakes.ts';
import { select } from '../statements.ts';
import { findHistory, noteSilent } from './histories.ts';
import {
  recordKnock,
  recordKnockOutcome,
  recordPush,
  recordReceipt,
  recordReplied,
  recordUselessKnock,
} from './operations.ts';
import { readWakes } from './wakes.ts';

export function createReceiptStore(database: Database, sealer: Sealer): ReceiptStore {
  const transact = <Result>(work: (run: Run) => Promise<Result>) => retried(database, work);

  return {
    recordPush: (push) =>
      transact(async (run) => {
        const recorded = await recordPush(run, push);
        if (recorded !== undefined) await expectReceipt(run, push);
        return recorded;
      }),
    recordReceipt: (arrived) =>
      transact(async (run) => {
        const recorded = await recordReceipt(run, arrived, sealer);
        await endWaiting(run, arrived.deliveryId);
        if (recorded !== undefined) await recordReceiptEvents(run, recorded, arrived.atMs);
        return recorded;
      }),
    recordKnock: (knock) => transact((run) => recordKnock(run, knock)),
    recordKnockOutcome: (end) => transact((run) => recordKnockOutcome(run, end)),
    recordReplied: (reply) =>
      transact(async (run) => {
        const replied = await recordReplied(run, reply);
        await endWaiting(run, reply.deliveryId);
        if (replied !== undefined) await recordReplyEvents(run, replied, reply);
        return replied;
      }),
    recordUselessKnock: (end) => transact((run) => recordUselessKnock(run, end)),
    noteMissed: (options) => transact((run) => noteMissed(run, options)),
    noteSilent: (options) =>
      transact(async (run) => {
        const phones = await noteSilent(run, options);
        await recordSilentEvents(run, phones, options.atMs);
        return phones;
      }),
    findWake: (deliveryId) =>
      transact(async (run) => {
        const [row] = await select(run, DELIVERY_IDS, 'WHERE id = @deliveryId', { deliveryId });
        return row && (await readWakes(run, [row.row_id])).get(row.row_id);
      }),
    findHistory: (tokenHash) => transact((run) => findHistory(run, tokenHash)),
  };
}
