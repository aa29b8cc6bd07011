// Refused calls, and calls that repeated an earlier one, in a few statements, regardless of their number.

import type {
  CountedRefusal,
  CountedRepeats,
  Records,
  Refusal,
  RefusalsWrite,
} from '../../../core/ports/records.ts';
import { maybeFingerprint } from '../../values.ts';
import type { Run } from '../database.ts';
import { change, compute } from '../statements.ts';
import { wall } from '../times.ts';

export async function writeRefusals(
  run: Run,
  { added, counted, repeats }: RefusalsWrite,
): Promise<readonly number[]> {
  await writeRepeats(run, repeats);
  await writeCounts(run, counted);
  return await add(run, added);
}

async function writeCounts(run: Run, counted: readonly CountedRefusal[]): Promise<void> {
  if (counted.length === 0) return;
  await change(
    run,
    `UPDATE refusals SET count = given.count, last_at = given.last_at
     FROM unnest(@rowIds::bigint[], @counts::integer[], @lastAt::timestamptz[])
       AS given (row_id, count, last_at)
     WHERE refusals.row_id = given.row_id`,
    {
      rowIds: counted.map(({ rowId }) => rowId),
      counts: counted.map(({ count }) => count),
      lastAt: counted.map(({ lastAtMs }) => wall(lastAtMs)),
    },
  );
}

/** Sorted, so that two machines never wait for each other. */
async function writeRepeats(run: Run, repeats: readonly CountedRepeats[]): Promise<void> {
  if (repeats.length === 0) return;
  await change(
    run,
    `UPDATE deliveries SET repeats = deliveries.repeats + given.calls,
       repeated_at = greatest(repeated_at, given.last_at)
     FROM (
       SELECT row_id, given.calls, given.last_at
       FROM unnest(@ids::text[], @calls::integer[], @lastAt::timestamptz[])
         AS given (id, calls, last_at) JOIN deliveries USING (id)
       ORDER BY row_id FOR UPDATE OF deliveries) AS given
     WHERE deliveries.row_id = given.row_id`,
    {
      ids: repeats.map(({ deliveryId }) => deliveryId),
      calls: repeats.map(({ calls }) => calls),
      lastAt: repeats.map(({ lastAtMs }) => wall(lastAtMs)),
    },
  );
}

const ADDED_COLUMNS = { row_id: 'integer' } as const;

/** In this order, each as an array. */
const COLUMNS = {
  at: 'timestamptz',
  last_at: 'timestamptz',
  count: 'integer',
  request_id: 'text',
  door: 'text',
  source: 'text',
  app: 'text',
  code: 'text',
  status: 'integer',
  limit_name: 'text',
  token_hash: 'text',
  handle_hash: 'text',
  subject_hash: 'text',
  device_id: 'text',
  fields: 'text',
  node_id: 'text',
  address_hash: 'text',
  delivery_id: 'text',
  known: 'boolean',
} as const;

async function add(run: Run, added: readonly Refusal[]): Promise<readonly number[]> {
  if (added.length === 0) return [];
  const rows = added.map(valuesOf);
  const names = Object.keys(COLUMNS);
  const arrays = Object.entries(COLUMNS).map(([name, type]) => `@${name}::${type}[]`);
  const values = Object.fromEntries(
    names.map((name) => [name, rows.map((row) => row[name] ?? null)]),
  );
  const sql = `INSERT INTO refusals (${names.join(', ')})
    SELECT ${names.join(', ')}
    FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS given (${names.join(', ')}, number)
    ORDER BY number RETURNING row_id`;
  const found = await compute(run, { columns: ADDED_COLUMNS, sql }, values);
  return found.map(({ row_id }) => row_id);
}

function valuesOf(refusal: Refusal): Readonly<Record<string, string | number | boolean | null>> {
  return {
    at: wall(refusal.atMs),
    last_at: wall(refusal.lastAtMs),
    count: refusal.count,
    request_id: refusal.requestId ?? null,
    door: refusal.door,
    source: refusal.source ?? null,
    app: refusal.app ?? null,
    code: refusal.code,
    status: refusal.status,
    limit_name: refusal.limit ?? null,
    token_hash: maybeFingerprint(refusal.tokenHash),
    handle_hash: maybeFingerprint(refusal.handleHash),
    subject_hash: maybeFingerprint(refusal.subjectHash),
    device_id: refusal.deviceId ?? null,
    fields: refusal.fields ?? null,
    node_id: refusal.nodeId ?? null,
    address_hash: maybeFingerprint(refusal.addressHash),
    delivery_id: refusal.deliveryId ?? null,
    known: refusal.isKnown,
  };
}

export function trimRefusals(
  run: Run,
  { of, keep, limit }: Parameters<Records['trimRefusals']>[0],
): Promise<number> {
  const { door, code } = of === 'strangers' ? { door: null, code: null } : of;
  const condition = of === 'strangers' ? 'NOT known' : 'door = @door AND code = @code';
  return change(
    run,
    `DELETE FROM refusals WHERE row_id IN (
       SELECT row_id FROM refusals WHERE ${condition}
       ORDER BY at DESC, row_id DESC LIMIT @limit OFFSET @keep)`,
    of === 'strangers' ? { keep, limit } : { door, code, keep, limit },
  );
}
