// Reads events and endpoints.

import type Database from 'better-sqlite3';
import { ALERTS } from '../../../core/events/catalogue.ts';
import type {
  DigestCount,
  Dropped,
  EndpointAttempt,
  EventStore,
  PendingAlert,
  RecordedEvent,
  StoredEndpoint,
} from '../../../core/ports/events.ts';
import { DIGEST_COUNTS, ENDPOINT_ATTEMPTS, ENDPOINTS, EVENTS } from '../../event-rows.ts';
import { toDigestCount, toEndpoint, toEndpointAttempt, toEvent } from '../../events.ts';
import type { RowOf } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';

export type NextEvents = Parameters<EventStore['nextEvents']>[0];
export type AttemptQuery = Parameters<EventStore['listAttempts']>[0];

export function prepareEndpointQueries(db: Database.Database, sealer: Sealer) {
  const all = db.prepare<[], RowOf<typeof ENDPOINTS>>(`${ENDPOINTS.sql} ORDER BY row_id`);
  const one = db.prepare<[string], RowOf<typeof ENDPOINTS>>(`${ENDPOINTS.sql} WHERE id = ?`);
  return {
    list: (): readonly StoredEndpoint[] =>
      all.all().flatMap((row) => toEndpoint(row, sealer) ?? []),
    find(id: string): StoredEndpoint | undefined {
      const row = one.get(id);
      return row && toEndpoint(row, sealer);
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
  // The same condition as the index.
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
        return toEvent(row).map((event) => ({ event, toldAtMs, endedAtMs }));
      }),
    digest: (endpointId: string): readonly DigestCount[] =>
      counts.all(endpointId).flatMap(toDigestCount),
    next: ({ endpointId, afterRowId, limit }: NextEvents) => {
      return {
        events: next.all(afterRowId, limit).flatMap(toEvent),
        dropped: dropped.get(endpointId),
      };
    },
    find(id: string): RecordedEvent | undefined {
      const row = one.get(id);
      return row && toEvent(row)[0];
    },
    attempts: ({ endpointId, limit }: AttemptQuery): readonly EndpointAttempt[] =>
      attempts.all(endpointId, limit).map(toEndpointAttempt),
  };
}
