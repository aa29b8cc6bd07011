// The orchestrator's end of the reference senders' processes.

import { z } from 'zod';
import { type Child, startChild } from './child.ts';
import type { StandIns } from './stand-ins.ts';

const done = z.object({});
const sent = z.object({ dueUs: z.instanceof(Float64Array) });

const MODULES = { bare: './bare.ts', libraries: './libraries.ts' } as const;

export type ReferenceKind = keyof typeof MODULES;

export class Reference implements AsyncDisposable {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  /** Starts the process and opens its connection. */
  static async start(
    kind: ReferenceKind,
    standIns: StandIns,
    provider: 'apns' | 'fcm',
  ): Promise<Reference> {
    const child = startChild(new URL(MODULES[kind], import.meta.url));
    await child.call({ kind: 'connect', provider, standIns: standIns.described }, done);
    return new Reference(child);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async closedLoop(calls: { callers: number; firstNumber: number; count: number }): Promise<void> {
    await this.#child.call({ kind: 'closed', ...calls }, sent);
  }

  /** Returns when each push was due, µs. */
  async openLoop(calls: {
    ratePerSecond: number;
    firstNumber: number;
    count: number;
  }): Promise<Float64Array> {
    return (await this.#child.call({ kind: 'open', ...calls }, sent)).dueUs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}
