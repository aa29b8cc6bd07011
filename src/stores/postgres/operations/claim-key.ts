// Key and row in one statement before the push. Of several machines that get the same call one gets the key; the others
// learn whose it is. A key without its row can therefore not exist, and what its machine leaves is taken over.

import type { KeyClaim, KeyedDelivery, QuarantineEntry } from '../../../core/ports/store.ts';
import { toQuarantineEntry } from '../../domain.ts';
import { QUARANTINED } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Database, Run } from '../database.ts';
import { columnsOf, rowsOf } from '../reading.ts';
import type { Times } from '../times.ts';
import { acceptedInput, INSERT } from './insert.ts';

/** As long as a push waits for it. */
const CLAIM_MS = 250;
/** A key that is released between two looks is free at the next one. */
const MAX_LOOKS = 3;

const TAKEN = { columns: { id: 'text' }, sql: 'the taken keys' } as const;
const HOLDERS = {
  columns: { key_hash: 'text', delivery_id: 'text' },
  sql: 'the holders of keys',
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
  const sql = `WITH wanted AS (SELECT * FROM ${input.sql}),
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
    SELECT id FROM accepted`;

  async function findQuarantined(run: Run, hashes: readonly string[]) {
    const { rows } = await run(
      `SELECT ${columnsOf(QUARANTINED)} FROM quarantine WHERE token_hash = ANY($1) AND until > $2`,
      [hashes, times.at(now())],
    );
    return new Map(
      rowsOf(QUARANTINED, rows).map((row) => {
        const shifted = { since_ms: times.from(row.since_ms), until_ms: times.from(row.until_ms) };
        return [row.token_hash, toQuarantineEntry({ ...row, ...shifted })] as const;
      }),
    );
  }

  async function findHolders(run: Run, hashes: readonly string[]) {
    const { rows } = await run(
      'SELECT key_hash, delivery_id FROM duplicate_keys WHERE key_hash = ANY($1)',
      [hashes],
    );
    const holders = rowsOf(HOLDERS, rows);
    return new Map(holders.map(({ key_hash, delivery_id }) => [key_hash, delivery_id] as const));
  }

  return async function claimKeys(wanted: readonly KeyedDelivery[]): Promise<readonly KeyClaim[]> {
    const claims = new Map<string, KeyClaim>();
    let left = wanted;
    for (let look = 1; left.length > 0 && look <= MAX_LOOKS; look += 1) {
      const asked = left;
      await database.transaction(
        async (run) => {
          const { rows } = await run(sql, [...input.valuesOf(asked), times.at(now())]);
          const taken = new Set(rowsOf(TAKEN, rows).map(({ id }) => id));
          const entries = await findQuarantined(
            run,
            asked.map(({ delivery }) => delivery.tokenHash),
          );
          const others = asked.filter(({ delivery }) => !taken.has(delivery.id));
          const keys = others.map(({ duplicateKey }) => duplicateKey.keyHash);
          const holders =
            keys.length === 0 ? new Map<string, string>() : await findHolders(run, keys);
          for (const keyed of asked) {
            const { id, tokenHash } = keyed.delivery;
            const found = {
              entry: entries.get(tokenHash),
              holder: holders.get(keyed.duplicateKey.keyHash),
            };
            const claim = taken.has(id)
              ? ({ kind: 'taken', hold: found.entry } as const)
              : refused(found);
            if (claim !== undefined) claims.set(id, claim);
          }
        },
        { statementMs: CLAIM_MS, isAccepted: true },
      );
      left = left.filter(({ delivery }) => !claims.has(delivery.id));
    }
    return wanted.map(({ delivery, duplicateKey }) => {
      const claim = claims.get(delivery.id);
      if (claim === undefined)
        throw new Error(`the key ${duplicateKey.keyHash} changes hands again and again`);
      return claim;
    });
  };
}

/** Nothing if the key was released a moment ago. */
function refused(found: {
  readonly entry: QuarantineEntry | undefined;
  readonly holder: string | undefined;
}): KeyClaim | undefined {
  if (found.holder !== undefined) return { kind: 'held', deliveryId: found.holder };
  return found.entry && { kind: 'quarantined', entry: found.entry };
}
