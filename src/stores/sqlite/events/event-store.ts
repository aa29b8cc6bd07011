// The port to events and endpoints, on the two threads of the SQLite store.

import type { EventStore } from '../../../core/ports/events.ts';
import type { ReadCalls, WriteCalls } from '../protocol.ts';
import type { WorkerLink } from '../worker-link.ts';

export function createEventStore(
  writer: WorkerLink<WriteCalls>,
  reader: WorkerLink<ReadCalls>,
): EventStore {
  return {
    // Asks the writer, so that a start without endpoints needs no second thread.
    listEndpoints: () => writer.call({ kind: 'list_endpoints', input: undefined }),
    putEndpoint: (endpoint, cursor) =>
      writer.call({ kind: 'put_endpoint', input: { endpoint, cursor } }),
    deleteEndpoint: (id) => writer.call({ kind: 'delete_endpoint', input: { id } }),
    rewind: (input) => writer.call({ kind: 'rewind_endpoint', input }),
    noteAttempt: (input) => writer.call({ kind: 'note_attempt', input }),
    pruneEvents: (input) => writer.call({ kind: 'prune_events', input }),
    nextEvents: (input) => reader.call({ kind: 'next_events', input }),
    nextAlerts: (input) => reader.call({ kind: 'next_alerts', input }),
    readDigest: (endpointId) => reader.call({ kind: 'read_digest', input: { endpointId } }),
    findEvent: (id) => reader.call({ kind: 'find_event', input: { id } }),
    listAttempts: (input) => reader.call({ kind: 'list_attempts', input }),
  };
}
