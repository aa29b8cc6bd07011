// The counts for the digests of e-mail endpoints: raised in the transaction that records the events, and lowered when a
// digest was sent. Several machines count the same kinds at once: every statement locks them in the order of their key,
// so that none waits for one that waits for it.

import { isWished } from '../../../core/events/catalogue.ts';
import type { DigestCount } from '../../../core/ports/events.ts';
import { DIGEST_COUNTS } from '../../event-rows.ts';
import { type NewEvent, type StoredWish, toDigestCount } from '../../events.ts';
import type { Run } from '../database.ts';
import { inputOf } from '../input.ts';
import { change, select } from '../statements.ts';
import { wall } from '../times.ts';

/** Kinds of one endpoint. Further reasons are counted as `other`, so that no caller can make a digest grow. */
const MAX_KINDS = 200;
const OTHER = 'other';

interface Counted extends NewEvent {
  readonly digestOf: string;
}

const COUNTED = inputOf<Counted>({
  endpoint_id: ['text', ({ digestOf }) => digestOf],
  type: ['text', ({ type }) => type],
  app: ['text', ({ app = '' }) => app],
  reason: ['text', ({ reason = '' }) => reason],
  at: ['timestamptz', ({ atMs }) => wall(atMs)],
});

const COUNT = `
  INSERT INTO digest_counts (endpoint_id, type, app, reason, count, "from", "to")
  SELECT endpoint_id, type, app, kept, sum(count), min("from"), max("to")
  FROM (
    SELECT kinds.*, CASE WHEN is_known OR known_kinds + row_number() OVER (
        PARTITION BY endpoint_id, is_known ORDER BY type, app, reason) <= ${MAX_KINDS}
      THEN reason ELSE '${OTHER}' END AS kept
    FROM (
      SELECT endpoint_id, type, app, reason, count(*) AS count, min(at) AS "from", max(at) AS "to",
        EXISTS (SELECT FROM digest_counts AS known
          WHERE (known.endpoint_id, known.type, known.app, known.reason)
            = (input.endpoint_id, input.type, input.app, input.reason)) AS is_known,
        (SELECT count(*) FROM digest_counts AS known
          WHERE known.endpoint_id = input.endpoint_id) AS known_kinds
      FROM ${COUNTED.sql}
      GROUP BY endpoint_id, type, app, reason) AS kinds) AS counted
  GROUP BY endpoint_id, type, app, kept
  ORDER BY endpoint_id, type, app, kept
  ON CONFLICT (endpoint_id, type, app, reason) DO UPDATE SET
    count = digest_counts.count + excluded.count,
    "from" = least(digest_counts."from", excluded."from"),
    "to" = greatest(digest_counts."to", excluded."to")`;

/** For each e-mail endpoint, the recorded events that it asked for. */
export async function countForDigests(
  run: Run,
  events: readonly NewEvent[],
  wishes: readonly StoredWish[],
): Promise<void> {
  const counted = wishes.flatMap((wish) =>
    wish.hasDigest
      ? events
          .filter((event) => isWished(wish, event))
          .map((event) => ({ ...event, digestOf: wish.id }))
      : [],
  );
  if (counted.length > 0) await run(COUNT, COUNTED.valuesOf(counted));
}

export async function readCounts(run: Run, endpointId: string): Promise<readonly DigestCount[]> {
  const condition = 'WHERE endpoint_id = @endpointId ORDER BY type, count DESC, app, reason';
  return (await select(run, DIGEST_COUNTS, condition, { endpointId })).flatMap(toDigestCount);
}

/** Counts of an endpoint that was deleted while another machine counted for it. */
export async function removeCountsOfNobody(run: Run): Promise<void> {
  await change(
    run,
    'DELETE FROM digest_counts WHERE NOT EXISTS (SELECT FROM endpoints WHERE id = endpoint_id)',
  );
}

const TOLD = inputOf<DigestCount>({
  type: ['text', ({ type }) => type],
  app: ['text', ({ app = '' }) => app],
  reason: ['text', ({ reason = '' }) => reason],
  count: ['integer', ({ count }) => count],
  to: ['timestamptz', ({ toMs }) => wall(toMs)],
});

const TAKE_OFF = `
  UPDATE digest_counts SET count = greatest(0, digest_counts.count - told.count),
    "from" = greatest(digest_counts."from", told."to"), "to" = greatest(digest_counts."to", told."to")
  FROM (
    SELECT row_id, input.count, input."to"
    FROM digest_counts JOIN ${TOLD.sql} USING (type, app, reason)
    WHERE endpoint_id = $${TOLD.count + 1}
    ORDER BY endpoint_id, type, app, reason FOR UPDATE OF digest_counts) AS told
  WHERE digest_counts.row_id = told.row_id`;

/** A digest was accepted: its counts are subtracted, and events that came meanwhile stay counted. */
export async function takeOffCounts(
  run: Run,
  endpointId: string,
  told: readonly DigestCount[],
): Promise<void> {
  if (told.length === 0) return;
  await run(TAKE_OFF, [...TOLD.valuesOf(told), endpointId]);
  await change(run, 'DELETE FROM digest_counts WHERE endpoint_id = @endpointId AND count = 0', {
    endpointId,
  });
}
