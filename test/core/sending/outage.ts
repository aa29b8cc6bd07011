// Outages in virtual time, in the adapters' own terms, and the rule that every delivery that waits during one must
// meet.

import { expect } from 'vitest';
import type { ProviderName } from '../../../sandbox/records.ts';
import { isRace } from '../../../src/core/notification.ts';
import { apns, fcm, type Said, understood } from '../../support/provider-answers.ts';
import {
  CALM,
  call,
  createVirtualCore,
  type Fate,
  type Told,
  type VirtualCore,
  type Weather,
} from '../../support/virtual-core.ts';

export const SECOND = 1_000;
export const HOUR = 3_600 * SECOND;
const PHONE_NEEDS_MS = 8 * SECOND;
/** How long after its end an outage may still have effects. */
const RECOVERY_MS = 1_500;

export const KINDS = ['refused', '500', '502 as HTML', '503', '429', 'reset', 'hang'] as const;
export type Kind = (typeof KINDS)[number];

/** Connections stay alive, so each of these attempts may have been taken. */
const MAY_BE_TAKEN: readonly Kind[] = ['hang', 'reset'];

const SAID: Readonly<Record<Kind, Readonly<Record<ProviderName, Said>>>> = {
  refused: both({ failure: 'connection_refused' }),
  '500': { apns: apns('InternalServerError'), fcm: fcm(500, 'INTERNAL') },
  '502 as HTML': both({ status: 502, body: '<html>Bad Gateway</html>' }),
  '503': { apns: apns('ServiceUnavailable'), fcm: fcm(503, 'UNAVAILABLE') },
  '429': { apns: apns('TooManyRequests'), fcm: fcm(429, 'QUOTA_EXCEEDED') },
  reset: both({ failure: 'stream_reset' }),
  hang: both({ failure: 'timeout' }),
};

function both(said: Said): Readonly<Record<ProviderName, Said>> {
  return { apns: said, fcm: said };
}

function fateOf(kind: Kind, provider: ProviderName, timeoutMs: number): Fate {
  const outcome = understood(provider, SAID[kind][provider]);
  const isTaken = MAY_BE_TAKEN.includes(kind);
  return { outcome, endsAfterMs: kind === 'hang' ? timeoutMs : 20, isTaken };
}

export function outage(
  kind: Kind,
  provider: ProviderName,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): Weather {
  return (push) => {
    const isAway = push.atMs >= fromMs && push.atMs < untilMs;
    return isAway ? fateOf(kind, provider, push.timeoutMs) : CALM(push);
  };
}

/** The n-th token; APNs tokens are hex. */
export function tokenOf(provider: ProviderName, n: number): string {
  return provider === 'apns' ? n.toString(16).padStart(64, 'a') : `token-${n}`;
}

/** A vendor whose last push was an hour ago. */
export async function quietVendor(provider: ProviderName): Promise<VirtualCore> {
  const virtual = await createVirtualCore({ provider });
  call(virtual, tokenOf(provider, 999), { provider });
  await virtual.clock.run(HOUR);
  return virtual;
}

/** A waiting delivery: its token, since when it waits, and the answer to its caller. */
export interface Waiting {
  readonly token: string;
  readonly receivedAtMs: number;
  readonly lifetimeMs: number;
  readonly told: Told;
}

export interface Suffering {
  readonly provider: ProviderName;
  readonly seconds: number;
  readonly waiting: number;
  /** Type and lifetime of the notifications; a payment by default. */
  readonly type?: string;
  readonly lifetimeMs?: number;
}

/** Makes calls in the first half of the outage, and runs until all have ended. */
export async function suffer(
  virtual: VirtualCore,
  weather: Weather,
  suffering: Suffering,
): Promise<readonly Waiting[]> {
  const { provider, seconds, waiting, type, lifetimeMs = 60 * SECOND } = suffering;
  virtual.weather = weather;
  const calls: Waiting[] = [];
  const gapMs = (seconds * SECOND) / 2 / waiting;
  for (let n = 0; n < waiting; n += 1) {
    const token = tokenOf(provider, n);
    const given = { provider, lifetimeMs, ...(type === undefined ? {} : { type }) };
    const told = call(virtual, token, given);
    calls.push({ token, receivedAtMs: virtual.atMs, lifetimeMs, told });
    await virtual.clock.run(gapMs);
  }
  await virtual.clock.run(seconds * SECOND + lifetimeMs);
  return calls;
}

export function pushesOf(virtual: VirtualCore, token: string) {
  return virtual.pushes.filter((push) => push.token === token);
}

/**
 * Checks that every delivery arrived that could still be useful 1.5 s after the outage, and that all others were tried
 * until the end of their useful life; if each attempt may have been taken, there are at most four.
 */
export function expectOutageSurvived(
  virtual: VirtualCore,
  calls: readonly Waiting[],
  {
    kind,
    untilMs,
    seconds,
  }: { readonly kind: Kind; readonly untilMs: number; readonly seconds: number },
): void {
  for (const { token, receivedAtMs, lifetimeMs, told } of calls) {
    const pushes = pushesOf(virtual, token);
    const usefulUntilMs = receivedAtMs + lifetimeMs - (isRace(lifetimeMs) ? PHONE_NEEDS_MS : 0);
    const lastMs = pushes.at(-1)?.atMs ?? 0;
    const isUsefulLater = usefulUntilMs > untilMs + RECOVERY_MS;
    expect(lastMs, 'no push after the useful life').toBeLessThanOrEqual(usefulUntilMs);
    if (MAY_BE_TAKEN.includes(kind)) {
      expect(pushes.filter(({ isTaken }) => isTaken).length).toBeLessThanOrEqual(4);
      if (isUsefulLater && seconds <= 14) expect(lastMs, token).toBeGreaterThanOrEqual(untilMs);
      continue;
    }
    expect(told.code, 'nobody is refused in a young outage').toBeUndefined();
    if (isUsefulLater) expect(lastMs, token).toBeGreaterThanOrEqual(untilMs);
    else expect(lastMs).toBeGreaterThan(usefulUntilMs - 10 * SECOND);
  }
  const open = [...virtual.store.rows.values()].filter(({ status }) => status === 'queued');
  expect(open).toEqual([]);
}
