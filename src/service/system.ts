// The machine's clock and randomness: only this file reads them. Everything else gets the ports.

import { createHmac, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import { v7 } from 'uuid';
import type { Clock, Timer } from '../core/ports/clock.ts';
import type { Ids } from '../core/ports/ids.ts';

export interface TimeSources {
  /** Unix milliseconds; an administrator or NTP may set it. */
  wallMs(): number;
  /** Milliseconds since an arbitrary moment; stands still while the machine is suspended. */
  monotonicMs(): number;
}

const MACHINE: TimeSources = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

const TICK_MS = 1_000;
/** NTP corrects a second or two at once; a suspended machine loses more. */
const SUSPENDED_FROM_MS = 5_000;

export interface SystemClock extends Clock {
  /**
   * Checks every second whether the machine was suspended, during which monotonic time stands still, and moves service
   * time on by as much: deliveries that were due in between are due at once. Cancel it when the service stops.
   */
  followSuspensions(onSuspended: (ms: number) => void): Timer;
}

interface Planned {
  readonly dueMs: number;
  readonly run: () => void;
  handle: NodeJS.Timeout;
}

/** Service time starts as the wall clock and then follows monotonic time and suspensions. */
export function createSystemClock(sources: TimeSources = MACHINE): SystemClock {
  let aheadMs = sources.wallMs() - sources.monotonicMs();
  const planned = new Set<Planned>();
  const nowMs = () => sources.monotonicMs() + aheadMs;

  const moveOn = (ms: number): void => {
    aheadMs += ms;
    for (const timer of [...planned].toSorted((one, other) => one.dueMs - other.dueMs)) {
      clearTimeout(timer.handle);
      timer.handle = setTimeout(timer.run, Math.max(0, timer.dueMs - nowMs()));
    }
  };

  return {
    wallMs: () => sources.wallMs(),
    nowMs,
    after: (delayMs, task) => {
      const run = () => {
        planned.delete(timer);
        task();
      };
      const timer: Planned = { dueMs: nowMs() + delayMs, run, handle: setTimeout(run, delayMs) };
      planned.add(timer);
      return {
        cancel: () => {
          clearTimeout(timer.handle);
          planned.delete(timer);
        },
      };
    },
    followSuspensions: (onSuspended) => {
      const readGap = () => sources.wallMs() - sources.monotonicMs();
      let lastGapMs = readGap();
      const interval = setInterval(() => {
        const gapMs = readGap();
        const lostMs = gapMs - lastGapMs;
        lastGapMs = gapMs;
        if (lostMs <= SUSPENDED_FROM_MS) return;
        moveOn(lostMs);
        onSuspended(Math.round(lostMs));
      }, TICK_MS);
      interval.unref();
      return { cancel: () => clearInterval(interval) };
    },
  };
}

const SECRET_BYTES = 16;
const FINGERPRINT_BYTES = 16;
const DERIVED_KEY_BYTES = 32;

/** Randomness from the operating system; fingerprints under `lookupKey`, which the store keeps. */
export function createSystemIds(clock: Clock, lookupKey: Uint8Array): Ids {
  // Made once: with a raw key every call would make a key object, at six times the cost of the HMAC.
  const key = createSecretKey(lookupKey);
  return {
    deliveryId: () => v7({ msecs: Math.floor(clock.wallMs()) }),
    secret: () => randomBytes(SECRET_BYTES).toString('base64url'),
    fraction: () => Math.random(),
    fingerprint: (value) => {
      const digest = createHmac('sha256', key).update(value).digest();
      return digest.subarray(0, FINGERPRINT_BYTES).toString('hex');
    },
    deriveKey: (purpose) => new Uint8Array(hkdfSync('sha256', key, '', purpose, DERIVED_KEY_BYTES)),
  };
}
