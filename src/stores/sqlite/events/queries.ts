// What is read of events and endpoints.

import type Database from 'better-sqlite3';
import type {
  Dropped,
  EndpointAttempt,
  EventStore,
  RecordedEvent,
  StoredEndpoint,
} from '../../../core/ports/events.ts';
import { ENDPOINT_ATTEMPTS, ENDPOINTS, EVENTS } from '../../event-rows.ts';
import { toEndpoint, toEndpointAttempt, toEvent } from '../../events.ts';
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
  return {
    list,
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
