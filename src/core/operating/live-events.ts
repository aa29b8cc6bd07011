// What happens now, for those who watch: deliveries, attempts and refused calls, with the newest of them kept for a
// watcher that was cut off.

import type { Clock } from '../ports/clock.ts';
import type { EventNamed, Observer, ServiceEvent } from '../ports/observer.ts';

/** About ten seconds of a hundred pushes a second. */
const KEPT = 4_096;

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

export class LiveEvents implements Observer {
  readonly #clock: Clock;
  readonly #kept: LiveEvent[] = [];
  readonly #watchers = new Set<Watcher>();
  #last = 0;
  #isClosed = false;
  /** Tells the events of this process from those of an earlier one. */
  readonly run: string;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.run = Math.floor(clock.wallMs()).toString(36);
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
    const live: LiveEvent = { number: this.#last, atMs: this.#clock.wallMs(), event };
    this.#kept[live.number % KEPT] = live;
    for (const { onEvent } of this.#watchers) onEvent(live);
  }

  /** The events after that number, oldest first; nothing if some of them are not kept any more. */
  since(number: number): readonly LiveEvent[] | undefined {
    if (number > this.#last || number < this.#last - KEPT) return undefined;
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
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** The service stops: nobody is told anything more. */
  close(): void {
    this.#isClosed = true;
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const { onClose } of watchers) onClose?.();
  }
}

/** Of the requests, those that were refused. */
function isTold(event: ServiceEvent): event is ToldEvent {
  return TOLD.has(event.name) && !(event.name === 'request_answered' && event.code === undefined);
}
