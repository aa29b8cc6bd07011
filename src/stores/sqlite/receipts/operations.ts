// Writes receipts: the wake of a delivery, its receipts, and the history of its phone. The history changes by the
// core's own rules, in the transaction that records the cause.

import type Database from 'better-sqlite3';
import { FORGOTTEN_TOKEN } from '../../../core/ports/operating.ts';
import {
  type AcceptedPush,
  type ArrivedReceipt,
  NOT_SENT,
  type PushRecord,
  type ReceiptStore,
  type RecordedReceipt,
  type RepliedPhone,
  type SilentPhone,
} from '../../../core/ports/receipts.ts';
import {
  afterKnock,
  afterPush,
  afterReply,
  afterUselessKnock,
  knockRefusal,
  NO_HISTORY,
  SILENT_OVER_MS,
  SILENT_PUSHES,
  STILL_WAKING_MS,
  type WakeHistory,
  withoutKnock,
} from '../../../core/receipts/history.ts';
import type { Receipt } from '../../../core/receipts/receipt.ts';
import { recordingOf } from '../../arrived-receipt.ts';
import { WAKE_HISTORIES, WOKEN_DELIVERIES } from '../../receipt-rows.ts';
import { toHistory, toSilentPhone } from '../../receipts.ts';
import type { RowOf } from '../../rows.ts';
import { nameOf, PLATFORMS, wholeMs } from '../../values.ts';

type Input<Name extends keyof ReceiptStore> = Parameters<ReceiptStore[Name]>[0];
type Woken = RowOf<typeof WOKEN_DELIVERIES>;

export function prepareReceiptOperations(
  db: Database.Database,
  endByPhone: (deliveryId: string, wallMs: number) => boolean,
) {
  const find = db.prepare<[string], Woken>(`${WOKEN_DELIVERIES.sql} WHERE id = ?`);
  const wakes = prepareWakes(db);
  const histories = prepareHistories(db);

  return {
    recordPush(push: AcceptedPush): PushRecord | undefined {
      const { deliveryId, atMs, isAsked, isJudged, tokenSha256 } = push;
      const row = find.get(deliveryId);
      if (row === undefined) return undefined;
      if (!isAsked) {
        wakes.putUnasked(row);
        return undefined;
      }
      const history = histories.find(row);
      const isAnswered = wakes.countReceipts(row) > 0;
      const isKnocked = row.knocked_at_ms !== null;
      // It was pushed again after a crash.
      if (row.accepted_at_ms !== null) return { history, isAnswered, isKnocked };
      const pushed = afterPush(history, { atMs, tokenSha256, isAnswered, isJudged });
      const number = pushed.pushes === history.pushes ? null : pushed.pushes;
      wakes.putAccepted(row, { atMs, number, history });
      histories.put(row, pushed);
      return { history, isAnswered, isKnocked };
    },

    recordReceipt: (arrived: ArrivedReceipt): RecordedReceipt | undefined => {
      const row = find.get(arrived.deliveryId);
      if (row === undefined) return undefined;
      const hasEnded = arrived.endsOpen && endByPhone(arrived.deliveryId, arrived.atMs);
      return { ...recordReceipt(row, arrived, { wakes, histories }), hasEnded };
    },

    recordKnock({ deliveryId, atMs }: Input<'recordKnock'>): boolean {
      const row = find.get(deliveryId);
      if (row === undefined || row.accepted_at_ms === null || row.knocked_at_ms !== null) {
        return false;
      }
      const history = histories.find(row);
      if (wakes.countReceipts(row) > 0 || knockRefusal(history, atMs) !== undefined) return false;
      wakes.putKnock(row, atMs);
      histories.put(row, afterKnock(history, wholeMs(atMs)));
      return true;
    },

    recordKnockOutcome({ deliveryId, outcome }: Input<'recordKnockOutcome'>): void {
      const row = find.get(deliveryId);
      if (row?.knocked_at_ms === undefined || row.knocked_at_ms === null) return;
      if (outcome !== NOT_SENT) {
        wakes.putKnockOutcome(row, outcome);
        return;
      }
      histories.put(row, withoutKnock(histories.find(row), row.knocked_at_ms));
      wakes.putKnock(row, null);
    },

    recordReplied({ deliveryId, atMs }: Input<'recordReplied'>): RepliedPhone | undefined {
      const row = find.get(deliveryId);
      if (row === undefined || row.accepted_at_ms === null) return undefined;
      const history = histories.find(row);
      const number = row.push_number ?? undefined;
      histories.put(row, afterReply(history, { atMs: wholeMs(atMs), number }));
      const { app, token_hash: tokenHash } = row;
      const hasReturned = history.silentSinceMs !== undefined;
      return { app, platform: nameOf(PLATFORMS, row.platform), tokenHash, hasReturned };
    },

    recordUselessKnock({ deliveryId, atMs, isHeld }: Input<'recordUselessKnock'>): boolean {
      const row = find.get(deliveryId);
      if (row === undefined || row.knock_result !== null || wakes.countReceipts(row) > 0) {
        return false;
      }
      wakes.putKnockResult(row, 'useless');
      if (isHeld) histories.put(row, afterUselessKnock(histories.find(row), wholeMs(atMs)));
      return true;
    },

    noteSilent: histories.noteSilent,
  };
}

interface Tables {
  readonly wakes: ReturnType<typeof prepareWakes>;
  readonly histories: ReturnType<typeof prepareHistories>;
}

function recordReceipt(
  row: Woken,
  arrived: ArrivedReceipt,
  { wakes, histories }: Tables,
): Omit<RecordedReceipt, 'hasEnded'> {
  const { receipt, atMs } = arrived;
  const count = wakes.countReceipts(row);
  const isRepeated = wakes.hasReceipt(row, receipt);
  const { recorded, history } = recordingOf(row, arrived, {
    ...{ history: histories.find(row), count, isRepeated },
  });
  if (recorded.isKept) {
    wakes.putReceipt(row, { receipt, atMs, number: count + 1 });
    if (recorded.knock !== undefined) wakes.putKnockResult(row, recorded.knock);
    histories.put(row, history);
  }
  return recorded;
}

function prepareWakes(db: Database.Database) {
  const unasked = db.prepare(
    "INSERT OR IGNORE INTO wakes (row_id, asked, recent, sender) VALUES (?, 0, '', 0)",
  );
  const ensure = db.prepare(
    "INSERT OR IGNORE INTO wakes (row_id, asked, recent, sender) VALUES (?, 1, '', 0)",
  );
  const accepted = db.prepare(
    `UPDATE wakes SET asked = 1, accepted_at_ms = ?, push_number = ?, recent = ?, sender = ?
     WHERE row_id = ?`,
  );
  const knocked = db.prepare('UPDATE wakes SET knocked_at_ms = ? WHERE row_id = ?');
  const knockOutcome = db.prepare('UPDATE wakes SET knock_outcome = ? WHERE row_id = ?');
  const knockResult = db.prepare('UPDATE wakes SET knock_result = ? WHERE row_id = ?');
  const count = db.prepare('SELECT count(*) FROM receipts WHERE row_id = ?').pluck();
  const find = db.prepare('SELECT 1 FROM receipts WHERE row_id = ? AND stage = ? AND n = ?');
  const insert = db.prepare(
    `INSERT INTO receipts (row_id, number, received_at_ms, stage, n, since_arrival_ms, why, shown,
       priority, original_priority)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );

  return {
    putUnasked: ({ row_id }: Woken) => unasked.run(row_id),
    putAccepted(
      { row_id }: Woken,
      push: {
        readonly atMs: number;
        readonly number: number | null;
        readonly history: WakeHistory;
      },
    ): void {
      ensure.run(row_id);
      const { recent, lastWakeAtMs } = push.history;
      const sender = Number(lastWakeAtMs !== undefined);
      accepted.run(wholeMs(push.atMs), push.number, recent, sender, row_id);
    },
    putKnock: ({ row_id }: Woken, atMs: number | null) =>
      knocked.run(atMs === null ? null : wholeMs(atMs), row_id),
    putKnockOutcome: ({ row_id }: Woken, outcome: string) => knockOutcome.run(outcome, row_id),
    putKnockResult: ({ row_id }: Woken, result: string) => knockResult.run(result, row_id),
    countReceipts: ({ row_id }: Woken) => Number(count.get(row_id)),
    hasReceipt: ({ row_id }: Woken, { stage, n }: Receipt) =>
      find.get(row_id, stage, n) !== undefined,
    putReceipt(
      { row_id }: Woken,
      given: { readonly receipt: Receipt; readonly atMs: number; readonly number: number },
    ): void {
      const { stage, n, sinceArrivalMs, why, isShown, priority, originalPriority } = given.receipt;
      ensure.run(row_id);
      insert.run(
        ...[row_id, given.number, wholeMs(given.atMs), stage, n, sinceArrivalMs ?? null],
        ...[why ?? null, isShown === undefined ? null : Number(isShown)],
        ...[priority ?? null, originalPriority ?? null],
      );
    },
  };
}

function prepareHistories(db: Database.Database) {
  const find = db.prepare<[string], RowOf<typeof WAKE_HISTORIES>>(
    `${WAKE_HISTORIES.sql} WHERE token_hash = ?`,
  );
  const columns = Object.keys(WAKE_HISTORIES.columns);
  const put = db.prepare(
    `INSERT OR REPLACE INTO wake_histories (${columns.join(', ')})
     VALUES (${columns.map((name) => `@${name}`).join(', ')})`,
  );

  return {
    find({ token_hash }: Woken): WakeHistory {
      const row = find.get(token_hash);
      return row === undefined ? NO_HISTORY : toHistory(row);
    },
    put({ token_hash, app, platform }: Woken, history: WakeHistory): void {
      // A receipt for a delivery whose phone was forgotten since: nothing is kept.
      if (token_hash === FORGOTTEN_TOKEN) return;
      put.run({
        token_hash,
        token_sha256: history.tokenSha256 ?? null,
        app,
        platform,
        pushes: history.pushes,
        recent: history.recent,
        wakes_ms: history.wakesMs.map(Math.round).join(','),
        has_started: Number(history.hasStarted),
        unanswered: history.unanswered,
        unanswered_since_ms: history.unansweredSinceMs ?? null,
        last_push_at_ms: history.lastPushAtMs ?? null,
        last_wake_at_ms: history.lastWakeAtMs ?? null,
        silent_since_ms: history.silentSinceMs ?? null,
        demoted_at_ms: history.demotedAtMs ?? null,
        knocks_at_ms: history.knocksAtMs.map(Math.round).join(','),
        useless_knocks: history.uselessKnocks,
        useless_at_ms: history.uselessAtMs ?? null,
      });
    },
    noteSilent: prepareNoteSilent(db),
  };
}

function prepareNoteSilent(db: Database.Database) {
  const find = db.prepare<[number, number, number], RowOf<typeof WAKE_HISTORIES>>(
    `${WAKE_HISTORIES.sql} WHERE unanswered >= ${SILENT_PUSHES} AND silent_since_ms IS NULL
       AND last_wake_at_ms IS NOT NULL AND last_push_at_ms - unanswered_since_ms >= ?
       AND last_push_at_ms <= ? LIMIT ?`,
  );
  const mark = db.prepare('UPDATE wake_histories SET silent_since_ms = ? WHERE token_hash = ?');
  const forget = db.prepare(
    `DELETE FROM wake_histories WHERE token_hash IN (
       SELECT token_hash FROM wake_histories WHERE last_push_at_ms < ? LIMIT ?)`,
  );

  return function noteSilent(options: Input<'noteSilent'>): readonly SilentPhone[] {
    const { atMs, forgetBeforeMs, limit } = options;
    forget.run(wholeMs(forgetBeforeMs), limit);
    return find.all(SILENT_OVER_MS, atMs - STILL_WAKING_MS, limit).map((row) => {
      mark.run(wholeMs(atMs), row.token_hash);
      return toSilentPhone(row);
    });
  };
}
