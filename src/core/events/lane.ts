// One endpoint on its way through the events: one call at a time, in the order of the table.
//
// It reads the next events behind its cursor and sends them one after the other. While a call fails only that event is
// tried, by the schedule (schedule.ts). An event that the endpoint refused three times is skipped. 410, or five days
// without a success, disables the endpoint. What was deleted before the endpoint had it comes first, as one event.

import type { Timer } from '../ports/clock.ts';
import type {
  DisabledReason,
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
import { EventCalls, type EventCallsParts, reasonOf, type Sent } from './calls.ts';
import { isWished, typesOf, type Wish } from './catalogue.ts';
import { GIVE_UP_MS, MAX_REFUSALS, retryDelayMs, warningsDue } from './schedule.ts';

/** Read at once; few, so that what waits here is fresh. */
const PAGE = 50;
/** While the store or the registry of devices cannot be read. */
const STORE_PAUSE_MS = 5_000;

export interface LaneParts extends EventCallsParts {
  readonly ids: Pick<Ids, 'fraction'>;
  readonly store: EventStore;
}

export class EndpointLane {
  readonly #parts: LaneParts;
  readonly #calls: EventCalls;
  #endpoint: Endpoint;
  #wish: Wish;
  #progress: Progress;
  #failures = 0;
  #warned = 0;
  #isRunning = false;
  #isAskedAgain = false;
  #isStopped = false;
  /** Set while it waits for its next try. */
  #retry: Timer | undefined;

  constructor(parts: LaneParts, { endpoint, progress }: StoredEndpoint) {
    this.#parts = parts;
    this.#calls = new EventCalls(parts);
    this.#endpoint = endpoint;
    this.#wish = wishOf(endpoint);
    this.#progress = progress;
    this.#warned = warningsDue(this.#failingForMs);
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** Something was recorded that it may want. Does nothing while it waits for its next try. */
  nudge(): void {
    if (this.#retry === undefined) this.#start();
  }

  /** It was changed, or goes back in the table: it is tried at once. */
  change({ endpoint, progress }: StoredEndpoint): void {
    this.#endpoint = endpoint;
    this.#wish = wishOf(endpoint);
    this.#progress = progress;
    this.#failures = 0;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#retry?.cancel();
    this.#calls.stop();
  }

  /** Sends one event now, whatever the state of the endpoint, and notes the attempt. */
  async sendOnce(event: VendorEvent): Promise<Sent> {
    const sent = await this.#calls.send(this.#endpoint, event);
    await this.#parts.store.noteAttempt(this.#calls.noteOf(this.#endpoint, event, { sent }));
    return sent;
  }

  get #failingForMs(): number {
    const { failingSinceMs } = this.#progress;
    return failingSinceMs === undefined ? 0 : this.#parts.clock.wallMs() - failingSinceMs;
  }

  get #mayRun(): boolean {
    return !this.#isStopped && this.#endpoint.status === 'enabled';
  }

  #start(): void {
    this.#isAskedAgain = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
      if (this.#isAskedAgain && this.#retry === undefined && this.#mayRun) this.#start();
    });
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    try {
      let goesOn = true;
      while (goesOn && this.#mayRun) {
        this.#isAskedAgain = false;
        goesOn = (await this.#sendPage()) || (this.#isAskedAgain && this.#retry === undefined);
      }
    } catch {
      // The store says what is wrong with it; here it is only asked again.
      this.#planRetry(STORE_PAUSE_MS);
    }
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
      if (!this.#mayRun) return false;
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
    if (!this.#mayRun) return false;
    const before = this.#progress;
    const sent = await this.#calls.send(this.#endpoint, event);
    // Changed or sent back in the table meanwhile.
    if (this.#progress !== before) return false;
    const refused = before.refused + (sent.verdict === 'refused' ? 1 : 0);
    const isOver = sent.verdict === 'delivered' || refused >= MAX_REFUSALS;
    return await this.#conclude(event, sent, {
      cursor: isOver ? event.rowId : before.cursor,
      failingSinceMs: this.#failingSince(sent),
      refused: isOver ? 0 : refused,
    });
  }

  async #tellDropped(dropped: Dropped): Promise<boolean> {
    const { id } = this.#endpoint;
    const { count, fromMs, toMs } = dropped;
    // Always the same for the same content.
    const name = `evt_dropped_${id}_${fromMs}_${toMs}_${count}`;
    const event: VendorEvent = { id: name, atMs: toMs, type: 'events.dropped' };
    const before = this.#progress;
    const sent = await this.#calls.send(this.#endpoint, event, droppedBodyOf(event, dropped));
    if (this.#progress !== before) return false;
    const refused = before.refused + (sent.verdict === 'refused' ? 1 : 0);
    const isOver = sent.verdict === 'delivered' || refused >= MAX_REFUSALS;
    const progress = {
      cursor: before.cursor,
      failingSinceMs: this.#failingSince(sent),
      refused: isOver ? 0 : refused,
    };
    return await this.#conclude(event, sent, progress, isOver ? dropped : undefined);
  }

  #failingSince({ verdict }: Sent): number | undefined {
    if (verdict === 'delivered') return undefined;
    return this.#progress.failingSinceMs ?? this.#parts.clock.wallMs();
  }

  /** Notes the attempt and plans what follows. True if the next event may be sent. */
  async #conclude(
    event: VendorEvent,
    sent: Sent,
    progress: Progress,
    told?: Dropped,
  ): Promise<boolean> {
    const isSkipped = sent.verdict === 'refused' && progress.refused === 0;
    this.#progress = progress;
    const disabledReason = this.#disabledBy(sent);
    const note = {
      ...this.#calls.noteOf(this.#endpoint, event, { sent, isSkipped }),
      progress,
      told,
      disabledReason,
    };
    if (disabledReason !== undefined) this.#disable(disabledReason);
    const noted = this.#parts.store.noteAttempt(note);
    if (sent.verdict === 'delivered' && told === undefined) {
      // Nobody waits for it: a service that is killed before sends the event once more.
      noted.catch(() => undefined);
      this.#failures = 0;
      this.#warned = 0;
      return true;
    }
    if (sent.verdict !== 'delivered' && !isSkipped) this.#planAfterFailure(sent);
    await noted;
    if (sent.verdict !== 'delivered' && !isSkipped) return false;
    this.#failures = 0;
    return true;
  }

  #disabledBy({ verdict }: Sent): DisabledReason | undefined {
    if (verdict === 'gone') return 'gone';
    return verdict !== 'delivered' && this.#failingForMs >= GIVE_UP_MS ? 'failing' : undefined;
  }

  #disable(disabledReason: DisabledReason): void {
    this.#endpoint = { ...this.#endpoint, status: 'disabled', disabledReason };
    const { id } = this.#endpoint;
    this.#parts.observer.observe({
      name: 'endpoint_disabled',
      endpointId: id,
      reason: disabledReason,
    });
  }

  #planAfterFailure({ result }: Sent): void {
    this.#failures += 1;
    const { clock, ids, observer } = this.#parts;
    const retryAfterMs = result.kind === 'answered' ? result.retryAfterMs : undefined;
    const delayMs = retryDelayMs(this.#failures, { fraction: ids.fraction(), retryAfterMs });
    this.#planRetry(delayMs);
    const due = warningsDue(this.#failingForMs);
    if (due <= this.#warned) return;
    this.#warned = due;
    const failingSince = this.#progress.failingSinceMs ?? clock.wallMs();
    observer.observe({
      name: 'endpoint_failing',
      endpointId: this.#endpoint.id,
      reason: reasonOf(result) ?? 'unknown',
      failingForMs: Math.round(clock.wallMs() - failingSince),
    });
  }

  #planRetry(delayMs: number): void {
    if (!this.#mayRun) return;
    this.#retry?.cancel();
    this.#retry = this.#parts.clock.after(delayMs, () => {
      this.#retry = undefined;
      this.#start();
    });
  }
}

function wishOf({ id, app, enabledEvents }: Endpoint): Wish {
  return { id, app, types: typesOf(enabledEvents) };
}
