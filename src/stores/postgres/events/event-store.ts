// The port to events and endpoints: each operation in a transaction of its own.

import type { Dropped, EventStore } from '../../../core/ports/events.ts';
import { ENDPOINT_ATTEMPTS, EVENTS } from '../../event-rows.ts';
import { toEndpointAttempt, toEvent } from '../../events.ts';
import { rows } from '../../rows.ts';
import { transact as retried } from '../conflicts.ts';
import type { Run } from '../database.ts';
import { select } from '../statements.ts';
import type { Parts } from '../store.ts';
import { findAlerts } from './alerts.ts';
import { readCounts, removeCountsOfNobody } from './digest-counts.ts';
import {
  deleteEndpoint,
  listEndpoints,
  noteAttempt,
  putEndpoint,
  rewind,
  takeEndpoint,
} from './endpoints.ts';
import {
  dropEvents,
  hasUnplaced,
  MAX_EVENTS,
  placeAllEvents,
  placeEvents,
  selectPlaced,
} from './places.ts';

const DROPPED = rows('endpoints', {
  dropped: 'integer',
  dropped_from_ms: 'integer?',
  dropped_to_ms: 'integer?',
});

export function createEventStore({ database, sealer, nodes }: Parts): EventStore {
  const transact = <Result>(work: (run: Run) => Promise<Result>) => retried(database, work);

  return {
    isShared: true,
    listEndpoints: () => transact((run) => listEndpoints(run, { sealer, nodeId: nodes.id })),
    putEndpoint: (endpoint, passed) =>
      transact((run) => putEndpoint(run, { endpoint, passed }, sealer)),
    deleteEndpoint: (id) => transact((run) => deleteEndpoint(run, id)),
    rewind: (options) => transact((run) => rewind(run, options, { sealer, nodeId: nodes.id })),
    nextEvents: ({ endpointId, afterRowId, limit }) =>
      transact(async (run) => {
        const taken = await takeEndpoint(run, endpointId, nodes.id);
        if (taken === undefined) return { events: [] };
        if (await hasUnplaced(run)) await placeEvents(run);
        // The machine that sent before may have got further.
        const after = Math.max(afterRowId, taken.cursor);
        const condition = 'WHERE place > @after ORDER BY place LIMIT @limit';
        const found = await selectPlaced(run, EVENTS, condition, { after, limit });
        return { events: found.flatMap(toEvent), dropped: await findDropped(run, endpointId) };
      }),
    nextAlerts: ({ endpointId, afterRowId, limit }) =>
      transact(async (run) => {
        const taken = await takeEndpoint(run, endpointId, nodes.id);
        if (taken === undefined) return [];
        if (await hasUnplaced(run)) await placeEvents(run);
        // Where another machine has got to. Later calls read after this, for alerts that were held back.
        const after = taken.isNew ? Math.max(afterRowId, taken.cursor) : afterRowId;
        return await findAlerts(run, { endpointId, after, limit });
      }),
    readDigest: (endpointId) =>
      transact(async (run) => {
        const taken = await takeEndpoint(run, endpointId, nodes.id);
        return taken && (await readCounts(run, endpointId));
      }),
    findEvent: (id) =>
      transact(async (run) => {
        if (await hasUnplaced(run)) await placeAllEvents(run);
        const [row] = await selectPlaced(run, EVENTS, 'WHERE id = @id', { id });
        return row && toEvent(row)[0];
      }),
    noteAttempt: (note) => transact((run) => noteAttempt(run, note, nodes.id)),
    listAttempts: ({ endpointId, limit }) =>
      transact(async (run) => {
        const condition = 'WHERE endpoint_id = @endpointId ORDER BY row_id DESC LIMIT @limit';
        const found = await select(run, ENDPOINT_ATTEMPTS, condition, { endpointId, limit });
        return found.map(toEndpointAttempt);
      }),
    pruneEvents: ({ beforeMs, limit }) =>
      transact(async (run) => {
        const last = await placeAllEvents(run);
        await removeCountsOfNobody(run);
        return await dropEvents(run, { upToPlace: last - MAX_EVENTS, beforeMs, limit });
      }),
  };
}

async function findDropped(run: Run, endpointId: string): Promise<Dropped | undefined> {
  const condition = 'WHERE id = @endpointId AND dropped > 0';
  const [row] = await select(run, DROPPED, condition, { endpointId });
  if (row === undefined) return undefined;
  return { count: row.dropped, fromMs: row.dropped_from_ms ?? 0, toMs: row.dropped_to_ms ?? 0 };
}
