// Percentiles, medians and spreads. Nothing is interpolated: every percentile is a value that occurred.

/** 99.9 has no exact binary form: without this, 99.9 % of 1,000 would be 999.0000000000001 and round up. */
const ROUNDING = 1e-9;

/** What the tables show of a set of times, in the unit of the values. */
export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/**
 * The smallest value that at least `percent` per cent of the values do not exceed (nearest rank).
 * Throws a RangeError for no values or a per cent outside 0 to 100.
 */
export function percentile(values: Iterable<number>, percent: number): number {
  return percentileOfSorted(sorted(values), percent);
}

/** Throws a RangeError for no values. */
export function distribution(values: Iterable<number>): Distribution {
  const ascending = sorted(values);
  return {
    count: ascending.length,
    p50: percentileOfSorted(ascending, 50),
    p99: percentileOfSorted(ascending, 99),
    p999: percentileOfSorted(ascending, 99.9),
    max: percentileOfSorted(ascending, 100),
  };
}

/** The middle value, or the mean of the two in the middle. Throws a RangeError for no values. */
export function median(values: Iterable<number>): number {
  const ascending = sorted(values);
  const upper = ascending[Math.floor(ascending.length / 2)];
  const lower = ascending[Math.ceil(ascending.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('no values');
  return (lower + upper) / 2;
}

/** How far apart the values are, as a share of their median: 0.1 is 10 %. */
export function spread(values: Iterable<number>): number {
  const ascending = sorted(values);
  const range = percentileOfSorted(ascending, 100) - percentileOfSorted(ascending, 0);
  return range === 0 ? 0 : range / median(ascending);
}

function sorted(values: Iterable<number>): Float64Array {
  const ascending = Float64Array.from(values);
  return ascending.sort();
}

function percentileOfSorted(ascending: Float64Array, percent: number): number {
  if (!(percent >= 0 && percent <= 100)) throw new RangeError('a per cent is from 0 to 100');
  const rank = Math.max(1, Math.ceil((percent * ascending.length) / 100 - ROUNDING));
  const value = ascending[rank - 1];
  if (value === undefined) throw new RangeError('no values');
  return value;
}
