// What is read of events and endpoints.

import type Database from 'better-sqlite3';
import { type EventType, isEventType } from '../../../core/events/catalogue.ts';
import type {
  DisabledReason,
  Dropped,
  EndpointAttempt,
  EventStore,
  RecordedEvent,
  StoredEndpoint,
} from '../../../core/ports/events.ts';
import { openEndpoint } from '../../sealing/content.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { RowOf } from '../../rows.ts';
import { ENDPOINT_ATTEMPTS, ENDPOINTS, EVENTS } from './rows.ts';

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
  return {
    list,
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

function knownType(type: string): EventType {
  return isEventType(type) ? type : 'test.ping';
}

function outcomeOf(outcome: string): EndpointAttempt['outcome'] {
  return outcome === 'delivered' || outcome === 'skipped' ? outcome : 'failed';
}

function reasonOf(reason: string | null): DisabledReason | undefined {
  return reason === 'by_operator' || reason === 'gone' || reason === 'failing' ? reason : undefined;
}
