// What happens when sending to an endpoint fails: when it is tried again, what the log says, and when it is given up.

import type { Clock } from '../ports/clock.ts';
import type { DisabledReason, Progress } from '../ports/events.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer } from '../ports/observer.ts';
import type { Sent } from './calls.ts';
import { GIVE_UP_MS, MAX_REFUSALS, retryDelayMs, warningsDue } from './schedule.ts';

export interface FailuresParts {
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'fraction'>;
  readonly observer: Observer;
}

/** The progress of an endpoint after an attempt. */
export interface Concluded {
  readonly progress: Progress;
  /** The event was delivered, or is skipped. */
  readonly isOver: boolean;
  readonly isSkipped: boolean;
  readonly disabledReason?: DisabledReason | undefined;
}

export class Failures {
  readonly #parts: FailuresParts;
  readonly #endpointId: string;
  #count = 0;
  #warned: number;
  #reason: string | undefined;

  constructor(parts: FailuresParts, endpointId: string, progress: Progress) {
    this.#parts = parts;
    this.#endpointId = endpointId;
    this.#warned = warningsDue(this.#forMs(progress));
  }

  /** Of the last attempt; absent if it succeeded. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** `cursor` is the endpoint's new position if this event needs no further attempt. */
  conclude({ verdict }: Sent, before: Progress, cursor: number): Concluded {
    const refused = before.refused + (verdict === 'refused' ? 1 : 0);
    const isOver = verdict === 'delivered' || refused >= MAX_REFUSALS;
    const sinceMs = before.failingSinceMs ?? this.#parts.clock.wallMs();
    const progress = {
      cursor: isOver ? cursor : before.cursor,
      failingSinceMs: verdict === 'delivered' ? undefined : sinceMs,
      refused: isOver ? 0 : refused,
    };
    const isLost = verdict !== 'delivered' && this.#forMs(progress) >= GIVE_UP_MS;
    const disabledReason = verdict === 'gone' ? 'gone' : isLost ? 'failing' : undefined;
    return { progress, isOver, isSkipped: isOver && verdict !== 'delivered', disabledReason };
  }

  /** The event was delivered. */
  succeeded(): void {
    this.#count = 0;
    this.#warned = 0;
    this.#reason = undefined;
  }

  /** Starts the schedule again for the next event, after a skipped event and after a change. */
  restart(): void {
    this.#count = 0;
  }

  /** Another machine sends and warns instead. */
  follow(progress: Progress): void {
    this.#warned = warningsDue(this.#forMs(progress));
    if (progress.failingSinceMs === undefined) this.#reason = undefined;
  }

  /** Counts a failure, warns, and says how long to wait. */
  failed({ reason = 'unknown', retryAfterMs }: Sent, progress: Progress): number {
    const { ids, observer } = this.#parts;
    this.#count += 1;
    this.#reason = reason;
    const endpointId = this.#endpointId;
    const failingForMs = this.#forMs(progress);
    const due = warningsDue(failingForMs);
    if (due > this.#warned) {
      this.#warned = due;
      observer.observe({ name: 'endpoint_failing', endpointId, reason, failingForMs });
    }
    return retryDelayMs(this.#count, { fraction: ids.fraction(), retryAfterMs });
  }

  /** Whether no attempt failed since the last success or change. */
  get isFirst(): boolean {
    return this.#count === 0;
  }

  #forMs({ failingSinceMs }: Progress): number {
    if (failingSinceMs === undefined) return 0;
    return Math.round(this.#parts.clock.wallMs() - failingSinceMs);
  }
}
