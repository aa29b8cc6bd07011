// One call to an endpoint: body, signature, what its answer means, and how fast the next one may follow.

import type { Clock } from '../ports/clock.ts';
import type {
  AttemptNote,
  Endpoint,
  EndpointAttempt,
  EventSender,
  VendorEvent,
} from '../ports/events.ts';
import type { Observer } from '../ports/observer.ts';
import { bodyOf, MAX_BODY_BYTES } from './body.ts';
import { isOverloaded, type SendVerdict, verdictOf } from './schedule.ts';
import { signedHeaders } from './signature.ts';

/** After a receiver that cannot keep up: from one event each 100 ms to one each 10 s. */
const SLOW_FROM_MS = 100;
const SLOWEST_MS = 10_000;

export interface EventCallsParts {
  readonly clock: Clock;
  readonly sender: EventSender;
  readonly observer: Observer;
  /** The user for whom a device is registered now. */
  readonly userOf: (deviceId: string) => Promise<string | undefined>;
}

/** What became of one call, or of one mail. */
export interface Sent {
  readonly verdict: SendVerdict;
  /** The status of HTTP or SMTP; absent without an answer. */
  readonly status?: number | undefined;
  /** Absent for a success. */
  readonly reason?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly latencyMs: number;
}

export class EventCalls {
  readonly #parts: EventCallsParts;
  #gapMs = 0;
  #wake: (() => void) | undefined;

  constructor(parts: EventCallsParts) {
    this.#parts = parts;
  }

  /** Waits as long as the receiver needs after the last call. */
  async pace(): Promise<void> {
    if (this.#gapMs === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = this.#parts.clock.after(this.#gapMs, resolve);
    await promise;
    timer.cancel();
    this.#wake = undefined;
  }

  stop(): void {
    this.#wake?.();
  }

  /** Rejects only if the user of the device cannot be read. */
  async send({ url, secrets }: Endpoint, event: VendorEvent, given?: string): Promise<Sent> {
    const { clock, sender, observer, userOf } = this.#parts;
    const { id, type, deviceId } = event;
    const user = deviceId === undefined ? undefined : await userOf(deviceId);
    const body = given ?? bodyOf(event, user);
    if (Buffer.byteLength(body) > MAX_BODY_BYTES) throw new RangeError('an event is too large');
    const startedAtMs = clock.nowMs();
    const headers = signedHeaders({ id, wallMs: clock.wallMs(), body }, secrets);
    const result = await sender.send({ url, headers, body });
    const latencyMs = clock.nowMs() - startedAtMs;
    const verdict = verdictOf(result);
    if (isOverloaded(result)) {
      this.#gapMs = Math.min(SLOWEST_MS, Math.max(SLOW_FROM_MS, 2 * this.#gapMs));
    } else if (verdict === 'delivered') {
      this.#gapMs = this.#gapMs > SLOW_FROM_MS ? this.#gapMs / 2 : 0;
    }
    observer.observe({ name: 'event_sent', type, outcome: verdict, latencyMs });
    if (result.kind === 'failed') return { verdict, reason: result.reason, latencyMs };
    const { status, retryAfterMs } = result;
    const reason = verdict === 'delivered' ? undefined : `http_${status}`;
    return { verdict, status, reason, retryAfterMs, latencyMs };
  }
}

/** The attempt as the store keeps it. */
export function noteOf(
  { id: endpointId }: Endpoint,
  { id: eventId, type }: Pick<EndpointAttempt, 'type'> & { readonly id: string },
  { sent, atMs, isSkipped = false }: { sent: Sent; atMs: number; isSkipped?: boolean },
): AttemptNote {
  const { verdict, status, reason, latencyMs } = sent;
  const failed = isSkipped ? 'skipped' : 'failed';
  const outcome = verdict === 'delivered' ? 'delivered' : failed;
  return { endpointId, attempt: { eventId, type, atMs, latencyMs, outcome, status, reason } };
}
