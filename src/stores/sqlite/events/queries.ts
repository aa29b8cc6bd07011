// What is read of events and endpoints.

import type Database from 'better-sqlite3';
import { ALERTS, isEventType, isMailType } from '../../../core/events/catalogue.ts';
import type {
  DigestCount,
  DisabledReason,
  Dropped,
  Endpoint,
  EndpointAttempt,
  EventStore,
  PendingAlert,
  RecordedEvent,
  StoredEndpoint,
} from '../../../core/ports/events.ts';
import { openEndpoint } from '../file/content.ts';
import type { Sealer } from '../file/seal.ts';
import type { RowOf } from '../rows.ts';
import { DIGEST_COUNTS, ENDPOINT_ATTEMPTS, ENDPOINTS, EVENTS } from './rows.ts';

export type NextEvents = Parameters<EventStore['nextEvents']>[0];
export type AttemptQuery = Parameters<EventStore['listAttempts']>[0];

export function prepareEndpointQueries(db: Database.Database, sealer: Sealer) {
  const all = db.prepare<[], RowOf<typeof ENDPOINTS>>(`${ENDPOINTS.sql} ORDER BY row_id`);
  const one = db.prepare<[string], RowOf<typeof ENDPOINTS>>(`${ENDPOINTS.sql} WHERE id = ?`);
  return {
    list: (): readonly StoredEndpoint[] =>
      all.all().flatMap((row) => endpointOf(row, sealer) ?? []),
    find(id: string): StoredEndpoint | undefined {
      const row = one.get(id);
      return row && endpointOf(row, sealer);
    },
  };
}

export function prepareEventQueries(db: Database.Database, sealer: Sealer) {
  const { list } = prepareEndpointQueries(db, sealer);
  const next = db.prepare<[number, number], RowOf<typeof EVENTS>>(
    `${EVENTS.sql} WHERE row_id > ? ORDER BY row_id LIMIT ?`,
  );
  const one = db.prepare<[string], RowOf<typeof EVENTS>>(`${EVENTS.sql} WHERE id = ?`);
  const dropped = db.prepare<[string], Dropped>(
    `SELECT dropped AS count, dropped_from_ms AS fromMs, dropped_to_ms AS toMs FROM endpoints
     WHERE id = ? AND dropped > 0`,
  );
  const attempts = db.prepare<[string, number], RowOf<typeof ENDPOINT_ATTEMPTS>>(
    `${ENDPOINT_ATTEMPTS.sql} WHERE endpoint_id = ? ORDER BY row_id DESC LIMIT ?`,
  );
  // As the index has it.
  const alerts = db.prepare<[number, number], RowOf<typeof EVENTS>>(
    `${EVENTS.sql} WHERE type IN (${ALERTS.map((type) => `'${type}'`).join(', ')}) AND row_id > ?
     ORDER BY row_id LIMIT ?`,
  );
  const toldAt = db
    .prepare<[object], number | null>(
      `SELECT max(attempts.at_ms) FROM endpoint_attempts AS attempts JOIN events ON events.id = attempts.event_id
       WHERE attempts.endpoint_id = @endpointId AND attempts.outcome = 'delivered'
         AND events.type = @type AND events.app IS @app AND events.provider IS @provider
         AND events.endpoint_id IS @about`,
    )
    .pluck();
  const endedAt = db
    .prepare<[object], number | null>(
      `SELECT ended_at_ms FROM outages WHERE app = @app AND provider = @provider AND began_at_ms = @atMs`,
    )
    .pluck();
  const counts = db.prepare<[string], RowOf<typeof DIGEST_COUNTS>>(
    `${DIGEST_COUNTS.sql} WHERE endpoint_id = ? ORDER BY type, count DESC, app, reason`,
  );
  return {
    list,
    alerts: ({ endpointId, afterRowId, limit }: NextEvents): readonly PendingAlert[] =>
      alerts.all(afterRowId, limit).flatMap((row) => {
        const { at_ms: atMs, type, app, provider, endpoint_id: about } = row;
        const toldAtMs = toldAt.get({ endpointId, type, app, provider, about }) ?? undefined;
        const endedAtMs = endedAt.get({ app, provider, atMs }) ?? undefined;
        return eventOf(row).map((event) => ({ event, toldAtMs, endedAtMs }));
      }),
    digest: (endpointId: string): readonly DigestCount[] =>
      counts.all(endpointId).flatMap(({ type, app, reason, count, ...times }) => {
        if (!isEventType(type)) return [];
        const kind = { type, app: app || undefined, reason: reason || undefined };
        return [{ ...kind, count, fromMs: times.from_ms, toMs: times.to_ms }];
      }),
    next: ({ endpointId, afterRowId, limit }: NextEvents) => {
      return {
        events: next.all(afterRowId, limit).flatMap(eventOf),
        dropped: dropped.get(endpointId),
      };
    },
    find(id: string): RecordedEvent | undefined {
      const row = one.get(id);
      return row && eventOf(row)[0];
    },
    attempts: ({ endpointId, limit }: AttemptQuery): readonly EndpointAttempt[] =>
      attempts.all(endpointId, limit).map((row) => {
        return {
          eventId: row.event_id,
          type: knownType(row.type),
          atMs: row.at_ms,
          latencyMs: row.latency_ms,
          outcome: outcomeOf(row.outcome),
          status: row.status ?? undefined,
          reason: row.reason ?? undefined,
        };
      }),
  };
}

/** Nothing for one that cannot be decrypted: it is as if it were not there. */
function endpointOf(row: RowOf<typeof ENDPOINTS>, sealer: Sealer): StoredEndpoint | undefined {
  const content = openEndpoint(sealer, row);
  if (content === undefined) return undefined;
  return {
    endpoint: {
      id: row.id,
      ...content,
      app: row.app ?? undefined,
      enabledEvents: row.enabled_events.split(','),
      description: row.description ?? undefined,
      status: row.status === 'enabled' ? 'enabled' : 'disabled',
      disabledReason: reasonOf(row.disabled_reason),
      digest: digestOf(row.digest),
      isConfigured: row.configured === 1,
      createdAtMs: row.created_at_ms,
    },
    progress: {
      cursor: row.cursor,
      failingSinceMs: row.failing_since_ms ?? undefined,
      refused: row.refused,
    },
  };
}

/** A type of a later release, after which an earlier one runs, is passed over. */
function eventOf(row: RowOf<typeof EVENTS>): readonly RecordedEvent[] {
  if (!isEventType(row.type)) return [];
  return [
    {
      rowId: row.row_id,
      id: row.id,
      atMs: row.at_ms,
      type: row.type,
      app: row.app ?? undefined,
      provider: row.provider ?? undefined,
      deliveryId: row.delivery_id ?? undefined,
      deviceId: row.device_id ?? undefined,
      notificationType: row.notification_type ?? undefined,
      reason: row.reason ?? undefined,
      tokenSha256: row.token_sha256 ?? undefined,
      subjectSha256: row.subject_sha256 ?? undefined,
      endpointId: row.endpoint_id ?? undefined,
    },
  ];
}

function knownType(type: string): EndpointAttempt['type'] {
  return isEventType(type) || isMailType(type) ? type : 'test.ping';
}

function digestOf(digest: string | null): Endpoint['digest'] {
  if (digest === null) return undefined;
  return digest === 'hourly' ? 'hourly' : 'daily';
}

function outcomeOf(outcome: string): EndpointAttempt['outcome'] {
  return outcome === 'delivered' || outcome === 'skipped' ? outcome : 'failed';
}

function reasonOf(reason: string | null): DisabledReason | undefined {
  return reason === 'by_operator' || reason === 'gone' || reason === 'failing' ? reason : undefined;
}
