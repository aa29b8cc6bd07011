// What happens now, for those who watch: deliveries, attempts and refused calls, with the newest of them kept for a
// watcher that was cut off. Without a watcher it listens to nothing and keeps nothing.

import type { Clock, Timer } from '../ports/clock.ts';
import type { EventNamed, Observer, ServiceEvent } from '../ports/observer.ts';

/** About ten seconds of a hundred pushes a second. */
const KEPT = 4_096;
/** How long a watcher may be away without missing an event. */
const AWAY_MS = 5 * 60_000;

type ToldName =
  | 'delivery_accepted'
  | 'attempt_ended'
  | 'late_answer'
  | 'delivery_settled'
  | 'duplicate_answered'
  | 'request_answered';

const TOLD: ReadonlySet<ServiceEvent['name']> = new Set<ToldName>([
  'delivery_accepted',
  'attempt_ended',
  'late_answer',
  'delivery_settled',
  'duplicate_answered',
  'request_answered',
]);

export type ToldEvent = EventNamed<ToldName>;

export interface LiveEvent {
  /** One more than that of the event before it. */
  readonly number: number;
  /** Wall time. */
  readonly atMs: number;
  readonly event: ToldEvent;
}

interface Watcher {
  readonly onEvent: (event: LiveEvent) => void;
  readonly onClose?: (() => void) | undefined;
}

export interface LiveEventsParts {
  readonly clock: Clock;
  /** The observer gets every event from `join` to `leave`. */
  readonly join: (observer: Observer) => void;
  readonly leave: (observer: Observer) => void;
}

export class LiveEvents implements Observer {
  readonly #parts: LiveEventsParts;
  readonly #watchers = new Set<Watcher>();
  #kept: LiveEvent[] = [];
  /** No event after this number was missed. */
  #completeSince = 0;
  #last = 0;
  #isListening = false;
  #leaving: Timer | undefined;
  #isClosed = false;
  /** Tells the events of this process from those of an earlier one. */
  readonly run: string;

  constructor(parts: LiveEventsParts) {
    this.#parts = parts;
    this.run = Math.floor(parts.clock.wallMs()).toString(36);
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** The number of the newest event. */
  get last(): number {
    return this.#last;
  }

  observe(event: ServiceEvent): void {
    if (!isTold(event)) return;
    this.#last += 1;
    const live: LiveEvent = { number: this.#last, atMs: this.#parts.clock.wallMs(), event };
    this.#kept[live.number % KEPT] = live;
    for (const { onEvent } of this.#watchers) onEvent(live);
  }

  /** The events after that number, oldest first; undefined if some of them are no longer kept. */
  since(number: number): readonly LiveEvent[] | undefined {
    const first = Math.max(this.#completeSince, this.#last - KEPT);
    if (number > this.#last || number < first) return undefined;
    const events: LiveEvent[] = [];
    for (let next = number + 1; next <= this.#last; next += 1) {
      const event = this.#kept[next % KEPT];
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Returns a function that ends it. The watcher must not throw. */
  watch(watcher: Watcher): () => void {
    this.#listen();
    this.#watchers.add(watcher);
    return () => {
      if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.#planLeaving();
    };
  }

  /** The service stops: watchers get nothing more. */
  close(): void {
    this.#isClosed = true;
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const { onClose } of watchers) onClose?.();
    this.#leave();
  }

  #listen(): void {
    this.#leaving?.cancel();
    if (this.#isListening) return;
    this.#isListening = true;
    // Events may have been missed after all earlier numbers.
    this.#last += 1;
    this.#completeSince = this.#last;
    this.#parts.join(this);
  }

  #planLeaving(): void {
    this.#leaving = this.#parts.clock.after(AWAY_MS, () => this.#leave());
  }

  #leave(): void {
    this.#leaving?.cancel();
    this.#isListening = false;
    this.#kept = [];
    this.#parts.leave(this);
  }
}

/** Of the requests, those that were refused. */
function isTold(event: ServiceEvent): event is ToldEvent {
  return TOLD.has(event.name) && !(event.name === 'request_answered' && event.code === undefined);
}
