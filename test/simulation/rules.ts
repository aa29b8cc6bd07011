// The rules of a run: what must hold whenever a try begins, and whenever a caller is answered.

import type { AnswerRules } from './answer-rules.ts';
import type { AttemptRules } from './attempt-rules.ts';
import type { Journal } from './journal.ts';
import type { PunctualityRules } from './punctuality-rules.ts';
import type { Timeline } from './timeline.ts';
import type { Weather } from './weather.ts';

export interface RulesParts {
  readonly timeline: Timeline;
  readonly weather: Weather;
  readonly journal: Journal;
}

export interface Rules {
  readonly attempts: AttemptRules;
  readonly punctuality: PunctualityRules;
  readonly answers: AnswerRules;
}

/**
 * The end of a useful life, in which a delivery is sent whatever the state of the breaker: half a second, plus half a
 * second by which a read of the store can make the life shorter than it seems from outside.
 */
export const LAST_MOMENT_MS = 1_100;
