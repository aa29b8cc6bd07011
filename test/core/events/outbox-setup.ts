// One outbox on a real store, in virtual time, with a receiver that answers as a test wants. Every event must agree
// with the description of the API.

import { expect, onTestFinished } from 'vitest';
import { EndpointOutbox } from '../../../src/core/events/endpoint-outbox.ts';
import type { Endpoint, EventSender, SendResult } from '../../../src/core/ports/events.ts';
import type { ServiceEvent } from '../../../src/core/ports/observer.ts';
import type { OpenedStore } from '../../../src/stores/sqlite/store.ts';
import { faultOfEvent } from '../../support/described-events.ts';
import { sampleEndpoint } from '../../support/endpoints.ts';
import { ManualClock } from '../../support/manual-clock.ts';

export interface OutboxCall {
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
}

export async function startOutbox(
  { events, store: log }: OpenedStore,
  enabledEvents: readonly string[],
  given: {
    readonly clock?: ManualClock;
    readonly sender?: EventSender;
    readonly endpoint?: Partial<Endpoint>;
  } = {},
) {
  const { clock = new ManualClock() } = given;
  const calls: OutboxCall[] = [];
  const told: ServiceEvent[] = [];
  const faults: string[] = [];
  onTestFinished(() => expect(faults).toEqual([]));
  const state: { answer: SendResult; readonly next: SendResult[] } = {
    answer: { kind: 'answered', status: 200 },
    /** The next answers; then `answer` is used. */
    next: [],
  };
  const scripted: EventSender = {
    faultOf: async () => undefined,
    send: async ({ headers, body }) => {
      faults.push(...[faultOfEvent(body) ?? []].flat());
      const { type, data }: { type: string; data: unknown } = JSON.parse(body);
      calls.push({ id: headers['webhook-id'] ?? '', type, data });
      return state.next.shift() ?? state.answer;
    },
    close: () => undefined,
  };
  const stored = await events.putEndpoint(sampleEndpoint({ enabledEvents, ...given.endpoint }));
  const observer = { observe: (event: ServiceEvent) => void told.push(event) };
  const ids = { fraction: () => 0.5 };
  const userOf = async () => undefined;
  const { sender = scripted } = given;
  const parts = { clock, ids, store: events, sender, observer, userOf };
  return {
    ...{ clock, calls, told, state },
    outbox: new EndpointOutbox(parts, stored),
    /** Resolves when everything asked of the store and of the receiver has ended. */
    idle: async () => {
      for (let turns = 0; turns < 4; turns += 1) {
        await log.probe();
        await events.findEvent('none');
      }
    },
  };
}
