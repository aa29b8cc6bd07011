// The endpoints of the vendor: registered, changed, tested, and each with its lane. While there is none, nobody listens
// and nothing is asked of the store.

import { isDeepStrictEqual } from 'node:util';
import { ServiceError } from '../errors.ts';
import type { Timer } from '../ports/clock.ts';
import type { Endpoint, EndpointAttempt, StoredEndpoint } from '../ports/events.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer, ServiceEvent } from '../ports/observer.ts';
import type { Sent } from './calls.ts';
import { type ConfiguredEndpoint, configure, endpointId } from './configured.ts';
import { EndpointLane, type LaneParts } from './lane.ts';
import { secretOf } from './signature.ts';

export const MAX_ENDPOINTS = 32;
const ROTATION_MS = 24 * 3_600_000;
const MAX_SECRETS = 4;
/** From a fact to a look into the table: its transaction is on its way. */
const NUDGE_MS = 100;
/** For what no event of the core announces. */
const LOOK_EVERY_MS = 10_000;

const START_PAUSE_MS = 5_000;

/** After which there may be something to tell. */
const HINTS: ReadonlySet<ServiceEvent['name']> = new Set([
  'delivery_settled',
  'delivery_overdue',
  'token_quarantined',
  'breaker_changed',
  'endpoint_disabled',
]);

export interface EndpointsParts extends Omit<LaneParts, 'ids'> {
  readonly ids: Pick<Ids, 'fraction' | 'secret' | 'deliveryId'>;
  /** From now on the observer is told of everything, or of nothing. */
  readonly join: (observer: Observer) => void;
  readonly leave: (observer: Observer) => void;
}

/** What can be said of an endpoint. */
export interface EndpointDetails {
  readonly url: string;
  readonly enabledEvents: readonly string[];
  readonly app?: string | undefined;
  readonly description?: string | undefined;
}

export type EndpointChanges = Partial<EndpointDetails> & {
  readonly status?: Endpoint['status'] | undefined;
};

export class Endpoints implements Observer {
  readonly #parts: EndpointsParts;
  readonly #lanes = new Map<string, EndpointLane>();
  /** As the configuration had them last. */
  #configured: ReadonlyMap<string, ConfiguredEndpoint> = new Map();
  /** On their way into the store. */
  #adding = 0;
  #isListening = false;
  #isClosed = false;
  #nudge: Timer | undefined;
  #look: Timer | undefined;
  #startAgain: Timer | undefined;

  constructor(parts: EndpointsParts) {
    this.#parts = parts;
  }

  /** At the start and at each reload. Resolves at once if the store fails, and then tries again. */
  async start(configured: readonly ConfiguredEndpoint[]): Promise<void> {
    this.#startAgain?.cancel();
    try {
      await this.#load(configured);
    } catch {
      // The store says what is wrong with it.
      if (this.#isClosed) return;
      const again = () => void this.start(configured);
      this.#startAgain = this.#parts.clock.after(START_PAUSE_MS, again);
    }
  }

  /** What is stored, to be looked at and changed while no service runs: no event goes out by itself. */
  async startSilently(): Promise<void> {
    this.#isClosed = true;
    for (const stored of await this.#parts.store.listEndpoints()) this.#add(stored);
  }

  /** Takes over the endpoints of the configuration, and deletes those that have left it. */
  async #load(configured: readonly ConfiguredEndpoint[]): Promise<void> {
    const { store, clock } = this.#parts;
    const known = await store.listEndpoints();
    const names = new Map(configured.map((one) => [endpointId(one.name), one]));
    for (const stored of known) {
      const { id, isConfigured } = stored.endpoint;
      if (isConfigured && !names.has(id)) await this.#delete(id);
      else if (!names.has(id) && !this.#lanes.has(id)) this.#add(stored);
    }
    for (const [id, one] of names) {
      // What did not change goes on where it is.
      if (isDeepStrictEqual(this.#configured.get(id), one)) continue;
      const earlier = known.find(({ endpoint }) => endpoint.id === id)?.endpoint;
      const stored = await store.putEndpoint(configure(one, { earlier, nowMs: clock.wallMs() }));
      const lane = this.#lanes.get(id);
      if (lane === undefined) this.#add(stored);
      else lane.change(stored);
    }
    this.#configured = names;
  }

  get all(): readonly EndpointLane[] {
    return [...this.#lanes.values()];
  }

  /** Throws `unknown_endpoint`. */
  find(id: string): EndpointLane {
    const lane = this.#lanes.get(id);
    if (lane === undefined) throw new ServiceError('unknown_endpoint');
    return lane;
  }

  /** With its secret, which is not shown again. Throws `bad_body` or `too_many_endpoints`. */
  async create(details: EndpointDetails): Promise<EndpointLane> {
    await this.#check(details.url);
    if (this.#lanes.size + this.#adding >= MAX_ENDPOINTS) {
      throw new ServiceError('too_many_endpoints', { detail: `There are ${MAX_ENDPOINTS}.` });
    }
    this.#adding += 1;
    try {
      return this.#add(await this.#put(details));
    } finally {
      this.#adding -= 1;
    }
  }

  #put(details: EndpointDetails): Promise<StoredEndpoint> {
    const { store, clock, ids } = this.#parts;
    return store.putEndpoint({
      ...details,
      id: endpointId(ids.deliveryId()),
      secrets: [{ secret: this.#newSecret() }],
      status: 'enabled',
      isConfigured: false,
      createdAtMs: clock.wallMs(),
    });
  }

  /** Of one of the configuration the status alone. Throws `endpoint_configured`. */
  async change(id: string, { status, ...changes }: EndpointChanges): Promise<EndpointLane> {
    const lane = Object.keys(changes).length === 0 ? this.find(id) : this.#findOwn(id);
    if (changes.url !== undefined) await this.#check(changes.url);
    const { endpoint } = lane;
    const isChanged = status !== undefined && status !== endpoint.status;
    const byHand = status === 'disabled' ? ('by_operator' as const) : undefined;
    const changed: Endpoint = {
      ...endpoint,
      ...changes,
      status: status ?? endpoint.status,
      disabledReason: isChanged ? byHand : endpoint.disabledReason,
    };
    return await this.#replace(lane, changed);
  }

  async remove(id: string): Promise<void> {
    await this.#delete(this.#findOwn(id).endpoint.id);
  }

  async #delete(id: string): Promise<void> {
    await this.#parts.store.deleteEndpoint(id);
    this.#lanes.get(id)?.stop();
    this.#lanes.delete(id);
    if (this.#lanes.size === 0) this.#stopListening();
  }

  /** The new secret is the first one; the earlier ones sign beside it for a day. */
  async rotate(id: string): Promise<EndpointLane> {
    const lane = this.#findOwn(id);
    const nowMs = this.#parts.clock.wallMs();
    const earlier = lane.endpoint.secrets
      .filter(({ untilMs }) => untilMs === undefined || untilMs > nowMs)
      .map(({ secret, untilMs = nowMs + ROTATION_MS }) => ({ secret, untilMs }));
    const secrets = [{ secret: this.#newSecret() }, ...earlier].slice(0, MAX_SECRETS);
    return await this.#replace(lane, { ...lane.endpoint, secrets });
  }

  /** One call, now, also to an endpoint that is disabled. */
  async test(id: string): Promise<{ readonly eventId: string; readonly sent: Sent }> {
    const { ids, clock } = this.#parts;
    const eventId = `evt_${ids.deliveryId()}`;
    const event = { id: eventId, atMs: clock.wallMs(), type: 'test.ping' } as const;
    return { eventId, sent: await this.find(id).sendOnce(event) };
  }

  /** Sends an event once more, now. Throws `unknown_event`. */
  async redeliver(id: string, eventId: string): Promise<Sent> {
    const lane = this.find(id);
    const event = await this.#parts.store.findEvent(eventId);
    if (event === undefined) throw new ServiceError('unknown_event');
    return await lane.sendOnce(event);
  }

  /** Everything that was recorded since then and is kept comes once more, in its order. */
  async rewind(id: string, sinceMs: number): Promise<void> {
    const lane = this.find(id);
    const progress = await this.#parts.store.rewind({ endpointId: id, sinceMs });
    lane.change({ endpoint: lane.endpoint, progress });
  }

  attempts(id: string, limit: number): Promise<readonly EndpointAttempt[]> {
    return this.#parts.store.listAttempts({ endpointId: this.find(id).endpoint.id, limit });
  }

  observe(event: ServiceEvent): void {
    if (!HINTS.has(event.name) || this.#nudge !== undefined) return;
    this.#nudge = this.#parts.clock.after(NUDGE_MS, () => {
      this.#nudge = undefined;
      this.#nudgeAll();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#startAgain?.cancel();
    this.#stopListening();
    for (const lane of this.#lanes.values()) lane.stop();
    this.#parts.sender.close();
  }

  #add(stored: StoredEndpoint): EndpointLane {
    const lane = new EndpointLane(this.#parts, stored);
    this.#lanes.set(stored.endpoint.id, lane);
    if (this.#isClosed) lane.stop();
    this.#listen();
    lane.nudge();
    return lane;
  }

  async #replace(lane: EndpointLane, endpoint: Endpoint): Promise<EndpointLane> {
    lane.change(await this.#parts.store.putEndpoint(endpoint));
    return lane;
  }

  #findOwn(id: string): EndpointLane {
    const lane = this.find(id);
    if (lane.endpoint.isConfigured) throw new ServiceError('endpoint_configured');
    return lane;
  }

  async #check(url: string): Promise<void> {
    const message = await this.#parts.sender.faultOf(url);
    if (message === undefined) return;
    throw new ServiceError('bad_body', { faults: [{ field: 'url', message }] });
  }

  /** 32 random bytes. */
  #newSecret(): string {
    const bytes = [1, 2].map(() => Buffer.from(this.#parts.ids.secret(), 'base64url'));
    return secretOf(Buffer.concat(bytes));
  }

  #listen(): void {
    if (this.#isListening || this.#isClosed) return;
    this.#isListening = true;
    this.#parts.join(this);
    this.#planLook();
  }

  #stopListening(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    this.#parts.leave(this);
    this.#nudge?.cancel();
    this.#nudge = undefined;
    this.#look?.cancel();
  }

  #planLook(): void {
    this.#look = this.#parts.clock.after(LOOK_EVERY_MS, () => {
      this.#nudgeAll();
      this.#planLook();
    });
  }

  #nudgeAll(): void {
    for (const lane of this.#lanes.values()) lane.nudge();
  }
}
