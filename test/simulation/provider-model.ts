// A provider as the Provider port shows it, with all that can happen between a try and its answer. The model
// outlives the processes: it knows which pushes it truly took, whatever anybody was told.

import type { Outcome } from '../../src/core/outcome.ts';
import type { PreparedPush, Provider, PushMessage, Trust } from '../../src/core/ports/provider.ts';
import type { ProviderName } from '../../src/core/target.ts';
import type { AttemptRecord, Journal } from './journal.ts';
import type { Phones } from './phones.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';
import { type Sky, spanAt, type Weather } from './weather.ts';

const READY = { ready: true } as const;

/** What becomes of one try. */
interface Fate {
  readonly outcome: Outcome | 'throws';
  readonly endsAfterMs: number;
  /** When the provider takes the push; absent if it never does. */
  readonly takenAfterMs?: number;
}

/** The process that sends, as the model needs it. */
export interface Sending {
  isAlive(): boolean;
  /** The core prepares a message. */
  prepared(message: PushMessage): void;
  /** It sends one; gives the record of the try. */
  started(message: PushMessage, provider: ProviderName, trust: Trust): AttemptRecord;
  /** It was told of the end. */
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
        return {
          excessBytes: 0,
          send: ({ timeoutMs, trust }) => this.#send(sending, message, { timeoutMs, trust }),
        };
      },
      warm: () => Promise.resolve(READY),
      health: () => READY,
      close: () => Promise.resolve(),
    };
  }

  #send(
    sending: Sending,
    message: PushMessage,
    { timeoutMs, trust }: { readonly timeoutMs: number; readonly trust: Trust },
  ): Promise<Outcome> {
    const { timeline, journal, name } = this.#parts;
    const attempt = sending.started(message, name, trust);
    const fate = this.#drawFate(message.token, timeoutMs);
    if (fate.takenAfterMs !== undefined) {
      timeline.after(fate.takenAfterMs, () => this.#take(message, attempt));
    }
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    timeline.after(fate.endsAfterMs, () => {
      if (!sending.isAlive()) return;
      attempt.endedAtMs = timeline.nowMs;
      attempt.outcome = fate.outcome === 'throws' ? ADAPTER_FAILED : fate.outcome;
      sending.ended(attempt);
      const reason = 'reason' in attempt.outcome ? attempt.outcome.reason : '';
      journal.note('ended', `${message.id} ${attempt.outcome.kind} ${reason}`);
      journal.count(`outcome_${attempt.outcome.kind}`);
      if (fate.outcome === 'throws') reject(new Error('the adapter failed'));
      else resolve(fate.outcome);
    });
    return promise;
  }

  #take(message: PushMessage, attempt: AttemptRecord): void {
    const { journal, timeline, onTaken } = this.#parts;
    attempt.takenAtMs = timeline.nowMs;
    journal.note('taken', message.id);
    journal.count('taken');
    onTaken(message, attempt);
  }

  #drawFate(token: string, timeoutMs: number): Fate {
    const { weather, timeline, name, random } = this.#parts;
    const sky = spanAt(weather.skies[name], timeline.nowMs)?.sky ?? 'calm';
    this.#parts.journal.count(`sky_${sky}`);
    const kind = sky === 'mixed' ? random.pick(MIXED) : sky;
    const calm = timeline.nowMs >= weather.untilMs;
    return kind === 'calm'
      ? this.#calm(token, timeoutMs, calm)
      : this.#stormy(kind, token, timeoutMs);
  }

  /** Ordinary days have their small mishaps, too. */
  #calm(token: string, timeoutMs: number, isPerfect: boolean): Fate {
    const { random } = this.#parts;
    if (isPerfect || random.chance(0.96)) return this.#answer(token);
    const mishap = random.choose({
      reset: 3,
      goaway: 3,
      throttled: 4,
      failing_500: 2,
      message: 1,
      throws: 1,
      hanging: 2,
      stalled: 1,
    });
    switch (mishap) {
      case 'reset':
        return this.#lost(this.#mayTake(token, 0.5));
      case 'goaway':
        return { outcome: later('goaway', 'not_processed'), endsAfterMs: random.between(1, 60) };
      case 'throttled':
        return {
          outcome: later('TooManyRequests', 'throttled', this.#retryAfter(0.6)),
          endsAfterMs: random.between(10, 100),
        };
      case 'failing_500':
        return { outcome: later('InternalServerError', 'answered'), endsAfterMs: 30 };
      case 'message':
        return {
          outcome: { kind: 'rejected', reason: 'BadPriority', blame: 'message' },
          endsAfterMs: 30,
        };
      case 'throws':
        return {
          outcome: 'throws',
          endsAfterMs: 20,
          ...(this.#mayTake(token, 0.5) ? { takenAfterMs: 10 } : {}),
        };
      case 'hanging':
        return this.#hang(timeoutMs, this.#mayTake(token, 0.5));
      case 'stalled':
        return { outcome: later('timeout_waiting', 'not_started'), endsAfterMs: timeoutMs };
    }
  }

  #stormy(sky: Exclude<Sky, 'calm' | 'mixed'>, token: string, timeoutMs: number): Fate {
    const { random } = this.#parts;
    const quick = random.between(5, 80);
    switch (sky) {
      case 'hanging':
        return this.#hang(timeoutMs, this.#mayTake(token, 0.1));
      case 'slow':
        return this.#slow(token, timeoutMs);
      case 'dark':
        return { outcome: later('connection_refused', 'not_processed'), endsAfterMs: 1 };
      case 'failing_500':
        return { outcome: later('InternalServerError', 'answered'), endsAfterMs: quick };
      case 'failing_503':
        return { outcome: later('ServiceUnavailable', 'answered'), endsAfterMs: quick };
      case 'overloaded':
        return {
          outcome: later('ServiceUnavailable', 'answered', this.#retryAfter(0.8)),
          endsAfterMs: quick,
        };
      case 'resetting':
        return this.#lost(this.#mayTake(token, 0.4));
      case 'wrong_environment':
        return { outcome: { kind: 'unregistered', reason: 'Unregistered' }, endsAfterMs: quick };
      case 'forbidding':
        return {
          outcome: { kind: 'misconfigured', reason: 'InvalidProviderToken' },
          endsAfterMs: quick,
        };
    }
  }

  #answer(token: string): Fate {
    const { random, phones, timeline } = this.#parts;
    const endsAfterMs = random.between(15, 150);
    switch (phones.healthOf(token, timeline.nowMs)) {
      case 'good':
        return {
          outcome: { kind: 'delivered' },
          endsAfterMs,
          takenAfterMs: random.between(5, endsAfterMs),
        };
      case 'dead':
        return {
          outcome: { kind: 'unregistered', reason: 'Unregistered', sinceMs: 1 },
          endsAfterMs,
        };
      case 'bad':
        return {
          outcome: { kind: 'rejected', reason: 'BadDeviceToken', blame: 'token' },
          endsAfterMs,
        };
      case 'foreign':
        return {
          outcome: { kind: 'rejected', reason: 'DeviceTokenNotForTopic', blame: 'sender' },
          endsAfterMs,
        };
    }
  }

  #slow(token: string, timeoutMs: number): Fate {
    const endsAfterMs = this.#parts.random.between(800, 3_000);
    const answer = this.#answer(token);
    if (endsAfterMs < timeoutMs) return { ...answer, endsAfterMs };
    return this.#hang(timeoutMs, this.#mayTake(token, 1));
  }

  /** Whether a try whose end nobody hears of is a push all the same. */
  #mayTake(token: string, probability: number): boolean {
    const { random, phones, timeline } = this.#parts;
    return random.chance(probability) && phones.healthOf(token, timeline.nowMs) === 'good';
  }

  /** After the deadline an attempt can no more be taken: its stream is gone. */
  #hang(timeoutMs: number, isTaken: boolean): Fate {
    const { random } = this.#parts;
    return {
      outcome: later('timeout', 'uncertain'),
      endsAfterMs: timeoutMs,
      ...(isTaken ? { takenAfterMs: random.between(10, timeoutMs) } : {}),
    };
  }

  #lost(isTaken: boolean): Fate {
    const { random } = this.#parts;
    const endsAfterMs = random.between(5, 200);
    return {
      outcome: later('connection_lost', 'uncertain'),
      endsAfterMs,
      ...(isTaken ? { takenAfterMs: random.between(1, endsAfterMs) } : {}),
    };
  }

  #retryAfter(probability: number): number | undefined {
    const { random } = this.#parts;
    return random.chance(probability) ? random.whole(1, 25) * 1_000 : undefined;
  }
}

const MIXED = [
  'calm',
  'calm',
  'calm',
  'hanging',
  'slow',
  'dark',
  'failing_500',
  'failing_503',
  'overloaded',
  'resetting',
] as const;

/** What the core makes of an adapter that rejects. */
const ADAPTER_FAILED: Outcome = {
  kind: 'retry',
  reason: 'adapter_failed',
  certainty: 'uncertain',
};

function later(
  reason: string,
  certainty: Extract<Outcome, { kind: 'retry' }>['certainty'],
  retryAfterMs?: number,
): Outcome {
  return {
    kind: 'retry',
    reason,
    certainty,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
