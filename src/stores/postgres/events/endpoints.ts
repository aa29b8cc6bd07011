// Changes of endpoints: their fields, how far each has got, and its last attempts.

import type {
  AttemptNote,
  Endpoint,
  EventStore,
  Progress,
  StoredEndpoint,
} from '../../../core/ports/events.ts';
import { ENDPOINTS } from '../../event-rows.ts';
import { endpointValues, toEndpoint } from '../../events.ts';
import { rows } from '../../rows.ts';
import { sealEndpoint } from '../../sealing/content.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { wholeMs } from '../../values.ts';
import type { Run } from '../database.ts';
import { change, select } from '../statements.ts';
import { maybeWall, wall } from '../times.ts';
import { takeOffCounts } from './digest-counts.ts';
import { placeAllEvents } from './places.ts';
import { recordEvents } from './recording.ts';

const KEPT_ATTEMPTS = 100;

interface Machine {
  readonly sealer: Sealer;
  readonly nodeId: string;
}

const SENT_ENDPOINTS = rows('endpoints', { ...ENDPOINTS.columns, sender: 'text?' });

export async function listEndpoints(
  run: Run,
  { sealer, nodeId }: Machine,
): Promise<readonly StoredEndpoint[]> {
  const found = await select(run, SENT_ENDPOINTS, 'ORDER BY row_id');
  return found.flatMap((row) => {
    const stored = toEndpoint(row, sealer);
    return stored === undefined ? [] : { ...stored, isSentElsewhere: row.sender !== nodeId };
  });
}

async function findEndpoint(run: Run, id: string, sealer: Sealer) {
  const [row] = await select(run, ENDPOINTS, 'WHERE id = @id', { id });
  return row && toEndpoint(row, sealer);
}

/** The cursor of an existing endpoint becomes `passed` at least. */
export async function putEndpoint(
  run: Run,
  { endpoint, passed = 0 }: { readonly endpoint: Endpoint; readonly passed?: number | undefined },
  sealer: Sealer,
): Promise<StoredEndpoint> {
  // A new one starts after everything that was ever recorded.
  const cursor = await placeAllEvents(run);
  await change(
    run,
    `INSERT INTO endpoints (id, app, enabled_events, description, status, disabled_reason, configured,
       created_at, cursor, refused, dropped, sealed, digest)
     VALUES (@id, @app, @enabledEvents, @description, @status, @disabledReason, @configured,
       @createdAt, @cursor, 0, 0, @sealed, @digest)
     ON CONFLICT (id) DO UPDATE SET app = excluded.app, enabled_events = excluded.enabled_events,
       description = excluded.description, disabled_reason = excluded.disabled_reason,
       configured = excluded.configured, sealed = excluded.sealed, status = excluded.status,
       digest = excluded.digest, cursor = greatest(endpoints.cursor, @passed),
       failing_since = CASE WHEN endpoints.status = excluded.status THEN endpoints.failing_since END`,
    {
      ...endpointValues(endpoint),
      configured: endpoint.isConfigured,
      createdAt: wall(endpoint.createdAtMs),
      ...{ cursor, passed },
      sealed: sealEndpoint(sealer, endpoint),
    },
  );
  const found = await findEndpoint(run, endpoint.id, sealer);
  if (found === undefined) throw new Error('an endpoint that was just written is not there');
  return found;
}

export async function deleteEndpoint(run: Run, id: string): Promise<boolean> {
  // First, because recording an attempt locks the endpoint until the attempt is written.
  const isGone = (await change(run, 'DELETE FROM endpoints WHERE id = @id', { id })) > 0;
  await change(run, 'DELETE FROM endpoint_attempts WHERE endpoint_id = @id', { id });
  await change(run, 'DELETE FROM digest_counts WHERE endpoint_id = @id', { id });
  return isGone;
}

/** This machine sends from there; a machine that has got further stops sending. */
export async function rewind(
  run: Run,
  { endpointId, sinceMs }: Parameters<EventStore['rewind']>[0],
  { sealer, nodeId }: Machine,
): Promise<Progress> {
  await placeAllEvents(run);
  await change(
    run,
    `UPDATE endpoints SET sender = @nodeId, refused = 0, failing_since = NULL, cursor = least(cursor,
       (SELECT place - 1 FROM events WHERE at >= @since AND place IS NOT NULL ORDER BY place LIMIT 1))
     WHERE id = @endpointId`,
    { endpointId, nodeId, since: wall(sinceMs) },
  );
  const found = await findEndpoint(run, endpointId, sealer);
  return found?.progress ?? { cursor: 0, refused: 0 };
}

const TAKEN = rows('endpoints', { sender: 'text?', cursor: 'integer' });

export interface Taken {
  readonly cursor: number;
  /** Another machine, or none, sent to it until now. */
  readonly isNew: boolean;
}

/**
 * One machine sends to an endpoint: the first that asks, until it stops or is declared dead. Undefined if that is
 * another machine, or if the endpoint was deleted.
 */
export async function takeEndpoint(
  run: Run,
  endpointId: string,
  nodeId: string,
): Promise<Taken | undefined> {
  const taken = await change(
    run,
    `UPDATE endpoints SET sender = @nodeId WHERE id = @endpointId AND sender IS DISTINCT FROM @nodeId
       AND NOT EXISTS (SELECT FROM nodes WHERE nodes.id = endpoints.sender)`,
    { endpointId, nodeId },
  );
  const [row] = await select(run, TAKEN, 'WHERE id = @endpointId', { endpointId });
  return row?.sender === nodeId ? { cursor: row.cursor, isNew: taken > 0 } : undefined;
}

/**
 * A record from a machine that no longer sends to the endpoint moves nothing. For a deleted endpoint nothing is
 * recorded.
 */
export async function noteAttempt(run: Run, note: AttemptNote, nodeId: string): Promise<void> {
  const { endpointId, attempt, progress, told, digested = [], disabledReason } = note;
  const [row] = await select(run, ENDPOINTS, 'WHERE id = @endpointId FOR UPDATE', {
    endpointId,
  });
  if (row === undefined) return;
  if (disabledReason !== undefined) {
    const { atMs } = attempt;
    const event = { atMs, type: 'endpoint.disabled', endpointId, reason: disabledReason } as const;
    await recordEvents(run, [{ ...event, app: row.app ?? undefined }]);
  }
  await putAttempt(run, note);
  if (progress !== undefined) {
    // The event was counted as dropped while it was being sent.
    const hasPassed = progress.cursor > row.cursor;
    if (hasPassed && told === undefined && (await isGone(run, attempt.eventId))) {
      await tellDropped(run, endpointId, 1);
    }
    await advance(run, { endpointId, nodeId }, progress);
  }
  if (told !== undefined) await tellDropped(run, endpointId, told.count);
  await takeOffCounts(run, endpointId, digested);
  if (disabledReason === undefined) return;
  await change(
    run,
    `UPDATE endpoints SET status = 'disabled', disabled_reason = @disabledReason WHERE id = @endpointId`,
    { disabledReason, endpointId },
  );
}

async function putAttempt(run: Run, { endpointId, attempt }: AttemptNote): Promise<void> {
  const { eventId, type, atMs, latencyMs, outcome, status = null, reason = null } = attempt;
  await change(
    run,
    `INSERT INTO endpoint_attempts
       (endpoint_id, event_id, type, at, latency_ms, outcome, status, reason)
     VALUES (@endpointId, @eventId, @type, @at, @latencyMs, @outcome, @status, @reason)`,
    {
      ...{ endpointId, eventId, type, at: wall(atMs), latencyMs: wholeMs(latencyMs) },
      ...{ outcome, status, reason },
    },
  );
  await change(
    run,
    `DELETE FROM endpoint_attempts WHERE endpoint_id = @endpointId AND row_id <= (
       SELECT row_id FROM endpoint_attempts WHERE endpoint_id = @endpointId
       ORDER BY row_id DESC LIMIT 1 OFFSET ${KEPT_ATTEMPTS})`,
    { endpointId },
  );
}

async function isGone(run: Run, eventId: string): Promise<boolean> {
  return (await change(run, 'SELECT 1 FROM events WHERE id = @eventId', { eventId })) === 0;
}

async function advance(
  run: Run,
  { endpointId, nodeId }: { readonly endpointId: string; readonly nodeId: string },
  { cursor, failingSinceMs, refused }: Progress,
): Promise<void> {
  await change(
    run,
    `UPDATE endpoints SET cursor = @cursor, failing_since = @failingSince, refused = @refused
     WHERE id = @endpointId AND coalesce(sender, @nodeId) = @nodeId`,
    { endpointId, nodeId, cursor, failingSince: maybeWall(failingSinceMs), refused },
  );
}

async function tellDropped(run: Run, endpointId: string, count: number): Promise<void> {
  await change(
    run,
    `UPDATE endpoints SET dropped = greatest(0, dropped - @count),
       dropped_from = CASE WHEN dropped > @count THEN dropped_from END,
       dropped_to = CASE WHEN dropped > @count THEN dropped_to END
     WHERE id = @endpointId`,
    { endpointId, count },
  );
}
