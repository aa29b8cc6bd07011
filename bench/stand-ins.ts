// The orchestrator's end of the stand-ins' process.

import { z } from 'zod';
import { addressesSchema } from './addresses.ts';
import { type Child, startChild } from './child.ts';

const POLL_MS = 20;

const described = addressesSchema.extend({
  /** Where the credentials lie as files, if they are kept. */
  files: z.object({ ca: z.string(), apnsKey: z.string(), serviceAccount: z.string() }).optional(),
});

/** Addresses and throwaway credentials; plain JSON, so that it can be handed to other processes. */
export type Described = z.output<typeof described>;

const progress = z.object({ arrived: z.number(), lastAtUs: z.number() });
const arrivals = z.object({
  atUs: z.instanceof(Float64Array),
  arrived: z.number(),
  repeated: z.number(),
});
const moment = z.object({ atUs: z.number() });
const done = z.object({});
const connections = z.object({ apns: z.number(), fcm: z.number() });

export type Arrivals = z.output<typeof arrivals>;

export class StandIns implements AsyncDisposable {
  readonly described: Described;
  readonly #child: Child;

  private constructor(child: Child, information: Described) {
    this.#child = child;
    this.described = information;
  }

  /** `fixed`: with the ports and the stored credentials of `npm run sandbox`, for gateways of others. */
  static async start({ fixed }: { readonly fixed: boolean }): Promise<StandIns> {
    const child = startChild(new URL('./providers.ts', import.meta.url), fixed ? ['--fixed'] : []);
    return new StandIns(child, await child.call({ kind: 'describe' }, described));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Notes arrivals of the pushes with these numbers from now on, and forgets earlier ones. */
  async watch(firstNumber: number, count: number): Promise<void> {
    await this.#child.call({ kind: 'watch', firstNumber, count }, done);
  }

  /** Resolves when `count` pushes have arrived or after `timeoutMs`. */
  async waitFor(count: number, timeoutMs: number): Promise<z.output<typeof progress>> {
    const untilMs = Date.now() + timeoutMs;
    for (;;) {
      const now = await this.#child.call({ kind: 'progress' }, progress);
      if (now.arrived >= count || Date.now() > untilMs) return now;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** When each watched push arrived, by number; NaN if it did not. */
  async arrivals(): Promise<Arrivals> {
    return await this.#child.call({ kind: 'arrivals' }, arrivals);
  }

  /** Every push is taken at once and answered so much later; 0 ends it. */
  async delayAnswers(delayMs: number): Promise<void> {
    await this.#child.call({ kind: 'delay', delayMs }, done);
  }

  /** Refuses connections and resets the open ones. Returns when, µs. */
  async takeDown(provider: 'apns' | 'fcm'): Promise<number> {
    return (await this.#child.call({ kind: 'down', provider }, moment)).atUs;
  }

  async bringUp(provider: 'apns' | 'fcm'): Promise<number> {
    return (await this.#child.call({ kind: 'up', provider }, moment)).atUs;
  }

  async connections(): Promise<z.output<typeof connections>> {
    return await this.#child.call({ kind: 'connections' }, connections);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}
