// Pages of a log whose rows lie in the order of time: each reads a bounded range of rows, and says where to continue.

import type { Page } from '../core/ports/operating.ts';

const MAX_LIMIT = 1_000;

export interface Bounds {
  readonly first: number;
  readonly last: number;
}

export interface Range {
  readonly from: number;
  /** Exclusive. */
  readonly before: number;
  readonly limit: number;
}

interface Wanted {
  readonly cursor?: number | undefined;
  readonly limit: number;
}

/** The newest `maxRows` before the cursor. */
export function rangeOf(
  { cursor, limit }: Wanted,
  { first, last }: Bounds,
  maxRows: number,
): Range {
  const before = Math.min(cursor ?? Number.MAX_SAFE_INTEGER, last + 1);
  return { from: Math.max(first, before - maxRows), before, limit: boundedLimit(limit) };
}

export function pageOf<Row extends { readonly row_id: number }>(
  entries: readonly Row[],
  { from, limit }: Range,
  { first }: Bounds,
): Page<Row> {
  if (entries.length === limit) return { entries, next: entries.at(-1)?.row_id };
  return { entries, next: from > first ? from : undefined };
}

export function boundedLimit(limit: number): number {
  return Math.min(MAX_LIMIT, Math.max(1, Math.floor(limit)));
}

/** The smallest UUID version 7 of that millisecond. */
export function firstIdOf(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`;
}
