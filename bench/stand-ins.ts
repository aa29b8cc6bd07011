// The orchestrator's end of the stand-ins' process.

import { z } from 'zod';
import type { Outage } from '../sandbox/sandbox.ts';
import { type Child, startChild } from './child.ts';

const POLL_MS = 20;

/** Addresses and throwaway credentials; plain JSON, so that it can be passed to other processes. */
const described = z.object({
  ca: z.string(),
  apns: z.object({
    url: z.string(),
    key: z.string(),
    keyId: z.string(),
    teamId: z.string(),
    topic: z.string(),
  }),
  fcm: z.object({
    url: z.string(),
    projectId: z.string(),
    serviceAccount: z.record(z.string(), z.string()),
  }),
  /** Where the credentials are as files, if they are kept. */
  files: z.object({ ca: z.string(), apnsKey: z.string(), serviceAccount: z.string() }).optional(),
});

export type Described = z.output<typeof described>;

const progress = z.object({ arrived: z.number(), lastAtUs: z.number() });
const arrivals = z.object({
  atUs: z.instanceof(Float64Array),
  arrived: z.number(),
  repeated: z.number(),
});
const moment = z.object({ atUs: z.number() });
const done = z.object({});

export type Arrivals = z.output<typeof arrivals>;

/** `host:port` of each stand-in, if programs other than the service must find it. */
export interface Addresses {
  readonly apns: string;
  readonly fcm: string;
}

export class StandIns implements AsyncDisposable {
  readonly described: Described;
  readonly #child: Child;

  private constructor(child: Child, information: Described) {
    this.#child = child;
    this.described = information;
  }

  /** With addresses it uses the credentials of `npm run sandbox`, for other gateways. */
  static async start(addresses: Addresses | undefined): Promise<StandIns> {
    const args = addresses === undefined ? [] : [addresses.apns, addresses.fcm];
    const child = startChild(new URL('./providers.ts', import.meta.url), args);
    return new StandIns(child, await child.call({ kind: 'describe' }, described));
  }

  /** Records arrivals of the pushes with these numbers from now on, and forgets earlier ones. */
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

  /** Every push is taken at once and answered this much later; 0 ends it. */
  async delayAnswers(delayMs: number): Promise<void> {
    await this.#child.call({ kind: 'delay', delayMs }, done);
  }

  /** Returns when it began, µs. */
  async startOutage(provider: 'apns' | 'fcm', kind: Outage['kind']): Promise<number> {
    return (await this.#child.call({ kind: 'outage', provider, outage: { kind } }, moment)).atUs;
  }

  async endOutage(provider: 'apns' | 'fcm'): Promise<number> {
    return (await this.#child.call({ kind: 'outage_over', provider }, moment)).atUs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}
