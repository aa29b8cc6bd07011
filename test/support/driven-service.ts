// The whole service under a manual clock and over a store that can be watched, held and broken: the basis of tests
// about time and failures.

import { onTestFinished } from 'vitest';
import { z } from 'zod';
import type { LoggedDelivery, Store } from '../../src/core/ports/store.ts';
import { requireRetryAfter } from './callers.ts';
import {
  createStoreSwitch,
  type Interceptor,
  interceptStore,
  type StoreSwitch,
  turn,
} from './intercept-store.ts';
import { ManualClock } from './manual-clock.ts';
import { ANDROID_TOKEN, notifyPath, type Setup, type SetupOptions, setup } from './service.ts';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const toldSchema = z.looseObject({
  id: z.string().optional(),
  status: z.union([z.string(), z.number()]).optional(),
  code: z.string().optional(),
  logged: z.boolean().optional(),
  reason: z.string().optional(),
});

/** What a caller was answered. */
export interface Told {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: z.output<typeof toldSchema>;
}

export interface Driven {
  readonly running: Setup;
  readonly clock: ManualClock;
  readonly store: StoreSwitch;
  /** POSTs a payment_received. */
  pay(token: string, paymentHash: string): Promise<Told>;
  /** POSTs an nwc_event, whose key is kept for seven days. */
  announce(event: string): Promise<Told>;
  /**
   * Moves the clock on, step by step. After each step the store may finish, and the deliveries claimed there may be
   * sent and recorded.
   */
  elapse(ms: number, stepMs?: number): Promise<void>;
  /** The same without waiting for claimed deliveries: for attempts that hang. */
  drift(ms: number, stepMs?: number): Promise<void>;
  /** The rows, once everything under way is written. */
  rows(): Promise<readonly LoggedDelivery[]>;
  /** How many requests reached a stand-in, except those for access tokens. */
  asked(token?: string): number;
  /** Resolves when the stand-ins got this many requests in total, and what was accepted is stored. */
  untilAsked(times: number): Promise<void>;
}

export async function setupDriven(options: SetupOptions = {}): Promise<Driven> {
  const clock = new ManualClock();
  const store = createStoreSwitch();
  const claims = countClaims();
  const wrapStore = (real: Store) => claims.wrap(store.wrap(real));
  const after = (ms: number, task: () => void) => clock.after(ms, task);
  const running = await setup({
    clock,
    wrapStore,
    ...options,
    sandbox: { now: () => clock.wallMs(), after, ...options.sandbox },
  });
  await running.service.reach;
  onTestFinished(async () => {
    // Attempts that hang end only when the clock moves.
    let isStopped = false;
    const stopped = running.service.stop().then(() => {
      isStopped = true;
    });
    while (!isStopped) {
      clock.advance(SECOND);
      await turn();
    }
    await stopped;
  });
  const isPush = ({ provider }: { readonly provider: string }) => provider !== 'oauth';
  return {
    running,
    clock,
    store,
    pay: (token, paymentHash) => told(running.notify(token, paymentHash)),
    announce: (event) => {
      const body = JSON.stringify({ template: 'nwc_event', data: { event } });
      return told(running.post(notifyPath(ANDROID_TOKEN), body));
    },
    elapse: async (ms, stepMs = 250) => {
      await store.idle();
      for (let left = ms; left > 0; left -= stepMs) {
        clock.advance(Math.min(left, stepMs));
        await store.idle();
        await claims.settled();
        await store.idle();
      }
    },
    drift: async (ms, stepMs = 50) => {
      for (let left = ms; left > 0; left -= stepMs) {
        clock.advance(Math.min(left, stepMs));
        await store.idle();
      }
    },
    rows: async () => {
      await store.idle();
      return await running.service.store.findDeliveries({ limit: 1_000 });
    },
    asked: (token) =>
      running.sandbox
        .requests()
        .filter((request) => isPush(request) && (token === undefined || request.token === token))
        .length,
    untilAsked: async (times) => {
      await running.sandbox.waitForRequests(isPush, times);
      await store.idle();
    },
  };
}

/** Reports when every claimed delivery has been recorded in the store again. */
function countClaims() {
  const claimed = z.object({ deliveries: z.array(z.unknown()) });
  let open = 0;
  let listeners: (() => void)[] = [];
  const run: Interceptor = async (name, operation) => {
    const result = await operation();
    if (name === 'claimDue') open += claimed.parse(result).deliveries.length;
    if (name === 'settle' && open > 0) open -= 1;
    if (open === 0) {
      for (const listener of listeners) listener();
      listeners = [];
    }
    return result;
  };
  return {
    wrap: (store: Store) => interceptStore(store, run),
    settled: async () => {
      if (open > 0) await new Promise<void>((resolve) => listeners.push(resolve));
    },
  };
}

export async function told(answer: Promise<Response>): Promise<Told> {
  const response = await answer;
  const body = toldSchema.parse(await response.json());
  const retryAfter = response.headers.get('retry-after');
  requireRetryAfter(response.status, retryAfter);
  return { status: response.status, retryAfter, body };
}

/** An APNs token with this number in it. */
export function iosToken(number: number): string {
  return number.toString(16).padStart(64, 'a');
}

/** An FCM token with this number in it. */
export function androidToken(number: number): string {
  return `phone-${number}:APA91b`;
}
