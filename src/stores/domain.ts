// Rows as the values of the core, the same for every adapter.

import { type Delivery, STATUSES } from '../core/delivery.ts';
import type { DeliveryWake } from '../core/ports/receipts.ts';
import type { LoggedAttempt, LoggedDelivery, QuarantineEntry } from '../core/ports/store.ts';
import type {
  CLAIMED_DELIVERIES,
  LOGGED_ATTEMPTS,
  LOGGED_DELIVERIES,
  QUARANTINED,
  RowOf,
} from './rows.ts';
import { openDelivery } from './sealing/content.ts';
import type { Sealer } from './sealing/seal.ts';
import { nameOf, optional, PLATFORMS, PROVIDERS, QUARANTINE_KINDS, toTarget } from './values.ts';

/** The request id of a delivery, stored only if it differs from the delivery's id. */
export function requestIdOf({ id, origin }: Delivery): string | null {
  return origin === undefined || origin.requestId === id ? null : origin.requestId;
}

/** Undefined if its content cannot be decrypted. */
export function toDelivery(
  sealer: Sealer,
  row: RowOf<typeof CLAIMED_DELIVERIES>,
): Delivery | undefined {
  const content = openDelivery(sealer, row);
  if (content === undefined) return undefined;
  const { title, titleLocKey, payload, registeredAtMs } = content;
  return {
    id: row.id,
    target: toTarget(row, content),
    ...optional('deviceId', row.device_id),
    registeredAtMs,
    provider: nameOf(PROVIDERS, row.provider),
    notification: {
      type: row.type,
      title,
      ...optional('titleLocKey', titleLocKey),
      payload,
      lifetimeMs: row.lifetime_ms,
    },
    tokenHash: row.token_hash,
    ...optional('subjectHash', row.subject_hash),
    receivedAtMs: row.received_at_ms,
    expiresAtMs: row.expires_at_ms,
    attempts: row.attempts,
    unanswered: row.unanswered,
    interrupted: row.interrupted === 1,
  };
}

export function toLogged(
  row: RowOf<typeof LOGGED_DELIVERIES>,
  attempts: readonly RowOf<typeof LOGGED_ATTEMPTS>[],
  wake?: DeliveryWake,
): LoggedDelivery {
  return {
    id: row.id,
    app: row.app,
    platform: nameOf(PLATFORMS, row.platform),
    provider: nameOf(PROVIDERS, row.provider),
    type: row.type,
    status: nameOf(STATUSES, row.status),
    ...optional('reason', row.reason),
    receivedAtMs: row.received_at_ms,
    lifetimeMs: row.lifetime_ms,
    ...optional('settledAtMs', row.settled_at_ms),
    tokenHash: row.token_hash,
    ...optional('subjectHash', row.subject_hash),
    ...optional('deviceId', row.device_id),
    ...optional('door', row.door),
    ...optional('source', row.source),
    ...optional('requestId', row.request_id ?? (row.door === null ? null : row.id)),
    ...optional('told', row.told),
    ...optional('toldStatus', row.told_status),
    ...optional('toldAtMs', row.told_at_ms),
    repeats: row.repeats,
    ...optional('repeatedAtMs', row.repeated_at_ms),
    ...optional('renewedAtMs', row.renewed_at_ms),
    ...optional('answeredAtMs', row.answered_at_ms),
    ...optional('wake', wake),
    attempts: attempts.map(toLoggedAttempt),
  };
}

function toLoggedAttempt(row: RowOf<typeof LOGGED_ATTEMPTS>): LoggedAttempt {
  return {
    number: row.number,
    startedAtMs: row.started_at_ms,
    latencyMs: row.latency_ms,
    outcome: row.outcome,
    ...optional('reason', row.reason),
    ...optional('messageId', row.message_id),
  };
}

export function toQuarantineEntry(row: RowOf<typeof QUARANTINED>): QuarantineEntry {
  return {
    tokenHash: row.token_hash,
    app: row.app,
    provider: nameOf(PROVIDERS, row.provider),
    kind: nameOf(QUARANTINE_KINDS, row.kind),
    reason: row.reason,
    sinceMs: row.since_ms,
    untilMs: row.until_ms,
    ...optional('providerSinceMs', row.provider_since_ms),
  };
}
