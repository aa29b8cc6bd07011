// The endpoints of the vendor: registers, changes and tests them, and runs an outbox for each. While there are none, it
// neither listens to the core nor asks the store.

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
import { EndpointOutbox, type EndpointOutboxParts } from './endpoint-outbox.ts';
import { Looks } from './looks/looks.ts';
import { isEmail, refuseEmail, takeIn } from './looks/take-in.ts';
import { MailOutbox, type MailOutboxParts } from './mail-outbox.ts';
import { isHint, noticeOf } from './notices.ts';
import type { Outbox } from './outbox.ts';

export const MAX_ENDPOINTS = 32;
const START_PAUSE_MS = 5_000;

export interface EndpointsParts extends Omit<EndpointOutboxParts & MailOutboxParts, 'ids'> {
  readonly ids: Pick<Ids, 'fraction' | 'secret' | 'deliveryId'>;
  /** The observer gets every event from `join` to `leave`. */
  readonly join: (observer: Observer) => void;
  readonly leave: (observer: Observer) => void;
}

export class Endpoints implements Observer {
  readonly #parts: EndpointsParts;
  readonly #outboxes = new Map<string, Outbox>();
  /** Those of the configuration, as it was read last. */
  #configured: ReadonlyMap<string, ConfiguredEndpoint> = new Map();
  /** Being written to the store. */
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

  /** Loads the stored endpoints, to show and change them while no service runs: no events are sent on their own. */
  async startSilently(): Promise<void> {
    this.#isClosed = true;
    for (const stored of await this.#parts.store.listEndpoints()) this.#add(stored);
  }

  /** Applies the endpoints of the configuration, and deletes those that were removed from it. */
  async #load(configured: readonly ConfiguredEndpoint[]): Promise<void> {
    const { store, clock } = this.#parts;
    const known = await store.listEndpoints();
    const names = new Map(configured.map((one) => [endpointId(one.name), one]));
    for (const stored of known) {
      const { id, isConfigured } = stored.endpoint;
      if (isConfigured && !names.has(id)) await this.#delete(id);
      else if (!names.has(id) && !this.#outboxes.has(id)) this.#add(stored);
    }
    for (const [id, one] of names) {
      // Unchanged endpoints continue where they are.
      const outbox = this.#outboxes.get(id);
      if (outbox !== undefined && isDeepStrictEqual(this.#configured.get(id), one)) continue;
      const earlier = known.find(({ endpoint }) => endpoint.id === id)?.endpoint;
      const stored = await this.#put(configure(one, { earlier, nowMs: clock.wallMs() }), outbox);
      if (outbox !== undefined && isEmail(outbox) === isEmail(stored)) outbox.change(stored);
      else this.#add(stored);
    }
    this.#configured = names;
  }

  /** Reads what other machines changed. Rejects if the store cannot be read; does nothing if it is not shared. */
  async refresh(): Promise<void> {
    if (!this.#parts.store.isShared || this.#isClosed) return;
    await this.#inTurn(async () => {
      const known = await this.#parts.store.listEndpoints();
      const ids = new Set(known.map(({ endpoint }) => endpoint.id));
      for (const id of this.#outboxes.keys()) if (!ids.has(id)) this.#drop(id);
      for (const stored of known) {
        const outbox = this.#outboxes.get(stored.endpoint.id);
        if (outbox === undefined || !takeIn(outbox, stored)) this.#add(stored);
      }
    });
  }

  async #lookAtOthers(): Promise<void> {
    await this.refresh().catch((cause) => this.#report(cause));
    this.#nudgeAll();
  }

  /** The store reports its own failure. */
  #report(cause: unknown): void {
    if (cause instanceof StoreUnavailableError) return;
    this.#parts.observer.observe({ name: 'internal_fault', where: 'endpoint', cause });
  }

  /** What e-mail endpoints lack, in words for the operator. */
  get mailFault(): string | undefined {
    return this.#parts.mail.fault;
  }

  get all(): readonly Outbox[] {
    return [...this.#outboxes.values()];
  }

  /** Throws `unknown_endpoint`. */
  find(id: string): Outbox {
    const outbox = this.#outboxes.get(id);
    if (outbox === undefined) throw new ServiceError('unknown_endpoint');
    return outbox;
  }

  /** With its secret, which is not shown again. Throws `bad_body` or `too_many_endpoints`. */
  async create(details: EndpointDetails): Promise<Outbox> {
    await checkDetails(details, this.#parts);
    if (this.#outboxes.size + this.#adding >= MAX_ENDPOINTS) {
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

  /** Of an endpoint in the configuration only the status can be changed. Throws `endpoint_configured`. */
  async change(id: string, { status, ...changes }: EndpointChanges): Promise<Outbox> {
    const isStatusOnly = Object.keys(changes).length === 0;
    const find = () => (isStatusOnly ? this.find(id) : this.#findOwn(id));
    await checkDetails(changes, this.#parts, find().endpoint);
    // Read again, because the check of its new address takes a while.
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
    this.#outboxes.get(id)?.stop();
    this.#outboxes.delete(id);
    if (this.#outboxes.size === 0) this.#stopListening();
  }

  /** The new secret is the first one; the earlier ones sign beside it for a day. Throws `email_endpoint`. */
  async rotate(id: string): Promise<Outbox> {
    const find = () => refuseEmail(this.#findOwn(id));
    const { ids, clock } = this.#parts;
    const renewed = (endpoint: Endpoint) => withNewSecret(endpoint, { ids, nowMs: clock.wallMs() });
    return await this.#replace(find, renewed);
  }

  /** Makes one call now, even to a disabled endpoint. */
  async test(id: string): Promise<{ readonly eventId: string; readonly sent: Sent }> {
    const { ids, clock } = this.#parts;
    const eventId = `evt_${ids.deliveryId()}`;
    const event = { id: eventId, atMs: clock.wallMs(), type: 'test.ping' } as const;
    return { eventId, sent: await this.find(id).sendOnce(event) };
  }

  /** Sends an event again, now. Throws `unknown_event`. */
  async redeliver(id: string, eventId: string): Promise<Sent> {
    const outbox = this.find(id);
    const event = await this.#parts.store.findEvent(eventId);
    if (event === undefined) throw new ServiceError('unknown_event');
    return await outbox.sendOnce(event);
  }

  /** Sends everything again that was recorded since then and is kept, in its order. Throws `email_endpoint`. */
  async rewind(id: string, sinceMs: number): Promise<void> {
    await this.#inTurn(async () => {
      const outbox = refuseEmail(this.find(id));
      const progress = await this.#parts.store.rewind({ endpointId: id, sinceMs });
      outbox.change({ endpoint: outbox.endpoint, progress });
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
    for (const outbox of this.#outboxes.values()) outbox.stop();
    this.#parts.sender.close();
    this.#parts.mail.close();
  }

  /** Alerts for e-mail endpoints that are kept only in memory. */
  #mail(event: ServiceEvent): void {
    const notice = noticeOf(event, {
      atMs: this.#parts.clock.wallMs(),
      appOf: (id) => this.#outboxes.get(id)?.endpoint.app,
    });
    const hasRecovered = event.name === 'store_recovered';
    if (notice === undefined && !hasRecovered) return;
    for (const outbox of this.#outboxes.values()) {
      if (!(outbox instanceof MailOutbox)) continue;
      if (hasRecovered) outbox.storeRecovered();
      if (notice !== undefined) outbox.tell(notice);
    }
  }

  #add(stored: StoredEndpoint): Outbox {
    const outbox: Outbox = new (isEmail(stored) ? MailOutbox : EndpointOutbox)(this.#parts, stored);
    this.#outboxes.get(stored.endpoint.id)?.stop();
    this.#outboxes.set(stored.endpoint.id, outbox);
    if (this.#isClosed) outbox.stop();
    this.#listen();
    outbox.nudge();
    return outbox;
  }

  #replace(find: () => Outbox, changed: (endpoint: Endpoint) => Endpoint): Promise<Outbox> {
    return this.#inTurn(async () => {
      const outbox = find();
      outbox.change(await this.#put(changed(outbox.endpoint), outbox));
      return outbox;
    });
  }

  /** Asking for more types sends no earlier events. E-mail endpoints keep their cursor: alerts may be sent later. */
  #put(endpoint: Endpoint, outbox?: Outbox): Promise<StoredEndpoint> {
    const cursor = outbox === undefined || isEmail(outbox) ? undefined : outbox.progress.cursor;
    return this.#parts.store.putEndpoint(endpoint, cursor);
  }

  /** One change at a time, so that no change is based on outdated fields. */
  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const done = this.#lastTurn.then(task);
    this.#lastTurn = done.catch(() => undefined);
    return done;
  }

  #findOwn(id: string): Outbox {
    const outbox = this.find(id);
    if (outbox.endpoint.isConfigured) throw new ServiceError('endpoint_configured');
    return outbox;
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
    for (const outbox of this.#outboxes.values()) outbox.nudge();
  }
}
