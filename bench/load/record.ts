// The outcome of every call of a run, by its number: plain arrays, so that recording costs almost nothing.

/** `accepted` is the status 200, whatever the body contains; `refused` any other answer; `broken` no answer. */
export const OUTCOMES = ['none', 'accepted', 'refused', 'broken'] as const;
export type CallOutcome = (typeof OUTCOMES)[number];

export interface LoadRecord {
  readonly firstNumber: number;
  /** When the call was due by the schedule; in a closed loop, when it was written. µs. */
  readonly dueUs: Float64Array;
  readonly writtenUs: Float64Array;
  /** NaN while there is no answer. */
  readonly answeredUs: Float64Array;
  /** Positions in `OUTCOMES`. */
  readonly outcomes: Uint8Array;
  /** How often each HTTP status came, combined with `Delivery-Status`. */
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

export function outcomeOf(status: number): CallOutcome {
  if (status === 0) return 'broken';
  return status === 200 ? 'accepted' : 'refused';
}

export function codeOf(outcome: CallOutcome): number {
  return OUTCOMES.indexOf(outcome);
}

/** Joins records whose numbers follow each other into one. Throws a RangeError for none. */
export function joinRecords(records: readonly LoadRecord[]): LoadRecord {
  const [first, ...others] = records;
  if (first === undefined) throw new RangeError('no records');
  if (others.length === 0) return first;
  const times = (of: 'dueUs' | 'writtenUs' | 'answeredUs') =>
    Float64Array.from(records.flatMap((record) => [...record[of]]));
  const statuses: Record<string, number> = {};
  for (const [status, count] of records.flatMap((record) => Object.entries(record.statuses))) {
    statuses[status] = (statuses[status] ?? 0) + count;
  }
  return {
    firstNumber: first.firstNumber,
    dueUs: times('dueUs'),
    writtenUs: times('writtenUs'),
    answeredUs: times('answeredUs'),
    outcomes: Uint8Array.from(records.flatMap(({ outcomes }) => [...outcomes])),
    statuses,
  };
}
