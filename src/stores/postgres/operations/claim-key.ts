// Key and row in one statement before the push. If several machines get the same call, one gets the key; the others
// learn who has it. So a key never exists without its row, and if its machine dies, the row is taken over.

import {
  type KeyClaim,
  type KeyedDelivery,
  type QuarantineEntry,
  StoreUnavailableError,
} from '../../../core/ports/store.ts';
import type { RowOf } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Database } from '../database.ts';
import { rowsOf } from '../reading.ts';
import type { Times } from '../times.ts';
import { acceptedInput, INSERT, lateAfter } from './insert.ts';
import { toQuarantined } from './quarantined.ts';

/** A push waits half as long: a row that is written a little late is still settled. */
const CLAIM_MS = 500;
/** A key that is released between two looks is free at the next one. */
const MAX_LOOKS = 3;

/** The quarantine of the token beside the claim, if there is one. */
const CLAIMED = {
  columns: {
    id: 'text',
    taken: 'integer',
    'q.token_hash': 'text?',
    'q.app': 'text?',
    'q.provider': 'text?',
    'q.kind': 'text?',
    'q.reason': 'text?',
    'q.since_ms': 'integer?',
    'q.until_ms': 'integer?',
    'q.provider_since_ms': 'integer?',
  },
  sql: 'the claimed keys',
} as const;
const HOLDERS = {
  columns: { key_hash: 'text', delivery_id: 'text' },
  sql: `SELECT key_hash, delivery_id FROM duplicate_keys k WHERE key_hash = ANY($1) AND (expires_at > $2
    OR EXISTS (SELECT FROM deliveries d JOIN queue USING (row_id) WHERE d.id = k.delivery_id))`,
} as const;

export function prepareClaimKey(
  database: Database,
  {
    sealer,
    times,
    now,
  }: { readonly sealer: Sealer; readonly times: Times; readonly now: () => number },
) {
  const input = acceptedInput(sealer, times);
  const nowAt = `$${input.count + 1}::timestamptz`;
  const lateAt = `$${input.count + 2}::timestamptz`;
  const sql = `WITH wanted AS (SELECT * FROM ${input.sql} WHERE statement_timestamp() < ${lateAt}),
    barred AS (
      SELECT DISTINCT wanted.id FROM wanted JOIN quarantine q USING (token_hash)
      WHERE q.until > ${nowAt} AND (q.kind <> 'throttled' OR q.until > wanted.useful_until)),
    taken AS (
      INSERT INTO duplicate_keys AS k (key_hash, delivery_id, expires_at)
      SELECT key_hash, id, key_expires_at FROM wanted WHERE id NOT IN (SELECT id FROM barred)
      ORDER BY key_hash
      ON CONFLICT (key_hash) DO UPDATE
        SET delivery_id = excluded.delivery_id, expires_at = excluded.expires_at
        WHERE k.delivery_id = excluded.delivery_id OR (k.expires_at <= ${nowAt} AND NOT EXISTS (
          SELECT FROM deliveries d JOIN queue USING (row_id) WHERE d.id = k.delivery_id))
      RETURNING delivery_id),
    accepted AS (SELECT * FROM wanted WHERE id IN (SELECT delivery_id FROM taken)),
    ${INSERT}
    SELECT wanted.id, wanted.id IN (SELECT delivery_id FROM taken) AS taken,
      q.token_hash, q.app, q.provider, q.kind, q.reason, q.since AS since_ms, q.until AS until_ms,
      q.provider_since AS provider_since_ms
    FROM wanted LEFT JOIN quarantine q ON q.token_hash = wanted.token_hash AND q.until > ${nowAt}`;

  async function claimSome(
    wanted: readonly KeyedDelivery[],
    claims: Map<string, KeyClaim>,
  ): Promise<readonly KeyedDelivery[]> {
    const options = { statementMs: CLAIM_MS, isAccepted: true };
    const nowValue = times.at(now());
    const values = [...input.valuesOf(wanted), nowValue, lateAfter(times, now())];
    const found = await database.run(sql, values, options);
    const rows = new Map(rowsOf(CLAIMED, found.rows).map((row) => [row.id, row] as const));
    if (rows.size < wanted.length) throw new StoreUnavailableError('busy');
    const others: KeyedDelivery[] = [];
    for (const keyed of wanted) {
      const row = rows.get(keyed.delivery.id);
      if (row?.taken !== 1) others.push(keyed);
      else claims.set(row.id, { kind: 'taken', hold: entryOf(row, times) });
    }
    if (others.length === 0) return [];
    const keys = others.map(({ duplicateKey }) => duplicateKey.keyHash);
    const holders = await database.run(HOLDERS.sql, [keys, nowValue], options);
    const byKey = new Map(
      rowsOf(HOLDERS, holders.rows).map((row) => [row.key_hash, row.delivery_id] as const),
    );
    return others.filter(({ delivery, duplicateKey }) => {
      const row = rows.get(delivery.id);
      const holder = byKey.get(duplicateKey.keyHash);
      const entry = row && entryOf(row, times);
      if (holder !== undefined) claims.set(delivery.id, { kind: 'held', deliveryId: holder });
      else if (entry !== undefined) claims.set(delivery.id, { kind: 'quarantined', entry });
      // The key was released in the meantime.
      return holder === undefined && entry === undefined;
    });
  }

  return async function claimKeys(wanted: readonly KeyedDelivery[]): Promise<readonly KeyClaim[]> {
    const claims = new Map<string, KeyClaim>();
    let left = wanted;
    for (let look = 1; left.length > 0 && look <= MAX_LOOKS; look += 1) {
      left = await claimSome(left, claims);
    }
    return wanted.map(({ delivery }) => {
      const claim = claims.get(delivery.id);
      if (claim === undefined) throw new Error('a duplicate key changes hands again and again');
      return claim;
    });
  };
}

/** Undefined if the token is not in quarantine. */
function entryOf(row: RowOf<typeof CLAIMED>, times: Times): QuarantineEntry | undefined {
  const { token_hash, app, provider, kind, reason, since_ms, until_ms, provider_since_ms } = row;
  if (token_hash === null || app === null || provider === null) return undefined;
  if (kind === null || reason === null || since_ms === null || until_ms === null) return undefined;
  const entry = { token_hash, app, provider, kind, reason, since_ms, until_ms, provider_since_ms };
  return toQuarantined(entry, times);
}
