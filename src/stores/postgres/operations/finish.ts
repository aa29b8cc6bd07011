// The end of open deliveries, for every statement that ends some: their rows leave the queue with their content, their
// duplicate keys are released unless they were delivered, and the devices with their tokens are updated.

import { FORGOTTEN_TOKEN } from '../../../core/ports/operating.ts';
import { DEVICE_DELETED } from '../../values.ts';

/**
 * Continues the WITH of a statement in which `ended` names open deliveries, each once and with its row in `queue` locked:
 * `row_id, id, token_hash, key_hash, status, reason, settled_at, attempts, keep_key, told, told_status, told_at`.
 * `ends` has what their events need (events/ended.ts), except for deliveries of a deleted device: the program that
 * deleted it knows that, and may want it forgotten. PostgreSQL does not know how many rows a CTE has and joins two by nested
 * loops, whose time grows with the square of a batch: `gone` returns all that is needed, and is joined with nothing
 * here.
 */
export const FINISH = `
  settled AS (
    UPDATE deliveries d SET status = e.status, reason = e.reason, settled_at = e.settled_at,
      attempts = greatest(d.attempts, e.attempts), told = coalesce(d.told, e.told),
      told_status = coalesce(d.told_status, e.told_status), told_at = coalesce(d.told_at, e.told_at)
    FROM ended e WHERE e.row_id = d.row_id),
  gone AS (
    DELETE FROM queue q USING ended e JOIN deliveries d ON d.row_id = e.row_id WHERE e.row_id = q.row_id
    RETURNING d.id, d.app, d.provider, d.type, d.device_id, d.token_hash, q.sealed, e.status, e.reason,
      e.settled_at),
  released AS (
    DELETE FROM duplicate_keys k USING ended e
    WHERE e.key_hash = k.key_hash AND e.id = k.delivery_id AND e.status <> 'delivered' AND NOT e.keep_key),
  sighted AS (
    SELECT DISTINCT ON (v.row_id) v.row_id, e.status, e.settled_at
    FROM ended e JOIN devices v ON v.token_hash = e.token_hash
    WHERE (e.status = 'delivered'
        AND (v.seen_at <= e.settled_at - interval '1 day' OR v.dead_since IS NOT NULL))
      OR (e.status = 'unregistered' AND v.dead_since IS NULL)
    ORDER BY v.row_id, e.row_id DESC),
  noted AS (
    UPDATE devices v SET
      seen_at = CASE s.status WHEN 'delivered' THEN s.settled_at ELSE v.seen_at END,
      dead_since = CASE s.status WHEN 'delivered' THEN NULL ELSE s.settled_at END
    FROM sighted s WHERE s.row_id = v.row_id),
  ends AS (
    SELECT * FROM gone
    WHERE reason IS DISTINCT FROM '${DEVICE_DELETED}' AND EXISTS (SELECT FROM endpoints))`;

/** The columns of \`ended\` that only the caller's own answer sets. */
export const UNTOLD = `NULL::text AS told, NULL::integer AS told_status, NULL::timestamptz AS told_at`;

/** Removes what identifies a person from a row of \`deliveries\`. */
export const BLANK = `token_hash = '${FORGOTTEN_TOKEN}', subject_hash = NULL, device_id = NULL`;
