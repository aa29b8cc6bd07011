// The fate of one try, drawn at random for the weather and the phone's health.

import type { ProviderName } from '../../sandbox/records.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import { ACCEPTED, understood } from '../support/provider-answers.ts';
import type { Health } from './phones.ts';
import type { Random } from './random.ts';
import { canSay, type Meaning, saidWith } from './utterances.ts';
import type { Sky } from './weather.ts';

export interface Fate {
  readonly outcome: Outcome | 'throws';
  readonly endsAfterMs: number;
  /** When the provider takes the push; absent if it never takes it. */
  readonly takenAfterMs?: number;
  /** Its answer, if that comes after the deadline while the stream is open. */
  readonly late?: { readonly outcome: Outcome; readonly afterMs: number };
}

export interface Circumstances {
  readonly provider: ProviderName;
  readonly sky: Sky;
  readonly health: Health;
  /** How long a request may wait before it is written, and then for its answer. */
  readonly waitMs: number;
  readonly timeoutMs: number;
}

/** How long a stream that was not answered in time stays open. */
const LISTENING_MS = 10_000;
const RETRY_AFTERS_S = [1, 2, 5, 10, 30, 60, 120, 3_600] as const;
/** A day with a mixture of all troubles. */
const MIXED: readonly Sky[] = [
  'calm',
  'calm',
  'calm',
  'hanging',
  'slow',
  'dark',
  'failing',
  'overloaded',
  'resetting',
  'losing',
  'throttling',
];

export function drawFate(random: Random, given: Circumstances): Fate {
  const sky = given.sky === 'mixed' ? random.pick(MIXED) : given.sky;
  switch (sky) {
    case 'perfect':
      return answer(random, given);
    case 'calm':
    case 'mixed':
      return random.chance(0.96) ? answer(random, given) : mishap(random, given);
    case 'hanging':
      return hang(random, given, { takenOf: 0.3, answeredOf: 0 });
    case 'slow':
      return slow(random, given);
    case 'dark':
      return quick(random, given, 'not_processed');
    case 'failing':
      return quick(random, given, 'answered');
    case 'overloaded':
      return quick(random, given, 'answered', 0.8);
    case 'throttling':
      return throttle(random, given);
    case 'resetting':
      return cut(random, given, 'unanswered');
    case 'losing':
      return cut(random, given, 'uncertain');
    case 'wrong_environment':
      return quick(random, given, 'unregistered');
    case 'forbidding':
      return quick(random, given, 'misconfigured');
  }
}

/** Small mishaps happen on ordinary days, too. */
function mishap(random: Random, given: Circumstances): Fate {
  const kind = random.choose({
    unanswered: 3,
    uncertain: 3,
    not_processed: 3,
    answered: 2,
    throttled: 4,
    message: 1,
    throws: 1,
    late: 2,
    not_started: 1,
  });
  switch (kind) {
    case 'unanswered':
    case 'uncertain':
      return cut(random, given, kind);
    case 'not_processed':
    case 'answered':
      return quick(random, given, kind);
    case 'throttled':
      return throttle(random, given);
    case 'message':
      return quick(random, given, 'rejected_message');
    case 'throws': {
      const isTaken = random.chance(0.5) && given.health === 'good';
      return { outcome: 'throws', endsAfterMs: 20, ...(isTaken ? { takenAfterMs: 10 } : {}) };
    }
    case 'late':
      return hang(random, given, { takenOf: 0.6, answeredOf: 0.5 });
    case 'not_started': {
      const outcome = speak(random, given, 'not_started');
      return { outcome, endsAfterMs: given.waitMs };
    }
  }
}

/** The answer that fits the phone's health. */
function answer(random: Random, given: Circumstances): Fate {
  const endsAfterMs = random.between(15, 150);
  const { health } = given;
  switch (health) {
    case 'good': {
      const outcome = understood(given.provider, ACCEPTED[given.provider]);
      return { outcome, endsAfterMs, takenAfterMs: random.between(5, endsAfterMs) };
    }
    case 'dead':
      return quick(random, given, 'unregistered');
    case 'bad':
      return quick(random, given, 'rejected_token');
    case 'foreign':
      return quick(random, given, 'rejected_sender');
  }
}

/** A 429, with or without the name of the quota, and with or without a time to wait. */
function throttle(random: Random, given: Circumstances): Fate {
  const meanings = (['throttled_token', 'throttled_project', 'throttled'] as const).filter(
    (meaning) => canSay(given.provider, meaning),
  );
  return quick(random, given, random.pick(meanings), 0.6);
}

function quick(random: Random, given: Circumstances, meaning: Meaning, retryAfterOf = 0): Fate {
  const retryAfterS = random.chance(retryAfterOf) ? random.pick(RETRY_AFTERS_S) : undefined;
  const outcome = speak(random, given, meaning, retryAfterS);
  return { outcome, endsAfterMs: random.between(1, 80) };
}

/** The stream or the connection breaks after the request was written. */
function cut(random: Random, given: Circumstances, meaning: 'unanswered' | 'uncertain'): Fate {
  const endsAfterMs = random.between(5, 200);
  const isTaken = random.chance(0.4) && given.health === 'good';
  return {
    outcome: speak(random, given, meaning),
    endsAfterMs,
    ...(isTaken ? { takenAfterMs: random.between(1, endsAfterMs) } : {}),
  };
}

function slow(random: Random, given: Circumstances): Fate {
  const endsAfterMs = random.between(800, 4_000);
  const answered = answer(random, given);
  if (endsAfterMs < given.timeoutMs) return { ...answered, endsAfterMs };
  return late(random, given, answered, endsAfterMs);
}

/** No answer before the deadline: none at all, a later one, or one that was lost with the connection. */
function hang(
  random: Random,
  given: Circumstances,
  odds: { readonly takenOf: number; readonly answeredOf: number },
): Fate {
  const { timeoutMs } = given;
  if (random.chance(odds.answeredOf)) {
    const afterMs = timeoutMs + random.between(1, LISTENING_MS - 1);
    return late(random, given, answer(random, given), afterMs);
  }
  const isTaken = random.chance(odds.takenOf) && given.health === 'good';
  const takenAfterMs = random.between(10, timeoutMs + LISTENING_MS);
  return {
    outcome: speak(random, given, 'unanswered'),
    endsAfterMs: timeoutMs,
    ...(isTaken ? { takenAfterMs } : {}),
  };
}

function late(random: Random, given: Circumstances, answered: Fate, afterMs: number): Fate {
  const { outcome, takenAfterMs } = answered;
  if (outcome === 'throws') throw new Error('a late answer is an answer');
  return {
    outcome: understood(given.provider, { failure: 'timeout' }),
    endsAfterMs: given.timeoutMs,
    late: { outcome, afterMs },
    ...(takenAfterMs === undefined ? {} : { takenAfterMs: random.between(10, afterMs) }),
  };
}

/** One of the answers of this provider that have this meaning. */
function speak(
  random: Random,
  { provider }: Circumstances,
  meaning: Meaning,
  retryAfterS?: number,
): Outcome {
  const { said, outcome } = random.pick(saidWith(provider, meaning));
  if (retryAfterS === undefined || 'failure' in said) return outcome;
  const headers = { ...said.headers, 'retry-after': String(retryAfterS) };
  return understood(provider, { ...said, headers });
}
