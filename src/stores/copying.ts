// A database that is copied into another one: table by table, in the order of its keys.

import type { OpenedKeys } from './sealing/keys.ts';

export type CopiedValue = string | number | Uint8Array | null;
export type CopiedRow = Readonly<Record<string, CopiedValue>>;

export interface CopiedPage {
  readonly table: string;
  /** Plain SQL: names of columns, or `expression AS name`. */
  readonly columns: readonly string[];
  readonly key: readonly string[];
  /** The key of the last row before; absent at the beginning. */
  readonly after?: readonly (string | number)[] | undefined;
  readonly limit: number;
}

/** Nothing writes to it meanwhile. */
export interface CopySource {
  readonly keys: OpenedKeys;
  /** Differs if anything was written since: rows that were copied before then no longer match. */
  readonly state: Uint8Array;
  tables(): readonly string[];
  count(table: string): number;
  rows(page: CopiedPage): readonly CopiedRow[];
  /** The highest `row_id` that events ever had. */
  lastEvent(): number;
}
