// The endpoints of the vendor: registered, changed, tested, and each with its lane. While there is none, nobody listens
// and nothing is asked of the store.

import { isDeepStrictEqual } from 'node:util';
import { ServiceError } from '../errors.ts';
import type { Timer } from '../ports/clock.ts';
import type { Endpoint, EndpointAttempt, StoredEndpoint } from '../ports/events.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer, ServiceEvent } from '../ports/observer.ts';
import { StoreUnavailableError } from '../ports/store.ts';
import type { Sent } from './calls.ts';
import { configure, endpointId, register, withChanges, withNewSecret } from './configured.ts';
import {
  type ConfiguredEndpoint,
  checkDetails,
  type EndpointChanges,
  type EndpointDetails,
} from './details.ts';
import { EndpointLane, type LaneParts } from './lane.ts';
import type { Lane } from './lane-base.ts';
import { Looks } from './looks/looks.ts';
import { isEmail, refuseEmail, takeIn } from './looks/take-in.ts';
import { MailLane, type MailLaneParts } from './mail-lane.ts';
import { isHint, noticeOf } from './notices.ts';

export const MAX_ENDPOINTS = 32;
const START_PAUSE_MS = 5_000;

export interface EndpointsParts extends Omit<LaneParts, 'ids'>, Pick<MailLaneParts, 'mail'> {
  readonly ids: Pick<Ids, 'fraction' | 'secret' | 'deliveryId'>;
  /** The observer gets every event from `join` to `leave`. */
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
  #lastTurn: Promise<unknown> = Promise.resolve();
  #isListening = false;
  #isClosed = false;
  readonly #looks: Looks;
  #startAgain: Timer | undefined;

  constructor(parts: EndpointsParts) {
    this.#parts = parts;
    const nudge = () => this.#nudgeAll();
    const look = parts.store.isShared ? () => void this.#lookAtOthers() : nudge;
    this.#looks = new Looks({ clock: parts.clock, nudge, look });
  }

  /** At the start and at each reload. Resolves at once if the store fails, and then tries again. */
  async start(configured: readonly ConfiguredEndpoint[]): Promise<void> {
    this.#startAgain?.cancel();
    try {
      await this.#inTurn(() => this.#load(configured));
      if (this.#parts.store.isShared && !this.#isClosed) this.#looks.begin();
    } catch (cause) {
      if (this.#isClosed) return;
      this.#report(cause);
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
      const lane = this.#lanes.get(id);
      if (lane !== undefined && isDeepStrictEqual(this.#configured.get(id), one)) continue;
      const earlier = known.find(({ endpoint }) => endpoint.id === id)?.endpoint;
      const stored = await this.#put(configure(one, { earlier, nowMs: clock.wallMs() }), lane);
      if (lane !== undefined && isEmail(lane) === isEmail(stored)) lane.change(stored);
      else this.#add(stored);
    }
    this.#configured = names;
  }

  /** Takes in what other machines changed. Rejects if the store cannot be read; does nothing if it is not shared. */
  async refresh(): Promise<void> {
    if (!this.#parts.store.isShared || this.#isClosed) return;
    await this.#inTurn(async () => {
      const known = await this.#parts.store.listEndpoints();
      const ids = new Set(known.map(({ endpoint }) => endpoint.id));
      for (const id of this.#lanes.keys()) if (!ids.has(id)) this.#drop(id);
      for (const stored of known) {
        const lane = this.#lanes.get(stored.endpoint.id);
        if (lane === undefined || !takeIn(lane, stored)) this.#add(stored);
      }
    });
  }

  async #lookAtOthers(): Promise<void> {
    await this.refresh().catch((cause) => this.#report(cause));
    this.#nudgeAll();
  }

  /** The store says itself what is wrong with it. */
  #report(cause: unknown): void {
    if (cause instanceof StoreUnavailableError) return;
    this.#parts.observer.observe({ name: 'internal_fault', where: 'endpoint', cause });
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
      const { clock, ids } = this.#parts;
      const endpoint = register(details, { ids, nowMs: clock.wallMs() });
      return await this.#inTurn(async () => this.#add(await this.#put(endpoint)));
    } finally {
      this.#adding -= 1;
    }
  }

  /** Of one of the configuration the status alone. Throws `endpoint_configured`. */
  async change(id: string, { status, ...changes }: EndpointChanges): Promise<Lane> {
    const isStatusOnly = Object.keys(changes).length === 0;
    const find = () => (isStatusOnly ? this.find(id) : this.#findOwn(id));
    await checkDetails(changes, this.#parts, find().endpoint);
    // As it is now: a look at its new address takes a while.
    return await this.#replace(find, (endpoint) => withChanges(endpoint, { status, ...changes }));
  }

  async remove(id: string): Promise<void> {
    await this.#inTurn(() => this.#delete(this.#findOwn(id).endpoint.id));
  }

  async #delete(id: string): Promise<void> {
    await this.#parts.store.deleteEndpoint(id);
    this.#drop(id);
  }

  #drop(id: string): void {
    this.#lanes.get(id)?.stop();
    this.#lanes.delete(id);
    if (this.#lanes.size === 0) this.#stopListening();
  }

  /** The new secret is the first one; the earlier ones sign beside it for a day. Throws `email_endpoint`. */
  async rotate(id: string): Promise<Lane> {
    const find = () => refuseEmail(this.#findOwn(id));
    const { ids, clock } = this.#parts;
    const renewed = (endpoint: Endpoint) => withNewSecret(endpoint, { ids, nowMs: clock.wallMs() });
    return await this.#replace(find, renewed);
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
    await this.#inTurn(async () => {
      const lane = refuseEmail(this.find(id));
      const progress = await this.#parts.store.rewind({ endpointId: id, sinceMs });
      lane.change({ endpoint: lane.endpoint, progress });
    });
  }

  attempts(id: string, limit: number): Promise<readonly EndpointAttempt[]> {
    return this.#parts.store.listAttempts({ endpointId: this.find(id).endpoint.id, limit });
  }

  observe(event: ServiceEvent): void {
    this.#mail(event);
    if (isHint(event)) this.#looks.hint();
  }

  close(): void {
    this.#isClosed = true;
    this.#startAgain?.cancel();
    this.#stopListening();
    this.#looks.stop();
    for (const lane of this.#lanes.values()) lane.stop();
    this.#parts.sender.close();
    this.#parts.mail.close();
  }

  /** Alerts for e-mail endpoints that are kept in memory alone. */
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
    this.#lanes.get(stored.endpoint.id)?.stop();
    this.#lanes.set(stored.endpoint.id, lane);
    if (this.#isClosed) lane.stop();
    this.#listen();
    lane.nudge();
    return lane;
  }

  #replace(find: () => Lane, changed: (endpoint: Endpoint) => Endpoint): Promise<Lane> {
    return this.#inTurn(async () => {
      const lane = find();
      lane.change(await this.#put(changed(lane.endpoint), lane));
      return lane;
    });
  }

  /** Asking for more types sends no earlier events. E-mail endpoints keep their cursor: alerts may be sent later. */
  #put(endpoint: Endpoint, lane?: Lane): Promise<StoredEndpoint> {
    const cursor = lane === undefined || isEmail(lane) ? undefined : lane.progress.cursor;
    return this.#parts.store.putEndpoint(endpoint, cursor);
  }

  /** One change at a time, so that none is based on what another one replaces. */
  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const done = this.#lastTurn.then(task);
    this.#lastTurn = done.catch(() => undefined);
    return done;
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
    this.#looks.begin();
  }

  #stopListening(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    this.#parts.leave(this);
    if (!this.#parts.store.isShared) this.#looks.stop();
  }

  #nudgeAll(): void {
    for (const lane of this.#lanes.values()) lane.nudge();
  }
}
