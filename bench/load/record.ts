// What became of every call of a run, by its number: plain arrays, so that noting costs nothing.

export const OUTCOMES = ['none', 'delivered', 'queued', 'refused', 'other', 'broken'] as const;
export type CallOutcome = (typeof OUTCOMES)[number];

export interface LoadRecord {
  readonly firstNumber: number;
  /** When the schedule wanted the call written; in a closed loop, when it was written. µs. */
  readonly dueUs: Float64Array;
  readonly writtenUs: Float64Array;
  /** NaN while there is no answer. */
  readonly answeredUs: Float64Array;
  /** Positions in `OUTCOMES`. */
  readonly outcomes: Uint8Array;
  /** HTTP statuses and how often each came. */
  readonly statuses: Record<string, number>;
}

export function createRecord(firstNumber: number, count: number): LoadRecord {
  return {
    firstNumber,
    dueUs: new Float64Array(count).fill(Number.NaN),
    writtenUs: new Float64Array(count).fill(Number.NaN),
    answeredUs: new Float64Array(count).fill(Number.NaN),
    outcomes: new Uint8Array(count),
    statuses: {},
  };
}

/** Other gateways answer 200 without a word about the push. */
export function outcomeOf(answer: { readonly status: number; readonly body: string }): CallOutcome {
  if (answer.status === 0) return 'broken';
  if (answer.status === 429 || answer.status === 503) return 'refused';
  if (answer.status !== 200) return 'other';
  if (answer.body.includes('"queued"')) return 'queued';
  return answer.body.includes('"duplicate"') ? 'other' : 'delivered';
}

export function codeOf(outcome: CallOutcome): number {
  return OUTCOMES.indexOf(outcome);
}

/** How often each outcome came; those that never did are left out. */
export function countOutcomes(codes: Uint8Array): Partial<Record<CallOutcome, number>> {
  const counts: Partial<Record<CallOutcome, number>> = {};
  for (const code of codes) {
    const name = OUTCOMES[code] ?? 'none';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
