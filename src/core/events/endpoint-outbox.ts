// The outbox of an endpoint that is called: one call at a time, in the order of the table.
//
// It reads the next events behind its cursor and sends them one after the other. While a call fails only that event is
// tried, by the schedule (schedule.ts). An event that the endpoint refused three times is skipped. 410, or five days
// without a success, disables the endpoint. Events that were deleted before the endpoint had them are reported first,
// as one event.

import type { Dropped, RecordedEvent, StoredEndpoint, VendorEvent } from '../ports/events.ts';
import { droppedBodyOf } from './body.ts';
import { EventCalls, type EventCallsParts, noteOf, type Sent } from './calls.ts';
import { isWished } from './catalogue.ts';
import { Outbox, type OutboxParts } from './outbox.ts';

/** Events read at once; few, so that the events in memory are not out of date. */
const PAGE = 50;

export type EndpointOutboxParts = EventCallsParts & OutboxParts;

export class EndpointOutbox extends Outbox {
  readonly #parts: EndpointOutboxParts;
  readonly #calls: EventCalls;

  constructor(parts: EndpointOutboxParts, stored: StoredEndpoint) {
    super(parts, stored);
    this.#parts = parts;
    this.#calls = new EventCalls(parts);
  }

  override stop(): void {
    super.stop();
    this.#calls.stop();
  }

  protected sendOne(event: VendorEvent): Promise<Sent> {
    return this.#calls.send(this.endpoint, event);
  }

  /** True if there may be more. */
  protected async sendNext(): Promise<boolean> {
    const { cursor } = this.progress;
    const endpointId = this.endpoint.id;
    const { events, dropped } = await this.#parts.store.nextEvents({
      endpointId,
      afterRowId: cursor,
      limit: PAGE,
    });
    if (this.progress.cursor !== cursor) return true;
    if (dropped !== undefined && !(await this.#tellDropped(dropped))) return false;
    for (const event of events) {
      if (!this.rounds.mayRun) return false;
      if (this.progress.cursor > event.rowId) return true;
      if (!isWished(this.wish, event)) {
        this.skipTo(event.rowId);
        continue;
      }
      if (!(await this.#send(event))) return false;
    }
    return events.length === PAGE;
  }

  /** True if the endpoint has it, or will never get it. */
  async #send(event: RecordedEvent): Promise<boolean> {
    await this.#calls.pace();
    if (!this.rounds.mayRun) return false;
    const before = this.progress;
    const sent = await this.#calls.send(this.endpoint, event);
    // The endpoint was changed, or sent back in the table, meanwhile.
    if (this.progress !== before || this.isMoot(sent)) return false;
    return await this.#conclude(event, sent, { cursor: event.rowId });
  }

  async #tellDropped(dropped: Dropped): Promise<boolean> {
    const { id } = this.endpoint;
    const { count, fromMs, toMs } = dropped;
    // Always the same for the same content.
    const name = `evt_dropped_${id}_${fromMs}_${toMs}_${count}`;
    const event: VendorEvent = { id: name, atMs: toMs, type: 'events.dropped' };
    const before = this.progress;
    const sent = await this.#calls.send(this.endpoint, event, droppedBodyOf(event, dropped));
    if (this.progress !== before || this.isMoot(sent)) return false;
    return await this.#conclude(event, sent, { cursor: before.cursor, dropped });
  }

  /** Records the attempt. True if the next event may be sent. */
  async #conclude(
    event: VendorEvent,
    sent: Sent,
    { cursor, dropped }: { readonly cursor: number; readonly dropped?: Dropped },
  ): Promise<boolean> {
    const { clock, store } = this.#parts;
    const endpoint = this.endpoint;
    const { progress, isOver, isSkipped, disabledReason } = this.conclude(sent, cursor);
    const noted = store.noteAttempt({
      ...noteOf(endpoint, event, { sent, atMs: clock.wallMs(), isSkipped }),
      progress,
      told: isOver ? dropped : undefined,
      disabledReason,
    });
    if (sent.verdict === 'delivered' && dropped === undefined) {
      // Not awaited: if the service is killed before it is written, the event is sent again.
      noted.catch(() => undefined);
      return true;
    }
    await noted;
    return isOver;
  }
}
