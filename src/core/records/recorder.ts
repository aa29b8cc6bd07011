// Listens to the core's events and records what an operator will ask for and no delivery contains: what callers were
// told, refusals and repeats, outages, gaps. Nothing waits for it.

import type { Clock } from '../ports/clock.ts';
import type { EventNamed, Observer, RefusedDelivery, ServiceEvent } from '../ports/observer.ts';
import type { Gap, Records } from '../ports/records.ts';
import { Incidents, type IncidentsParts } from './incidents.ts';
import { Refusals } from './refusals.ts';

export interface RecorderParts extends IncidentsParts {
  readonly clock: Clock;
  readonly records: Records;
  readonly observer: Observer;
  readonly isStoreSick: () => boolean;
  /** A provider accepted a push to it once; strangers cannot invent such a token. */
  readonly isKnownToken: (tokenHash: string) => boolean;
  /** Other names are the caller's own and are not kept. */
  readonly hasApp: (name: string) => boolean;
}

type RequestAnswered = EventNamed<'request_answered'>;

export class Recorder implements Observer {
  readonly #parts: RecorderParts;
  readonly #refusals: Refusals;
  readonly #incidents: Incidents;
  /** No provider has refused the configuration since the start. */
  #isConfigured = true;

  /** A process begins to write the log. */
  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#refusals = new Refusals(parts);
    this.#incidents = new Incidents(parts);
    this.#incidents.begin();
  }

  observe(event: ServiceEvent): void {
    switch (event.name) {
      case 'request_answered':
        this.#answered(event);
        break;
      case 'attempt_ended':
        this.#isConfigured &&= event.outcome !== 'misconfigured';
        if (!this.#isConfigured) this.#incidents.attemptEnded(event);
        break;
      case 'breaker_changed':
        this.#incidents.breakerChanged(event);
        break;
      case 'store_failed':
        this.#incidents.storeFailed();
        break;
      case 'store_recovered':
        this.#incidents.storeRecovered(event);
        this.#tellDropped();
        break;
    }
  }

  /** The store fails, and the log cannot know it yet. */
  openGap(): Gap | undefined {
    return this.#incidents.openGap();
  }

  /** Resolves when everything so far is in the log, or cannot be. Never rejects. */
  async written(): Promise<void> {
    await Promise.all([this.#refusals.flush(), this.#incidents.written()]);
  }

  /** The process ends. Never rejects. */
  async close(): Promise<void> {
    await Promise.all([this.#refusals.close(), this.#incidents.close()]);
  }

  #answered(event: RequestAnswered): void {
    const { deliveries = [], refused = [], status } = event;
    for (const { id, told } of deliveries) {
      const atMs = this.#parts.clock.wallMs();
      this.#parts.records.tell({ deliveryId: id, told, status, atMs });
    }
    for (const one of refused) this.#note(event, one);
  }

  #note(
    { requestId, route, door, status, app }: RequestAnswered,
    { hasDomain, ...named }: RefusedDelivery,
  ): void {
    const { hasApp, isKnownToken } = this.#parts;
    const { tokenHash, deviceId, deliveryId } = named;
    const isKnown =
      hasDomain ||
      deviceId !== undefined ||
      deliveryId !== undefined ||
      (tokenHash !== undefined && isKnownToken(tokenHash));
    this.#refusals.note({
      ...named,
      requestId,
      door: route,
      source: door,
      app: app !== undefined && hasApp(app) ? app : undefined,
      status,
      isKnown,
    });
  }

  #tellDropped(): void {
    const calls = this.#refusals.takeDropped();
    if (calls > 0) this.#parts.observer.observe({ name: 'refusals_dropped', calls });
  }
}
