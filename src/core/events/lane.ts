// One endpoint on its way through the events: one call at a time, in the order of the table.
//
// It reads the next events behind its cursor and sends them one after the other. While a call fails only that event is
// tried, by the schedule (schedule.ts). An event that the endpoint refused three times is skipped. 410, or five days
// without a success, disables the endpoint. What was deleted before the endpoint had it comes first, as one event.

import type {
  Dropped,
  Endpoint,
  EventStore,
  Progress,
  RecordedEvent,
  StoredEndpoint,
  VendorEvent,
} from '../ports/events.ts';
import type { Ids } from '../ports/ids.ts';
import { droppedBodyOf } from './body.ts';
import { EventCalls, type EventCallsParts, noteOf, type Sent } from './calls.ts';
import { isWished, type Wish, wishOf } from './catalogue.ts';
import { Failures } from './failures.ts';
import { Rounds } from './rounds.ts';

/** Read at once; few, so that what waits here is fresh. */
const PAGE = 50;

export interface LaneParts extends EventCallsParts {
  readonly ids: Pick<Ids, 'fraction'>;
  readonly store: EventStore;
}

/** What is done for one endpoint, whatever its address is. */
export interface Lane {
  readonly endpoint: Endpoint;
  readonly progress: Progress;
  /** Why the last attempt failed; absent if it succeeded. */
  readonly reason: string | undefined;
  /** Something was recorded that it may want. Does nothing while it waits for its next try. */
  nudge(): void;
  /** It was changed, or goes back in the table: it is tried at once. */
  change(stored: StoredEndpoint): void;
  stop(): void;
  /** Sends one event now, whatever the state of the endpoint, and notes the attempt. */
  sendOnce(event: VendorEvent): Promise<Sent>;
}

export class EndpointLane implements Lane {
  readonly #parts: LaneParts;
  readonly #calls: EventCalls;
  readonly #failures: Failures;
  readonly #rounds: Rounds;
  #endpoint: Endpoint;
  #wish: Wish;
  #progress: Progress;

  constructor(parts: LaneParts, { endpoint, progress }: StoredEndpoint) {
    this.#parts = parts;
    this.#calls = new EventCalls(parts);
    this.#failures = new Failures(parts, endpoint.id, progress);
    this.#rounds = new Rounds({
      clock: parts.clock,
      round: () => this.#sendPage(),
      mayRun: () => this.#endpoint.status === 'enabled',
    });
    this.#endpoint = endpoint;
    this.#wish = wishOf(endpoint);
    this.#progress = progress;
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  get progress(): Progress {
    return this.#progress;
  }

  get reason(): string | undefined {
    return this.#failures.reason;
  }

  nudge(): void {
    this.#rounds.ask();
  }

  change({ endpoint, progress }: StoredEndpoint): void {
    this.#endpoint = endpoint;
    this.#wish = wishOf(endpoint);
    this.#progress = progress;
    this.#failures.restart();
    this.#rounds.askNow();
  }

  stop(): void {
    this.#rounds.stop();
    this.#calls.stop();
  }

  async sendOnce(event: VendorEvent): Promise<Sent> {
    const sent = await this.#calls.send(this.#endpoint, event);
    const atMs = this.#parts.clock.wallMs();
    await this.#parts.store.noteAttempt(noteOf(this.#endpoint, event, { sent, atMs }));
    return sent;
  }

  /** True if there may be more. */
  async #sendPage(): Promise<boolean> {
    const { cursor } = this.#progress;
    const endpointId = this.#endpoint.id;
    const { events, dropped } = await this.#parts.store.nextEvents({
      endpointId,
      afterRowId: cursor,
      limit: PAGE,
    });
    if (this.#progress.cursor !== cursor) return true;
    if (dropped !== undefined && !(await this.#tellDropped(dropped))) return false;
    for (const event of events) {
      if (!this.#rounds.mayRun) return false;
      if (this.#progress.cursor > event.rowId) return true;
      if (!isWished(this.#wish, event)) {
        this.#progress = { ...this.#progress, cursor: event.rowId };
        continue;
      }
      if (!(await this.#send(event))) return false;
    }
    return events.length === PAGE;
  }

  /** True if the endpoint has it, or will never get it. */
  async #send(event: RecordedEvent): Promise<boolean> {
    await this.#calls.pace();
    if (!this.#rounds.mayRun) return false;
    const before = this.#progress;
    const sent = await this.#calls.send(this.#endpoint, event);
    // Changed or sent back in the table meanwhile.
    if (this.#progress !== before || this.#isMoot(sent)) return false;
    return await this.#conclude(event, sent, { cursor: event.rowId });
  }

  async #tellDropped(dropped: Dropped): Promise<boolean> {
    const { id } = this.#endpoint;
    const { count, fromMs, toMs } = dropped;
    // Always the same for the same content.
    const name = `evt_dropped_${id}_${fromMs}_${toMs}_${count}`;
    const event: VendorEvent = { id: name, atMs: toMs, type: 'events.dropped' };
    const before = this.#progress;
    const sent = await this.#calls.send(this.#endpoint, event, droppedBodyOf(event, dropped));
    if (this.#progress !== before || this.#isMoot(sent)) return false;
    return await this.#conclude(event, sent, { cursor: before.cursor, dropped });
  }

  /** A failure that a stop of ours may have caused is none of the endpoint. */
  #isMoot({ verdict }: Sent): boolean {
    return verdict === 'failed' && !this.#rounds.mayRun;
  }

  /** Notes the attempt and plans what follows. True if the next event may be sent. */
  async #conclude(
    event: VendorEvent,
    sent: Sent,
    { cursor, dropped }: { readonly cursor: number; readonly dropped?: Dropped },
  ): Promise<boolean> {
    const { clock, observer, store } = this.#parts;
    const endpoint = this.#endpoint;
    const concluded = this.#failures.conclude(sent, this.#progress, cursor);
    const { progress, isOver, isSkipped, disabledReason } = concluded;
    this.#progress = progress;
    if (disabledReason !== undefined) {
      this.#endpoint = { ...endpoint, status: 'disabled', disabledReason };
      observer.observe({
        name: 'endpoint_disabled',
        endpointId: endpoint.id,
        reason: disabledReason,
      });
    }
    const noted = store.noteAttempt({
      ...noteOf(endpoint, event, { sent, atMs: clock.wallMs(), isSkipped }),
      progress,
      told: isOver ? dropped : undefined,
      disabledReason,
    });
    if (sent.verdict === 'delivered') this.#failures.succeeded();
    if (sent.verdict === 'delivered' && dropped === undefined) {
      // Nobody waits for it: a service that is killed before sends the event once more.
      noted.catch(() => undefined);
      return true;
    }
    if (!isOver) this.#rounds.pause(this.#failures.failed(sent, progress));
    await noted;
    if (isSkipped) this.#failures.restart();
    return isOver;
  }
}
