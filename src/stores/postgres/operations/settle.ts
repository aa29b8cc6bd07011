// Records attempts: the attempt's row, and the end of its delivery or its next plan, in one statement for a whole
// batch.

import type { Attempt } from '../../../core/delivery.ts';
import type { Told } from '../../../core/ports/records.ts';
import type { Confirmation, Settlement } from '../../../core/ports/store.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { wholeMs } from '../../values.ts';
import type { Database } from '../database.ts';
import { recordDone } from '../events/ended.ts';
import { inputOf } from '../input.ts';
import { rowsOf } from '../reading.ts';
import type { Tellings } from '../records/tellings.ts';
import { maybeWall, type Times, wall } from '../times.ts';
import { FINISH, UNTOLD } from './finish.ts';

export interface SettlementWrite {
  readonly settlement: Settlement;
  /** What the caller was told before this was sent. */
  told: Told | undefined;
}

const ATTEMPT_COLUMNS = 'number, started_at, latency_ms, outcome, attempt_reason, message_id';

/** Overwrites the row if the attempt is repeated because its commit seemed to fail, or if its late answer came. */
const RECORD = `
  INSERT INTO attempts (row_id, number, started_at, latency_ms, outcome, reason, message_id)
  SELECT row_id, ${ATTEMPT_COLUMNS} FROM tried WHERE number IS NOT NULL
  ON CONFLICT (row_id, number) DO UPDATE SET started_at = excluded.started_at,
    latency_ms = excluded.latency_ms, outcome = excluded.outcome, reason = excluded.reason,
    message_id = excluded.message_id`;

function attemptInput<Row>(attemptOf: (row: Row) => Attempt | undefined) {
  return {
    number: ['integer', (row: Row) => attemptOf(row)?.number ?? null],
    started_at: ['timestamptz', (row: Row) => maybeWall(attemptOf(row)?.startedAtMs)],
    latency_ms: [
      'bigint',
      (row: Row) => {
        const latencyMs = attemptOf(row)?.latencyMs;
        return latencyMs === undefined ? null : wholeMs(latencyMs);
      },
    ],
    outcome: ['text', (row: Row) => attemptOf(row)?.outcome.kind ?? null],
    attempt_reason: ['text', (row: Row) => reasonOf(attemptOf(row))],
    message_id: ['text', (row: Row) => messageIdOf(attemptOf(row))],
  } as const;
}

function reasonOf(attempt: Attempt | undefined): string | null {
  return attempt === undefined || attempt.outcome.kind === 'delivered'
    ? null
    : attempt.outcome.reason;
}

function messageIdOf(attempt: Attempt | undefined): string | null {
  return attempt?.outcome.kind === 'delivered' ? (attempt.outcome.messageId ?? null) : null;
}

function settlementInput(times: Times) {
  return inputOf<SettlementWrite>({
    id: ['text', ({ settlement }) => settlement.deliveryId],
    owner: ['text', ({ settlement }) => settlement.owner],
    status: ['text', ({ settlement }) => settlement.next.status],
    reason: [
      'text',
      ({ settlement: { next } }) => (next.status === 'queued' ? null : (next.reason ?? null)),
    ],
    settled_at: ['timestamptz', ({ settlement }) => wall(settlement.wallMs)],
    keep_key: ['boolean', ({ settlement }) => settlement.keepKey === true],
    due_at: [
      'timestamptz',
      ({ settlement: { next } }) => (next.status === 'queued' ? times.at(next.dueAtMs) : null),
    ],
    not_before: [
      'timestamptz',
      ({ settlement: { next } }) =>
        next.status === 'queued' ? times.maybeAt(next.notBeforeMs) : null,
    ],
    tried_at: [
      'timestamptz',
      ({ settlement: { attempt, nowMs } }) => (attempt === undefined ? null : times.at(nowMs)),
    ],
    lease_until: ['timestamptz', ({ settlement }) => times.maybeAt(settlement.keepLeaseUntilMs)],
    known_end: [
      'timestamptz',
      ({ settlement: { expiresAtMs } }) =>
        expiresAtMs === undefined ? null : times.endAt(expiresAtMs),
    ],
    unanswered: ['integer', ({ settlement: { attempt } }) => (isUnanswered(attempt) ? 1 : 0)],
    ...attemptInput<SettlementWrite>(({ settlement }) => settlement.attempt),
    told: ['text', ({ told }) => told?.told ?? null],
    told_status: ['integer', ({ told }) => told?.status ?? null],
    told_at: ['timestamptz', ({ told }) => maybeWall(told?.atMs)],
  });
}

function isUnanswered(attempt: Attempt | undefined): boolean {
  return attempt?.outcome.kind === 'retry' && attempt.outcome.certainty === 'unanswered';
}

/**
 * By more than the difference between two machines' clocks. The next attempt waits as long as after two unanswered
 * attempts (core/sending/retry.ts), because the earlier ones may have arrived.
 */
const RENEWED_ELSEWHERE = `(input.status = 'expired' AND coalesce(q.expires_at > input.known_end + interval '1 second', false))`;

/**
 * Settlements that were written before their connection was lost: the answer did not arrive, so they are written again.
 */
const writtenBefore = (input: string) => `
  SELECT input.id FROM ${input} JOIN deliveries d ON d.id = input.id LEFT JOIN queue q ON q.row_id = d.row_id
  LEFT JOIN attempts a ON a.row_id = d.row_id AND a.number = input.number
  WHERE input.number IS NOT NULL AND a.started_at = input.started_at AND a.latency_ms = input.latency_ms
    AND (d.status <> 'queued' AND d.status = input.status AND d.settled_at = input.settled_at
      OR input.status = 'queued' AND q.lease_owner IS NULL AND q.due_at = input.due_at AND q.tried_at = input.tried_at)`;
const WRITTEN = { columns: { id: 'text' }, sql: 'settlements that were written before' } as const;

interface SettleParts {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly times: Times;
}

/** An attempt whose settlement is repeated, because its commit seemed to fail, counts once. */
export function prepareSettle({ database, sealer, times }: SettleParts, tellings: Tellings) {
  const input = settlementInput(times);
  const sql = `WITH input AS (SELECT * FROM ${input.sql}),
    tried AS (
      SELECT q.row_id, q.key_hash, d.token_hash, input.*,
        CASE WHEN input.number > d.attempts THEN input.unanswered ELSE 0 END AS newly_unanswered,
        ${RENEWED_ELSEWHERE} AS lives_on
      FROM input JOIN deliveries d ON d.id = input.id JOIN queue q ON q.row_id = d.row_id
      WHERE q.lease_owner = input.owner
      ORDER BY input.id FOR NO KEY UPDATE OF q, d),
    recorded AS (${RECORD}),
    ended AS (SELECT *, coalesce(number, 0) AS attempts FROM tried
      WHERE status <> 'queued' AND NOT lives_on),
    ${FINISH},
    counted AS (
      UPDATE deliveries d SET attempts = greatest(d.attempts, t.number), told = coalesce(d.told, t.told),
        told_status = coalesce(d.told_status, t.told_status), told_at = coalesce(d.told_at, t.told_at)
      FROM tried t WHERE t.row_id = d.row_id AND (t.status = 'queued' OR t.lives_on)
        AND (t.number IS NOT NULL OR t.told IS NOT NULL)),
    planned AS (
      UPDATE queue q SET due_at = coalesce(t.due_at, now()),
        not_before = CASE WHEN t.lives_on THEN now() + interval '10 seconds' ELSE t.not_before END,
        tried_at = coalesce(t.tried_at, q.tried_at), unanswered = q.unanswered + t.newly_unanswered,
        lease_owner = CASE WHEN t.lease_until IS NOT NULL THEN t.owner END, lease_until = t.lease_until
      FROM tried t WHERE t.row_id = q.row_id AND (t.status = 'queued' OR t.lives_on))
    SELECT tried.id AS done_id, ends.* FROM tried LEFT JOIN ends ON ends.id = tried.id WHERE NOT tried.lives_on`;
  const writtenSql = writtenBefore(input.sql);

  return async function settle(writes: readonly SettlementWrite[]): Promise<readonly boolean[]> {
    tellings.left(writes);
    const settled = await database.transaction(
      async (run) => {
        const found = await run(sql, input.valuesOf(writes));
        const done = new Set(await recordDone(run, found, sealer));
        // Rare, and so not part of what is planned for every push.
        const others = writes.filter(({ settlement }) => !done.has(settlement.deliveryId));
        if (others.length > 0) {
          const { rows } = await run(writtenSql, input.valuesOf(others));
          for (const { id } of rowsOf(WRITTEN, rows)) done.add(id);
        }
        await tellings.ride(run);
        return done;
      },
      { isAccepted: true },
    );
    return writes.map(({ settlement }) => settled.has(settlement.deliveryId));
  };
}

/** Ends an open delivery as delivered, even under another machine's lease; the attempts replace those of the same numbers. */
export function prepareConfirm(database: Database, sealer: Sealer) {
  const input = inputOf<Attempt>(attemptInput<Attempt>((attempt) => attempt));
  const at = (index: number) => `$${input.count + index}`;
  const sql = `WITH open AS (
      SELECT q.row_id, q.key_hash, d.id, d.token_hash FROM deliveries d JOIN queue q USING (row_id)
      WHERE d.id = ${at(1)} FOR NO KEY UPDATE OF q, d),
    tried AS (SELECT open.row_id, input.* FROM open, ${input.sql}),
    recorded AS (${RECORD}),
    ended AS (
      SELECT open.*, 'delivered' AS status, ${at(2)}::text AS reason, ${at(3)}::timestamptz AS settled_at,
        ${at(4)}::integer AS attempts, true AS keep_key, ${UNTOLD}
      FROM open),
    ${FINISH}
    SELECT open.id AS done_id, ends.* FROM open LEFT JOIN ends ON ends.id = open.id`;

  return async function confirm({ deliveryId, attempts, reason, wallMs }: Confirmation) {
    const ends = [deliveryId, reason ?? null, wall(wallMs), attempts.at(-1)?.number ?? 0];
    const values = [...input.valuesOf(attempts), ...ends];
    return await database.transaction(async (run) => {
      return (await recordDone(run, await run(sql, values), sealer)).length > 0;
    });
  };
}
