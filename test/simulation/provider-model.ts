// A provider behind the Provider port, with everything that can happen between a try and its answer. The model outlives
// the processes: it knows which pushes it really took, whatever a process was told.

import type { ProviderName } from '../../sandbox/records.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import type {
  PreparedPush,
  Provider,
  PushMessage,
  PushOptions,
  Trust,
} from '../../src/core/ports/provider.ts';
import { drawFate, type Fate } from './fates.ts';
import type { AttemptRecord, Journal } from './journal.ts';
import type { Phones } from './phones.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';
import { spanAt, type Weather } from './weather.ts';

const READY = { ready: true } as const;

/** The process that sends, as the model needs it. */
export interface Sending {
  /** Runs the task when the process runs, and never if it is dead. */
  whenRunning(task: () => void): void;
  /** Called when the core prepares a message. */
  prepared(message: PushMessage): void;
  /** Called when it sends one; returns the record of the try. */
  started(message: PushMessage, provider: ProviderName, trust: Trust): AttemptRecord;
  /** Called when it learns the end. */
  ended(attempt: AttemptRecord): void;
}

export interface ProviderModelParts {
  readonly name: ProviderName;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly weather: Weather;
  readonly phones: Phones;
  readonly journal: Journal;
  /** A phone got a push. */
  readonly onTaken: (message: PushMessage, attempt: AttemptRecord) => void;
}

export class ProviderModel {
  readonly #parts: ProviderModelParts;

  constructor(parts: ProviderModelParts) {
    this.#parts = parts;
  }

  /** The port for one process. */
  connect(sending: Sending): Provider {
    return {
      name: this.#parts.name,
      prepare: (message): PreparedPush => {
        sending.prepared(message);
        return { excessBytes: 0, send: (options) => this.#send(sending, message, options) };
      },
      warm: () => Promise.resolve(READY),
      health: () => READY,
      traffic: () => ({ streams: 0, connectionsOpened: 0, connectionsFailed: 0 }),
      close: () => Promise.resolve(),
    };
  }

  #send(sending: Sending, message: PushMessage, options: PushOptions): Promise<Outcome> {
    const { timeline, name } = this.#parts;
    const attempt = sending.started(message, name, options.trust);
    const fate = this.#drawFate(message.token, options);
    if (fate.takenAfterMs !== undefined) {
      timeline.after(fate.takenAfterMs, () => this.#take(message, attempt));
    }
    const { late } = fate;
    const lateAtMs = timeline.nowMs + (late?.afterMs ?? Infinity);
    if (late !== undefined) {
      attempt.late = { outcome: late.outcome, atMs: lateAtMs };
      timeline.after(late.afterMs, () =>
        sending.whenRunning(() => this.#answerLate(attempt, options)),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    timeline.after(fate.endsAfterMs, () =>
      sending.whenRunning(() => {
        // A process that was stopped reads what arrived meanwhile before it acts on its deadline.
        const outcome = timeline.nowMs < lateAtMs ? fate.outcome : (late?.outcome ?? fate.outcome);
        if (timeline.nowMs >= lateAtMs) delete attempt.late;
        this.#end(attempt, outcome);
        sending.ended(attempt);
        if (outcome === 'throws') reject(new Error(ADAPTER_FAULT));
        else resolve(outcome);
      }),
    );
    return promise;
  }

  #end(attempt: AttemptRecord, outcome: Fate['outcome']): void {
    const { timeline, journal } = this.#parts;
    attempt.endedAtMs = timeline.nowMs;
    attempt.hasThrown = outcome === 'throws';
    attempt.outcome = outcome === 'throws' ? ADAPTER_FAILED : outcome;
    const { kind } = attempt.outcome;
    const reason = 'reason' in attempt.outcome ? attempt.outcome.reason : '';
    journal.note('ended', `${attempt.delivery.id} ${kind} ${reason}`);
    journal.count(outcome === 'throws' ? 'outcome_throws' : `outcome_${kind}`);
    if (attempt.outcome.kind === 'retry') journal.count(`retry_${attempt.outcome.certainty}`);
  }

  #answerLate(attempt: AttemptRecord, options: PushOptions): void {
    const { late, delivery } = attempt;
    if (late === undefined) return;
    this.#parts.journal.note('late', `${delivery.id} ${late.outcome.kind}`);
    this.#parts.journal.count(`late_${late.outcome.kind}`);
    options.onLate?.(late.outcome);
  }

  #take(message: PushMessage, attempt: AttemptRecord): void {
    const { journal, timeline, onTaken } = this.#parts;
    attempt.takenAtMs = timeline.nowMs;
    journal.note('taken', message.id);
    journal.count('taken');
    onTaken(message, attempt);
  }

  #drawFate(token: string, { waitMs, timeoutMs }: PushOptions): Fate {
    const { weather, timeline, name, random, phones, journal } = this.#parts;
    const { nowMs } = timeline;
    const sky =
      nowMs >= weather.untilMs ? 'perfect' : (spanAt(weather.skies[name], nowMs)?.sky ?? 'calm');
    journal.count(`sky_${sky}`);
    const health = phones.healthOf(token, nowMs);
    return drawFate(random, { provider: name, sky, health, waitMs, timeoutMs });
  }
}

const ADAPTER_FAULT = 'the adapter failed, as the simulation wants it';

/** Whether the error is one that the model threw on purpose. */
export function isThrownByModel(cause: unknown): boolean {
  return cause instanceof Error && cause.message === ADAPTER_FAULT;
}

/** The outcome that the core gives an adapter that throws. */
const ADAPTER_FAILED: Outcome = { kind: 'rejected', reason: 'internal_error', blame: 'message' };
