// An accepted delivery: its row, its row in the queue, leased to its sender, and its duplicate key, in one statement
// for a whole batch.

import { isRace, usefulUntilMs } from '../../../core/notification.ts';
import { FORGOTTEN_TOKEN } from '../../../core/ports/operating.ts';
import { type AcceptedDelivery, StoreUnavailableError } from '../../../core/ports/store.ts';
import { requestIdOf } from '../../domain.ts';
import { sealDelivery } from '../../sealing/content.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { DEVICE_DELETED, fingerprint, maybeFingerprint, wholeMs } from '../../values.ts';
import type { Database } from '../database.ts';
import { inputOf } from '../input.ts';
import { type Times, wall } from '../times.ts';

/** What is written of an accepted delivery, by the names of columns of both tables. */
export function acceptedInput(sealer: Sealer, times: Times) {
  return inputOf<AcceptedDelivery>({
    id: ['text', ({ delivery }) => delivery.id],
    received_at: ['timestamptz', ({ delivery }) => wall(delivery.receivedAtMs)],
    app: ['text', ({ delivery }) => delivery.target.app],
    platform: ['text', ({ delivery }) => delivery.target.platform],
    provider: ['text', ({ delivery }) => delivery.provider],
    type: ['text', ({ delivery }) => delivery.notification.type],
    device_id: ['text', ({ delivery }) => delivery.deviceId ?? null],
    token_hash: ['text', ({ delivery }) => fingerprint(delivery.tokenHash)],
    subject_hash: ['text', ({ delivery }) => maybeFingerprint(delivery.subjectHash)],
    lifetime_ms: ['bigint', ({ delivery }) => wholeMs(delivery.notification.lifetimeMs)],
    door: ['text', ({ delivery }) => delivery.origin?.door ?? null],
    source: ['text', ({ delivery }) => delivery.origin?.source ?? null],
    request_id: ['text', ({ delivery }) => requestIdOf(delivery)],
    sealed: ['bytea', ({ delivery }) => sealDelivery(sealer, delivery)],
    // Due as soon as the lease is over; receipt is wall time, which may be ahead of service time.
    due_at: [
      'timestamptz',
      ({ delivery, leaseUntilMs }) => times.at(Math.min(delivery.receivedAtMs, leaseUntilMs)),
    ],
    useful_until: [
      'timestamptz',
      ({ delivery: { expiresAtMs, notification } }) =>
        times.endAt(usefulUntilMs(expiresAtMs, notification.lifetimeMs)),
    ],
    expires_at: ['timestamptz', ({ delivery }) => times.endAt(delivery.expiresAtMs)],
    race: ['boolean', ({ delivery }) => isRace(delivery.notification.lifetimeMs)],
    unanswered: ['integer', ({ delivery }) => delivery.unanswered],
    lease_owner: ['text', ({ owner }) => owner],
    lease_until: ['timestamptz', ({ leaseUntilMs }) => times.at(leaseUntilMs)],
    key_hash: ['text', ({ duplicateKey }) => maybeFingerprint(duplicateKey?.keyHash)],
    key_expires_at: ['timestamptz', ({ duplicateKey }) => times.maybeAt(duplicateKey?.expiresAtMs)],
  });
}

/**
 * Continues the WITH of a statement in which `accepted` has those columns. An existing row stays as it is. If the
 * device was deleted since the core looked it up, the delivery ends at once and no trace of the device stays; a
 * concurrent deletion waits for this statement, or the other way round.
 */
export const INSERT = `
  known AS (
    SELECT id FROM devices WHERE id IN (SELECT device_id FROM accepted) ORDER BY id FOR KEY SHARE),
  given AS (
    SELECT accepted.*, accepted.device_id IS NOT NULL AND known.id IS NULL AS is_gone
    FROM accepted LEFT JOIN known ON known.id = accepted.device_id),
  added AS (
    INSERT INTO deliveries (id, received_at, status, reason, app, platform, provider, type, device_id,
      token_hash, subject_hash, lifetime_ms, attempts, settled_at, door, source, request_id, repeats)
    SELECT id, received_at, CASE WHEN is_gone THEN 'rejected' ELSE 'queued' END,
      CASE WHEN is_gone THEN '${DEVICE_DELETED}' END, app, platform, provider, type,
      CASE WHEN NOT is_gone THEN device_id END,
      CASE WHEN is_gone THEN '${FORGOTTEN_TOKEN}' ELSE token_hash END,
      CASE WHEN NOT is_gone THEN subject_hash END,
      lifetime_ms, 0, CASE WHEN is_gone THEN received_at END, door, source, request_id, 0
    FROM given ORDER BY id
    ON CONFLICT (id) DO NOTHING
    RETURNING row_id, id),
  queued AS (
    INSERT INTO queue (row_id, app, provider, device_id, sealed, due_at, useful_until, expires_at, race,
      unanswered, interrupted, lease_owner, lease_until, key_hash)
    SELECT row_id, app, provider, device_id, sealed, due_at, useful_until, expires_at, race,
      unanswered, false, lease_owner, lease_until, key_hash
    FROM added JOIN given USING (id) WHERE NOT is_gone)`;

/** Longer than a machine waits for its statement, and half of the time after which the others declare it dead. */
const LATE_MS = 3_000;

/**
 * The time, by the database's clock, after which a statement that is sent now writes no row. A network that was cut may
 * deliver it long after its machine gave it up; the machine would not know about the row, and it would be pushed a
 * second time.
 */
export function lateAfter(times: Times, nowMs: number): string {
  return times.at(nowMs + LATE_MS);
}

export function prepareInsert(
  database: Database,
  { sealer, times, now }: { sealer: Sealer; times: Times; now: () => number },
) {
  const input = acceptedInput(sealer, times);
  const lateAt = `$${input.count + 1}::timestamptz`;
  const sql = `WITH accepted AS (SELECT * FROM ${input.sql} WHERE statement_timestamp() < ${lateAt}), ${INSERT},
    held AS (
      INSERT INTO duplicate_keys (key_hash, delivery_id, expires_at)
      SELECT key_hash, id, key_expires_at FROM added JOIN given USING (id)
      WHERE key_hash IS NOT NULL AND NOT is_gone ORDER BY key_hash
      ON CONFLICT (key_hash) DO UPDATE
        SET delivery_id = excluded.delivery_id, expires_at = excluded.expires_at)
    SELECT id FROM accepted`;

  return async function insert(
    accepted: readonly AcceptedDelivery[],
  ): Promise<readonly undefined[]> {
    const values = [...input.valuesOf(accepted), lateAfter(times, now())];
    const { count } = await database.run(sql, values, { isAccepted: true });
    if (count < accepted.length) throw new StoreUnavailableError('busy');
    return accepted.map(() => undefined);
  };
}
