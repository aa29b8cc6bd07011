// The writer's changes of endpoints: their fields, how far each has got, and its last attempts.

import type Database from 'better-sqlite3';
import type { AttemptNote, Progress, StoredEndpoint } from '../../../core/ports/events.ts';
import { endpointValues } from '../../events.ts';
import { sealEndpoint } from '../../sealing/content.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { wholeMs } from '../../values.ts';
import type { EndpointWrite } from '../protocol.ts';
import { prepareDigestCounts } from './digest-counts.ts';
import { prepareEndpointQueries } from './queries.ts';
import type { EventRecording } from './recording.ts';

const KEPT_ATTEMPTS = 100;

export interface Rewind {
  readonly endpointId: string;
  readonly sinceMs: number;
}

export function prepareEndpointOperations(
  db: Database.Database,
  { sealer, recording }: { readonly sealer: Sealer; readonly recording: EventRecording },
) {
  const { find } = prepareEndpointQueries(db, sealer);
  // A new one starts after everything that was ever recorded.
  const put = db.prepare(
    `INSERT INTO endpoints (id, app, enabled_events, description, status, disabled_reason, configured,
       created_at_ms, cursor, refused, dropped, sealed, digest)
     VALUES (@id, @app, @enabledEvents, @description, @status, @disabledReason, @configured,
       @createdAtMs, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0), 0, 0, @sealed,
       @digest)
     ON CONFLICT (id) DO UPDATE SET app = @app, enabled_events = @enabledEvents,
       description = @description, disabled_reason = @disabledReason, configured = @configured,
       failing_since_ms = iif(status = @status, failing_since_ms, NULL), status = @status,
       cursor = max(cursor, @passed), sealed = @sealed, digest = @digest`,
  );
  const remove = db.prepare('DELETE FROM endpoints WHERE id = ?');
  const removeCounts = db.prepare('DELETE FROM digest_counts WHERE endpoint_id = ?');
  const removeAttempts = db.prepare('DELETE FROM endpoint_attempts WHERE endpoint_id = ?');
  const rewind = db.prepare(
    `UPDATE endpoints SET refused = 0, failing_since_ms = NULL, cursor = min(cursor, coalesce(
       (SELECT row_id - 1 FROM events WHERE at_ms >= @sinceMs ORDER BY row_id LIMIT 1), cursor))
     WHERE id = @endpointId`,
  );

  return {
    put({ endpoint, cursor = 0 }: EndpointWrite): StoredEndpoint {
      put.run({
        ...endpointValues(endpoint),
        configured: endpoint.isConfigured ? 1 : 0,
        createdAtMs: wholeMs(endpoint.createdAtMs),
        sealed: sealEndpoint(sealer, endpoint),
        passed: cursor,
      });
      recording.refresh();
      const found = find(endpoint.id);
      if (found === undefined) throw new Error('an endpoint that was just written is not there');
      return found;
    },
    remove(id: string): boolean {
      removeAttempts.run(id);
      removeCounts.run(id);
      const isGone = remove.run(id).changes > 0;
      recording.refresh();
      return isGone;
    },
    rewind(input: Rewind): Progress {
      rewind.run({ ...input });
      return find(input.endpointId)?.progress ?? { cursor: 0, refused: 0 };
    },
    note: prepareNote(db, recording),
  };
}

function prepareNote(db: Database.Database, recording: EventRecording) {
  const insertAttempt = db.prepare(
    `INSERT INTO endpoint_attempts (endpoint_id, event_id, type, at_ms, latency_ms, outcome, status, reason)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const trim = db.prepare(
    `DELETE FROM endpoint_attempts WHERE endpoint_id = @id AND row_id <= (
       SELECT row_id FROM endpoint_attempts WHERE endpoint_id = @id
       ORDER BY row_id DESC LIMIT 1 OFFSET ${KEPT_ATTEMPTS})`,
  );
  const isGone = db
    .prepare<[string], number>('SELECT NOT EXISTS (SELECT 1 FROM events WHERE id = ?)')
    .pluck();
  const advance = db.prepare(
    `UPDATE endpoints SET cursor = @cursor, failing_since_ms = @failingSinceMs, refused = @refused
     WHERE id = @id`,
  );
  const findCursor = db
    .prepare<[string], number>('SELECT cursor FROM endpoints WHERE id = ?')
    .pluck();
  const tell = db.prepare(
    `UPDATE endpoints SET dropped = max(0, dropped - @count),
       dropped_from_ms = iif(dropped <= @count, NULL, dropped_from_ms),
       dropped_to_ms = iif(dropped <= @count, NULL, dropped_to_ms)
     WHERE id = @id`,
  );
  const disable = db.prepare<[string, string], { readonly app: string | null }>(
    `UPDATE endpoints SET status = 'disabled', disabled_reason = ? WHERE id = ? RETURNING app`,
  );

  const digest = prepareDigestCounts(db);

  return function note(input: AttemptNote): void {
    const { endpointId, attempt, progress, told, digested = [], disabledReason } = input;
    const { eventId, type, atMs, latencyMs, outcome, status = null, reason = null } = attempt;
    insertAttempt.run(
      endpointId,
      eventId,
      type,
      wholeMs(atMs),
      wholeMs(latencyMs),
      outcome,
      status,
      reason,
    );
    trim.run({ id: endpointId });
    if (progress !== undefined) {
      const { cursor, failingSinceMs, refused } = progress;
      const earlier = findCursor.get(endpointId) ?? cursor;
      // The event was counted as dropped while it was being sent.
      if (cursor > earlier && told === undefined && isGone.get(eventId) === 1) {
        tell.run({ id: endpointId, count: 1 });
      }
      const failing = failingSinceMs === undefined ? null : wholeMs(failingSinceMs);
      advance.run({ id: endpointId, cursor, failingSinceMs: failing, refused });
    }
    if (told !== undefined) tell.run({ id: endpointId, count: told.count });
    digest.told(endpointId, digested);
    if (disabledReason === undefined) return;
    const disabled = disable.get(disabledReason, endpointId);
    const event = { atMs, type: 'endpoint.disabled', endpointId, reason: disabledReason } as const;
    if (disabled !== undefined) recording.record({ ...event, app: disabled.app ?? undefined });
  };
}
