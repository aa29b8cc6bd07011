// What happens now, as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html): deliveries,
// attempts and refused calls. A reader that was cut off names the last event it got, and gets the events since then.

import { streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { ServiceError } from '../../core/errors.ts';
import type { LiveEvent, LiveEvents, ToldEvent } from '../../core/operating/live-events.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { HttpContext } from '../context.ts';
import type { OperatorParts } from './parts.ts';
import { checkQuery, isoOf } from './query.ts';

const MAX_READERS = 20;
/** How many events a reader may be behind; a slower one is cut off and may come back. */
const MAX_BEHIND = 5_000;
/** Below the idle limits of proxies: 60 s as a rule. */
const HEARTBEAT_MS = 15_000;
const RETRY_MS = 2_000;

const EVENTS = ['delivery', 'attempt', 'refusal'] as const;
type EventName = (typeof EVENTS)[number];

export const streamQuery = z.strictObject({
  /** Only these events, separated by commas; all if absent. */
  events: z
    .string()
    .transform((value) => value.split(','))
    .pipe(z.array(z.enum(EVENTS, `must be some of ${EVENTS.join(', ')}`)))
    .optional(),
});

/** The `data` of an event. Which fields it has depends on the event. */
export const streamEvent = z.looseObject({ at: z.iso.datetime(), event: z.string() });

/** GET /api/v1/stream */
export function handleStream(
  { clock, events }: Pick<OperatorParts, 'clock' | 'events'>,
  c: HttpContext,
): Response {
  const { events: wanted = EVENTS } = checkQuery(streamQuery, c);
  if (c.req.method === 'HEAD') return c.body(null, 200, { 'Content-Type': 'text/event-stream' });
  if (events.isClosed) throw new ServiceError('shutting_down', { retryAfterSeconds: 1 });
  if (events.watchers >= MAX_READERS) {
    const detail = `${MAX_READERS} readers already have the stream.`;
    throw new ServiceError('overloaded', { detail, limit: 'stream_readers', retryAfterSeconds: 5 });
  }
  const { outgoing, principal } = c.env;
  const endsInMs = principal?.endsAt && principal.endsAt * 1_000 - clock.wallMs();
  const onSlow = () => outgoing.destroy();
  const reader = new Reader({ clock, events, wanted, onSlow, endsInMs });
  outgoing.once('close', () => reader.end());
  reader.start(c.req.header('last-event-id'));
  const response = streamSSE(c, async (stream) => {
    stream.onAbort(() => reader.end());
    for (;;) {
      const text = await reader.next();
      if (text === undefined) return;
      await stream.write(text);
    }
  });
  response.headers.set('Cache-Control', 'no-store');
  // Proxies that buffer answers (nginx) let this one through.
  response.headers.set('X-Accel-Buffering', 'no');
  return response;
}

interface ReaderOptions {
  readonly clock: Clock;
  readonly events: LiveEvents;
  readonly wanted: readonly EventName[];
  readonly onSlow: () => void;
  /** Of the reader's session. */
  readonly endsInMs: number | undefined;
}

/** What one reader has not got yet. */
class Reader {
  readonly #options: ReaderOptions;
  #waiting: string[] = [];
  #wake: (() => void) | undefined;
  #isOver = false;
  #unwatch: (() => void) | undefined;
  #heartbeat: { cancel(): void } | undefined;
  #ending: { cancel(): void } | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** `lastId` is of this run of the service or an earlier one, or invented. */
  start(lastId: string | undefined): void {
    const { events } = this.#options;
    this.#add(`retry: ${RETRY_MS}\n\n`);
    if (lastId !== undefined) this.#catchUp(lastId);
    this.#unwatch = events.watch({
      onEvent: (event) => this.#tell(event),
      onClose: () => this.end(),
    });
    this.#planHeartbeat();
    const { clock, endsInMs } = this.#options;
    if (endsInMs !== undefined) this.#ending = clock.after(endsInMs, () => this.end());
  }

  /** The next piece to write, with everything that waits; undefined at the end. */
  async next(): Promise<string | undefined> {
    if (this.#waiting.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#waiting.length === 0) return undefined;
    const text = this.#waiting.join('');
    this.#waiting = [];
    return text;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#unwatch?.();
    this.#heartbeat?.cancel();
    this.#ending?.cancel();
    this.#wake?.();
  }

  #catchUp(lastId: string): void {
    const { events } = this.#options;
    const [run, number = ''] = lastId.split('-');
    const isOurs = run === events.run && /^\d{1,15}$/.test(number);
    const missed = isOurs ? events.since(Number(number)) : undefined;
    if (missed === undefined) {
      // The reader has to read the lists for what it missed.
      this.#add(`event: gap\nid: ${events.run}-${events.last}\ndata: {}\n\n`);
      return;
    }
    for (const event of missed) this.#tell(event);
  }

  #tell({ number, atMs, event }: LiveEvent): void {
    const { wanted, events } = this.#options;
    const { name, data } = describe(event);
    if (!wanted.includes(name)) return;
    const text = JSON.stringify({ at: isoOf(atMs), ...data });
    this.#add(`event: ${name}\nid: ${events.run}-${number}\ndata: ${text}\n\n`);
  }

  #add(text: string): void {
    if (this.#isOver) return;
    if (this.#waiting.length >= MAX_BEHIND) {
      this.#waiting = [];
      this.end();
      this.#options.onSlow();
      return;
    }
    this.#waiting.push(text);
    this.#wake?.();
  }

  #planHeartbeat(): void {
    this.#heartbeat = this.#options.clock.after(HEARTBEAT_MS, () => {
      if (this.#waiting.length === 0) this.#add(': alive\n\n');
      if (!this.#isOver) this.#planHeartbeat();
    });
  }
}

/** Only words of our own tables, ids and numbers. */
function describe(event: ToldEvent): { readonly name: EventName; readonly data: object } {
  switch (event.name) {
    case 'delivery_accepted':
    case 'delivery_settled':
      return { name: 'delivery', data: describeDelivery(event) };
    case 'duplicate_answered': {
      const { deliveryId: delivery_id, type } = event;
      return { name: 'delivery', data: { event: 'repeated', delivery_id, type } };
    }
    case 'attempt_ended': {
      const { deliveryId: delivery_id, app, provider, type, number, outcome, reason } = event;
      const latency_ms = event.latencyMs;
      const what = { event: 'ended', delivery_id, app, provider, type, number };
      return { name: 'attempt', data: { ...what, latency_ms, outcome, reason } };
    }
    case 'late_answer': {
      const { deliveryId: delivery_id, app, provider, outcome, sinceStartMs: latency_ms } = event;
      const data = { event: 'answered_late', delivery_id, app, provider, latency_ms, outcome };
      return { name: 'attempt', data };
    }
    case 'request_answered': {
      const { requestId: request_id, method, route, status, code } = event;
      return {
        name: 'refusal',
        data: { event: 'refused', request_id, method, route, status, code },
      };
    }
  }
}

function describeDelivery(
  event: Extract<ToldEvent, { readonly name: 'delivery_accepted' | 'delivery_settled' }>,
): object {
  const { deliveryId: delivery_id, app, provider, type } = event;
  const common = { delivery_id, app, provider, type };
  if (event.name === 'delivery_accepted') return { event: 'accepted', ...common };
  const { status, reason, attempts, sinceReceiptMs: since_receipt_ms } = event;
  return { event: 'settled', ...common, status, reason, attempts, since_receipt_ms };
}
