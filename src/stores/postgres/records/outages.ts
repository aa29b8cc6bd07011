// Outages of the providers, and the gaps of the log. A machine that stops while others run leaves no gap.

import type { Gap, Outage, Records } from '../../../core/ports/records.ts';
import type { RowOf, Rows } from '../../rows.ts';
import { wholeMs } from '../../values.ts';
import type { Run } from '../database.ts';
import { recordEvents } from '../events/recording.ts';
import { change, compute } from '../statements.ts';
import { wall } from '../times.ts';

/** Outages and gaps are few; a provider that comes and goes every second must not fill the disk. */
const MAX_OUTAGES = 10_000;
const MAX_GAPS = 10_000;

export async function recordOutage(run: Run, outage: Outage, node: string): Promise<void> {
  const { app, provider, reason, beganAtMs, endedAtMs, isMisconfigured = false } = outage;
  const values = {
    ...{ app, provider, node, beganAt: wall(beganAtMs) },
    endedAt: endedAtMs === undefined ? null : wall(endedAtMs),
  };
  const ended = await change(
    run,
    `UPDATE outages SET ended_at = @endedAt
     WHERE app = @app AND provider = @provider AND began_at = @beganAt AND node = @node`,
    values,
  );
  const event = { app, provider, reason };
  const isNew = ended === 0;
  if (isNew) {
    await change(
      run,
      `INSERT INTO outages (app, provider, reason, began_at, ended_at, node)
       VALUES (@app, @provider, @reason, @beganAt, @endedAt, @node)`,
      { ...values, reason },
    );
  }
  const type = isMisconfigured ? 'provider.misconfigured' : 'provider.down';
  await recordEvents(run, [
    ...(isNew ? [{ ...event, type, atMs: beganAtMs } as const] : []),
    ...(endedAtMs === undefined
      ? []
      : [{ ...event, type: 'provider.up', atMs: endedAtMs } as const]),
  ]);
}

export async function recordGap(run: Run, gap: Gap): Promise<void> {
  const { kind, beganAtMs, endedAtMs, unlogged } = gap;
  await change(
    run,
    `INSERT INTO gaps (kind, began_at, ended_at, unlogged)
     VALUES (@kind, @beganAt, @endedAt, @unlogged)`,
    {
      kind,
      beganAt: wall(beganAtMs),
      endedAt: endedAtMs === undefined ? null : wall(endedAtMs),
      unlogged,
    },
  );
}

const SIGN_COLUMNS = {
  is_alone: 'integer',
  has_gaps: 'integer',
  stopped_at: 'integer?',
  beaten_at: 'integer?',
  last_row_at: 'integer?',
} as const;
/** A machine whose last beat is older than this has stopped, or is about to be taken over. */
const SIGNS: Rows<typeof SIGN_COLUMNS> = {
  columns: SIGN_COLUMNS,
  sql: `SELECT NOT EXISTS (
        SELECT FROM nodes WHERE id <> @node AND beaten_at > now() - interval '6 seconds') AS is_alone,
      EXISTS (SELECT FROM gaps) AS has_gaps,
      (SELECT max(began_at) FROM gaps WHERE ended_at IS NULL) AS stopped_at,
      (SELECT max(beaten_at) FROM nodes WHERE id <> @node) AS beaten_at,
      (SELECT received_at FROM deliveries ORDER BY row_id DESC LIMIT 1) AS last_row_at`,
};

/** One machine begins or ends at a time. */
const TAKE_GAPS = 'LOCK TABLE gaps IN SHARE ROW EXCLUSIVE MODE';

interface Change {
  readonly wallMs: number;
  /** This machine. */
  readonly node: string;
}

/** The first machine starts: the log had no writer since the last one. Does nothing if other machines run. */
export async function begin(run: Run, { node, ...options }: Change): Promise<void> {
  const wallMs = wholeMs(options.wallMs);
  await change(run, TAKE_GAPS);
  const { is_alone, has_gaps, stopped_at, beaten_at, last_row_at } = await readSigns(run, node);
  if (is_alone === 0) return;
  const isNew = has_gaps === 0 && last_row_at === null;
  const beganAtMs = Math.min(wallMs, isNew ? 0 : (stopped_at ?? beaten_at ?? last_row_at ?? 0));
  await change(
    run,
    'UPDATE outages SET ended_at = greatest(began_at, @at) WHERE ended_at IS NULL',
    { at: wall(beganAtMs) },
  );
  if (stopped_at === null) {
    await recordGap(run, { kind: 'stopped', beganAtMs, endedAtMs: wallMs, unlogged: 0 });
    return;
  }
  await change(run, 'UPDATE gaps SET ended_at = greatest(began_at, @at) WHERE ended_at IS NULL', {
    at: wall(wallMs),
  });
}

/**
 * The last machine stops: the log has no writer from now on. If other machines run, only the outages that this one saw
 * end.
 */
export async function end(run: Run, { wallMs, node }: Change): Promise<void> {
  await change(run, TAKE_GAPS);
  const { is_alone, stopped_at } = await readSigns(run, node);
  if (is_alone === 0) {
    await change(
      run,
      'UPDATE outages SET ended_at = greatest(began_at, @at) WHERE ended_at IS NULL AND node = @node',
      { at: wall(wallMs), node },
    );
  } else if (stopped_at === null) {
    await recordGap(run, { kind: 'stopped', beganAtMs: wallMs, unlogged: 0 });
  }
}

async function readSigns(run: Run, node: string): Promise<RowOf<typeof SIGNS>> {
  const [signs] = await compute(run, SIGNS, { node });
  if (signs === undefined) throw new Error('a row without a table is missing');
  return signs;
}

export async function pruneRecords(
  run: Run,
  { refusedBeforeMs, endedBeforeMs, limit }: Parameters<Records['prune']>[0],
): Promise<number> {
  // Rows lie nearly in the order of their first refusal, so only the oldest have to be read.
  let gone = await change(
    run,
    `DELETE FROM refusals WHERE row_id IN (
       SELECT row_id FROM (SELECT row_id, at FROM refusals ORDER BY row_id LIMIT @limit) AS oldest
       WHERE at < @before)`,
    { limit, before: wall(refusedBeforeMs) },
  );
  for (const [table, max] of [
    ['outages', MAX_OUTAGES],
    ['gaps', MAX_GAPS],
  ] as const) {
    gone += await change(
      run,
      `DELETE FROM ${table} WHERE row_id IN (
         SELECT row_id FROM (SELECT row_id, ended_at FROM ${table} ORDER BY row_id LIMIT @limit) AS oldest
         WHERE ended_at < @before OR row_id <= (SELECT max(row_id) FROM ${table}) - ${max})`,
      { limit: limit - gone, before: wall(endedBeforeMs) },
    );
  }
  return gone;
}
