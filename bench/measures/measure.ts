// What a measurement is: it runs, and returns tables for people and plain data for the JSON file.

import type { BenchRun } from '../run.ts';

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What a reader must know to understand the table. */
  readonly note?: string;
}

export interface Measured {
  readonly tables: readonly Table[];
  readonly data: object;
}

export type Measure = (run: BenchRun) => Promise<Measured>;
