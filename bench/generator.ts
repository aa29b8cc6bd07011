// The orchestrator's end of the load generator's process.

import { z } from 'zod';
import { type Child, startChild } from './child.ts';
import type { Api } from './load/calls.ts';
import type { Mix } from './numbering.ts';

/** What is called, and how. */
export interface LoadTarget {
  readonly host: '127.0.0.1' | '::1' | 'localhost';
  readonly port: number;
  readonly api: Api;
  readonly topic: string;
}

export interface Calls {
  readonly mix: Mix;
  readonly count: number;
  readonly firstNumber: number;
  /** Default 2,000. */
  readonly phones?: number;
  /** No call starts later than this; default two minutes. */
  readonly maxMs?: number;
}

export type Pattern =
  | { readonly kind: 'closed'; readonly callers: number }
  | { readonly kind: 'open'; readonly ratePerSecond: number }
  | { readonly kind: 'burst' };

const loadRecord = z.object({
  firstNumber: z.number(),
  dueUs: z.instanceof(Float64Array),
  writtenUs: z.instanceof(Float64Array),
  answeredUs: z.instanceof(Float64Array),
  outcomes: z.instanceof(Uint8Array),
  statuses: z.record(z.string(), z.number()),
});

const DEFAULT_PHONES = 2_000;
const DEFAULT_MAX_MS = 120_000;

export class Generator implements AsyncDisposable {
  readonly #child: Child;

  constructor() {
    this.#child = startChild(new URL('./load/main.ts', import.meta.url));
  }

  get pid(): number {
    return this.#child.pid;
  }

  async run(target: LoadTarget, pattern: Pattern, calls: Calls) {
    const defaults = { phones: DEFAULT_PHONES, maxMs: DEFAULT_MAX_MS };
    return await this.#child.call({ ...defaults, ...target, ...pattern, ...calls }, loadRecord);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}
