// Writes receipts: the wake of a delivery, its receipts, and the history of its phone. The history changes by the
// core's own rules, in the transaction that records the cause.

import {
  type AcceptedPush,
  type ArrivedReceipt,
  NOT_SENT,
  type PushRecord,
  type ReceiptStore,
  type RecordedReceipt,
  type RepliedPhone,
} from '../../../core/ports/receipts.ts';
import {
  afterKnock,
  afterPush,
  afterReply,
  afterUselessKnock,
  knockRefusal,
  withoutKnock,
} from '../../../core/receipts/history.ts';
import { recordingOf } from '../../arrived-receipt.ts';
import { WOKEN_DELIVERIES } from '../../receipt-rows.ts';
import { OPEN_DELIVERIES, type RowOf } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { nameOf, PLATFORMS, wholeMs } from '../../values.ts';
import type { Run } from '../database.ts';
import { recordDone } from '../events/ended.ts';
import { finishOpen, OPEN_IN_ORDER } from '../operations/finish-open.ts';
import { select } from '../statements.ts';
import { historyOf, putHistory, takePhone } from './histories.ts';
import {
  findReceipts,
  putAccepted,
  putKnock,
  putKnockOutcome,
  putKnockResult,
  putReceipt,
  putUnasked,
} from './wakes.ts';

type Input<Name extends keyof ReceiptStore> = Parameters<ReceiptStore[Name]>[0];
type Woken = RowOf<typeof WOKEN_DELIVERIES>;

/** The delivery with its wake; its phone is locked. */
async function take(run: Run, deliveryId: string): Promise<Woken | undefined> {
  const find = async () => {
    const [row] = await select(run, WOKEN_DELIVERIES, 'WHERE id = @deliveryId', { deliveryId });
    return row;
  };
  const before = await find();
  if (before === undefined) return undefined;
  await takePhone(run, before.token_hash);
  return await find();
}

export async function recordPush(
  run: Run,
  { deliveryId, atMs, isAsked, isJudged, tokenSha256 }: AcceptedPush,
): Promise<PushRecord | undefined> {
  const row = await take(run, deliveryId);
  if (row === undefined) return undefined;
  if (!isAsked) {
    await putUnasked(run, row);
    return undefined;
  }
  const history = await historyOf(run, row);
  const isAnswered = (await findReceipts(run, row)).length > 0;
  const isKnocked = row.knocked_at_ms !== null;
  // It was pushed again after a crash.
  if (row.accepted_at_ms !== null) return { history, isAnswered, isKnocked };
  const pushed = afterPush(history, { atMs, tokenSha256, isAnswered, isJudged });
  const number = pushed.pushes === history.pushes ? null : pushed.pushes;
  await putAccepted(run, row, { atMs, number, history });
  await putHistory(run, row, pushed);
  return { history, isAnswered, isKnocked };
}

export async function recordReceipt(
  run: Run,
  arrived: ArrivedReceipt,
  sealer: Sealer,
): Promise<RecordedReceipt | undefined> {
  const { deliveryId, receipt, atMs, endsOpen } = arrived;
  const row = await take(run, deliveryId);
  if (row === undefined) return undefined;
  const hasEnded = endsOpen && (await endByPhone(run, arrived, sealer));
  const receipts = await findReceipts(run, row);
  const isRepeated = receipts.some(({ stage, n }) => stage === receipt.stage && n === receipt.n);
  const before = await historyOf(run, row);
  const known = { history: before, count: receipts.length, isRepeated };
  const { recorded, history } = recordingOf(row, arrived, known);
  if (recorded.isKept) {
    await putReceipt(run, row, { receipt, atMs, number: receipts.length + 1 });
    if (recorded.knock !== undefined) await putKnockResult(run, row, recorded.knock);
    await putHistory(run, row, history);
  }
  return { ...recorded, hasEnded };
}

/** The phone got the push, which ends the delivery if it is open. */
async function endByPhone(
  run: Run,
  { deliveryId, atMs }: ArrivedReceipt,
  sealer: Sealer,
): Promise<boolean> {
  const condition = `WHERE deliveries.id = @deliveryId ${OPEN_IN_ORDER}`;
  const open = await select(run, OPEN_DELIVERIES, condition, { deliveryId });
  const end = { status: 'delivered', reason: 'receipt', wallMs: atMs } as const;
  return (await recordDone(run, await finishOpen(run, open, end), sealer)).length > 0;
}

export async function recordKnock(
  run: Run,
  { deliveryId, atMs }: Input<'recordKnock'>,
): Promise<boolean> {
  const row = await take(run, deliveryId);
  if (row === undefined || row.accepted_at_ms === null || row.knocked_at_ms !== null) return false;
  const history = await historyOf(run, row);
  const receipts = await findReceipts(run, row);
  if (receipts.length > 0 || knockRefusal(history, atMs) !== undefined) return false;
  await putKnock(run, row, atMs);
  await putHistory(run, row, afterKnock(history, wholeMs(atMs)));
  return true;
}

export async function recordKnockOutcome(
  run: Run,
  { deliveryId, outcome }: Input<'recordKnockOutcome'>,
): Promise<void> {
  const row = await take(run, deliveryId);
  if (row?.knocked_at_ms === undefined || row.knocked_at_ms === null) return;
  if (outcome !== NOT_SENT) {
    await putKnockOutcome(run, row, outcome);
    return;
  }
  const history = await historyOf(run, row);
  await putHistory(run, row, withoutKnock(history, row.knocked_at_ms));
  await putKnock(run, row, undefined);
}

export async function recordReplied(
  run: Run,
  { deliveryId, atMs }: Input<'recordReplied'>,
): Promise<RepliedPhone | undefined> {
  const row = await take(run, deliveryId);
  if (row === undefined || row.accepted_at_ms === null) return undefined;
  const history = await historyOf(run, row);
  const number = row.push_number ?? undefined;
  await putHistory(run, row, afterReply(history, { atMs: wholeMs(atMs), number }));
  const { app, token_hash: tokenHash } = row;
  const hasReturned = history.silentSinceMs !== undefined;
  return { app, platform: nameOf(PLATFORMS, row.platform), tokenHash, hasReturned };
}

export async function recordUselessKnock(
  run: Run,
  { deliveryId, atMs, isHeld }: Input<'recordUselessKnock'>,
): Promise<boolean> {
  const row = await take(run, deliveryId);
  if (row === undefined || row.knock_result !== null) return false;
  if ((await findReceipts(run, row)).length > 0) return false;
  await putKnockResult(run, row, 'useless');
  if (isHeld) {
    const history = await historyOf(run, row);
    await putHistory(run, row, afterUselessKnock(history, wholeMs(atMs)));
  }
  return true;
}
