// The endpoints of the vendor: registered, changed, tested, and each with its lane. While there is none, nobody listens
// and nothing is asked of the store.

import { isDeepStrictEqual } from 'node:util';
import { ServiceError } from '../errors.ts';
import type { Timer } from '../ports/clock.ts';
import type { Endpoint, EndpointAttempt, StoredEndpoint } from '../ports/events.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer, ServiceEvent } from '../ports/observer.ts';
import type { Sent } from './calls.ts';
import { configure, endpointId, register } from './configured.ts';
import {
  type ConfiguredEndpoint,
  checkDetails,
  type EndpointChanges,
  type EndpointDetails,
} from './details.ts';
import { EndpointLane, type LaneParts } from './lane.ts';
import type { Lane } from './lane-base.ts';
import { MailLane, type MailLaneParts } from './mail-lane.ts';
import { isHint, noticeOf } from './notices.ts';
import { newSecret } from './signature.ts';

export const MAX_ENDPOINTS = 32;
const ROTATION_MS = 24 * 3_600_000;
const MAX_SECRETS = 4;
/** From a fact to looks into the table: its transaction is on its way, and may take longer. */
const NUDGES_MS = [100, 1_000] as const;
/** For what no event of the core announces. */
const LOOK_EVERY_MS = 10_000;
const START_PAUSE_MS = 5_000;

export interface EndpointsParts extends Omit<LaneParts, 'ids'>, Pick<MailLaneParts, 'mail'> {
  readonly ids: Pick<Ids, 'fraction' | 'secret' | 'deliveryId'>;
  /** From now on the observer is told of everything, or of nothing. */
  readonly join: (observer: Observer) => void;
  readonly leave: (observer: Observer) => void;
}

export class Endpoints implements Observer {
  readonly #parts: EndpointsParts;
  readonly #lanes = new Map<string, Lane>();
  /** As the configuration had them last. */
  #configured: ReadonlyMap<string, ConfiguredEndpoint> = new Map();
  /** On their way into the store. */
  #adding = 0;
  #isListening = false;
  #isClosed = false;
  readonly #nudges = new Map<number, Timer>();
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
      if (lane !== undefined && isEmail(lane) === isEmail(stored)) lane.change(stored);
      else {
        lane?.stop();
        this.#add(stored);
      }
    }
    this.#configured = names;
  }

  /** What e-mail endpoints lack, in words for the operator. */
  get mailFault(): string | undefined {
    return this.#parts.mail.fault;
  }

  get all(): readonly Lane[] {
    return [...this.#lanes.values()];
  }

  /** Throws `unknown_endpoint`. */
  find(id: string): Lane {
    const lane = this.#lanes.get(id);
    if (lane === undefined) throw new ServiceError('unknown_endpoint');
    return lane;
  }

  /** With its secret, which is not shown again. Throws `bad_body` or `too_many_endpoints`. */
  async create(details: EndpointDetails): Promise<Lane> {
    await checkDetails(details, this.#parts);
    if (this.#lanes.size + this.#adding >= MAX_ENDPOINTS) {
      throw new ServiceError('too_many_endpoints', { detail: `There are ${MAX_ENDPOINTS}.` });
    }
    this.#adding += 1;
    try {
      const { store, clock, ids } = this.#parts;
      const endpoint = register(details, { ids, nowMs: clock.wallMs() });
      return this.#add(await store.putEndpoint(endpoint));
    } finally {
      this.#adding -= 1;
    }
  }

  /** Of one of the configuration the status alone. Throws `endpoint_configured`. */
  async change(id: string, { status, ...changes }: EndpointChanges): Promise<Lane> {
    const lane = Object.keys(changes).length === 0 ? this.find(id) : this.#findOwn(id);
    const { endpoint } = lane;
    await checkDetails(changes, this.#parts, endpoint);
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

  /** The new secret is the first one; the earlier ones sign beside it for a day. Throws `email_endpoint`. */
  async rotate(id: string): Promise<Lane> {
    const lane = this.#findOwn(id);
    refuseEmail(lane);
    const nowMs = this.#parts.clock.wallMs();
    const earlier = lane.endpoint.secrets
      .filter(({ untilMs }) => untilMs === undefined || untilMs > nowMs)
      .map(({ secret, untilMs = nowMs + ROTATION_MS }) => ({ secret, untilMs }));
    const secrets = [{ secret: newSecret(this.#parts.ids) }, ...earlier].slice(0, MAX_SECRETS);
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

  /** Everything that was recorded since then and is kept comes once more, in its order. Throws `email_endpoint`. */
  async rewind(id: string, sinceMs: number): Promise<void> {
    const lane = this.find(id);
    refuseEmail(lane);
    const progress = await this.#parts.store.rewind({ endpointId: id, sinceMs });
    lane.change({ endpoint: lane.endpoint, progress });
  }

  attempts(id: string, limit: number): Promise<readonly EndpointAttempt[]> {
    return this.#parts.store.listAttempts({ endpointId: this.find(id).endpoint.id, limit });
  }

  observe(event: ServiceEvent): void {
    this.#mail(event);
    if (!isHint(event)) return;
    for (const delayMs of NUDGES_MS) {
      if (this.#nudges.has(delayMs)) continue;
      const nudge = () => {
        this.#nudges.delete(delayMs);
        this.#nudgeAll();
      };
      this.#nudges.set(delayMs, this.#parts.clock.after(delayMs, nudge));
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#startAgain?.cancel();
    this.#stopListening();
    for (const lane of this.#lanes.values()) lane.stop();
    this.#parts.sender.close();
    this.#parts.mail.close();
  }

  /** What e-mail endpoints are told from memory. */
  #mail(event: ServiceEvent): void {
    const notice = noticeOf(event, {
      atMs: this.#parts.clock.wallMs(),
      appOf: (id) => this.#lanes.get(id)?.endpoint.app,
    });
    const hasRecovered = event.name === 'store_recovered';
    if (notice === undefined && !hasRecovered) return;
    for (const lane of this.#lanes.values()) {
      if (!(lane instanceof MailLane)) continue;
      if (hasRecovered) lane.storeRecovered();
      if (notice !== undefined) lane.tell(notice);
    }
  }

  #add(stored: StoredEndpoint): Lane {
    const lane: Lane = new (isEmail(stored) ? MailLane : EndpointLane)(this.#parts, stored);
    this.#lanes.set(stored.endpoint.id, lane);
    if (this.#isClosed) lane.stop();
    this.#listen();
    lane.nudge();
    return lane;
  }

  async #replace(lane: Lane, endpoint: Endpoint): Promise<Lane> {
    lane.change(await this.#parts.store.putEndpoint(endpoint));
    return lane;
  }

  #findOwn(id: string): Lane {
    const lane = this.find(id);
    if (lane.endpoint.isConfigured) throw new ServiceError('endpoint_configured');
    return lane;
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
    for (const nudge of this.#nudges.values()) nudge.cancel();
    this.#nudges.clear();
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

function isEmail({ endpoint }: Pick<StoredEndpoint, 'endpoint'>): boolean {
  return endpoint.digest !== undefined;
}

function refuseEmail(lane: Lane): void {
  if (isEmail(lane)) throw new ServiceError('email_endpoint');
}
