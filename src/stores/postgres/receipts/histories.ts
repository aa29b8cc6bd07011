// How each phone with receipts woke so far. A transaction locks the phone before it reads and writes its history,
// because several machines may get receipts from one phone at once.

import { FORGOTTEN_TOKEN } from '../../../core/ports/operating.ts';
import type { ReceiptStore, SilentPhone } from '../../../core/ports/receipts.ts';
import {
  NO_HISTORY,
  SILENT_OVER_MS,
  SILENT_PUSHES,
  STILL_WAKING_MS,
  type WakeHistory,
} from '../../../core/receipts/history.ts';
import { WAKE_HISTORIES, type WOKEN_DELIVERIES } from '../../receipt-rows.ts';
import { toHistory, toSilentPhone } from '../../receipts.ts';
import type { RowOf } from '../../rows.ts';
import type { Run } from '../database.ts';
import { change, select } from '../statements.ts';
import { maybeWall, wall } from '../times.ts';

type Woken = RowOf<typeof WOKEN_DELIVERIES>;

/** Locks the phone: until the transaction ends, no other one changes what is known about it. */
export async function takePhone(run: Run, tokenHash: string): Promise<void> {
  await change(run, 'SELECT pg_advisory_xact_lock(hashtextextended(@tokenHash, 0))', { tokenHash });
}

export async function findHistory(run: Run, tokenHash: string): Promise<WakeHistory | undefined> {
  const [row] = await select(run, WAKE_HISTORIES, 'WHERE token_hash = @tokenHash', { tokenHash });
  return row && toHistory(row);
}

/** Locked for a change: a concurrent search for silent phones skips it. */
export async function historyOf(run: Run, { token_hash: tokenHash }: Woken): Promise<WakeHistory> {
  const condition = 'WHERE token_hash = @tokenHash FOR UPDATE';
  const [row] = await select(run, WAKE_HISTORIES, condition, { tokenHash });
  return row === undefined ? NO_HISTORY : toHistory(row);
}

const COLUMNS = [
  ...['token_hash', 'app', 'platform', 'pushes', 'recent', 'wakes_ms', 'has_started', 'unanswered'],
  ...['unanswered_since', 'last_push_at', 'last_wake_at', 'silent_since', 'demoted_at'],
  ...['knocks_at_ms', 'useless_knocks', 'useless_at', 'token_sha256'],
];
const PUT = `INSERT INTO wake_histories (${COLUMNS.join(', ')})
  VALUES (${COLUMNS.map((name) => `@${name}`).join(', ')})
  ON CONFLICT (token_hash) DO UPDATE
    SET ${COLUMNS.map((name) => `${name} = excluded.${name}`).join(', ')}`;

export async function putHistory(
  run: Run,
  { token_hash, app, platform }: Woken,
  history: WakeHistory,
): Promise<void> {
  // A receipt for a delivery whose phone was forgotten since: nothing is kept.
  if (token_hash === FORGOTTEN_TOKEN) return;
  await change(run, PUT, {
    ...{ token_hash, app, platform },
    pushes: history.pushes,
    recent: history.recent,
    wakes_ms: history.wakesMs.map(Math.round).join(','),
    has_started: history.hasStarted,
    unanswered: history.unanswered,
    unanswered_since: maybeWall(history.unansweredSinceMs),
    last_push_at: maybeWall(history.lastPushAtMs),
    last_wake_at: maybeWall(history.lastWakeAtMs),
    silent_since: maybeWall(history.silentSinceMs),
    demoted_at: maybeWall(history.demotedAtMs),
    knocks_at_ms: history.knocksAtMs.map(Math.round).join(','),
    useless_knocks: history.uselessKnocks,
    useless_at: maybeWall(history.uselessAtMs),
    token_sha256: history.tokenSha256 ?? null,
  });
}

/** A phone whose receipt is being written is not silent; the next search checks it again. */
export async function noteSilent(
  run: Run,
  { atMs, forgetBeforeMs, limit }: Parameters<ReceiptStore['noteSilent']>[0],
): Promise<readonly SilentPhone[]> {
  await change(
    run,
    `DELETE FROM wake_histories WHERE token_hash IN (
       SELECT token_hash FROM wake_histories WHERE last_push_at < @before
       LIMIT @limit FOR UPDATE SKIP LOCKED)`,
    { before: wall(forgetBeforeMs), limit },
  );
  const rows = await select(
    run,
    WAKE_HISTORIES,
    `WHERE unanswered >= ${SILENT_PUSHES} AND silent_since IS NULL AND last_wake_at IS NOT NULL
       AND last_push_at - unanswered_since >= interval '${SILENT_OVER_MS} milliseconds'
       AND last_push_at <= @stillWaking
     ORDER BY last_push_at LIMIT @limit FOR UPDATE SKIP LOCKED`,
    { stillWaking: wall(atMs - STILL_WAKING_MS), limit },
  );
  const tokenHashes = rows.map(({ token_hash }) => token_hash);
  await change(
    run,
    'UPDATE wake_histories SET silent_since = @at WHERE token_hash = ANY(@tokenHashes)',
    {
      ...{ at: wall(atMs), tokenHashes },
    },
  );
  return rows.map(toSilentPhone);
}
