// A delivery asks its lane for a place in flight, and may wait for it.

import type { Delivery } from '../delivery.ts';
import { lastAttemptMs, usefulUntilMs } from '../notification.ts';
import type { Clock } from '../ports/clock.ts';
import type { Quarantine } from '../tokens/quarantine.ts';
import type { Run } from './attempts.ts';
import type { Lane, Ticket } from './lane.ts';

export interface EnterParts {
  readonly clock: Clock;
  readonly quarantine: Quarantine;
  /** Whether this process still owns what it was sending: see `Store.mayRetry`. */
  readonly mayRetry: (leasedAtMs: number) => boolean;
}

export interface Entering {
  readonly lane: Lane;
  readonly run: Run;
  readonly mayWait: boolean;
  /** The first attempt of a call goes out even if the store fails. */
  readonly isFirst: boolean;
}

/**
 * Longer than a lane lets a delivery wait, and shorter than the time after which others declare a machine dead: such a
 * wait means that this process stood still.
 */
const STOOD_STILL_MS = 4_500;

/**
 * Gets a place in flight. A delivery at its last useful moment, or one that reaches it while waiting, ignores the
 * shares. No place if another machine may have taken the delivery over while it waited.
 */
export async function enterLane(
  { clock, quarantine, mayRetry }: EnterParts,
  { tokenHash, expiresAtMs, notification }: Delivery,
  { lane, run, mayWait, isFirst }: Entering,
): Promise<Ticket | undefined> {
  const trust = quarantine.trustOf(tokenHash);
  const lastMs = lastAttemptMs(usefulUntilMs(expiresAtMs, notification.lifetimeMs));
  const askedAtMs = clock.nowMs();
  const leftMs = lastMs - askedAtMs;
  if (leftMs > 0) {
    const ticket = await lane.enter(trust, { waitMs: mayWait ? leftMs : 0 });
    const stoodStill = clock.nowMs() - askedAtMs >= STOOD_STILL_MS;
    if (run.isLost || stoodStill || !(isFirst || mayRetry(run.beganAtMs))) {
      if (ticket !== undefined) lane.abandon(ticket);
      return undefined;
    }
    if (ticket !== undefined || clock.nowMs() < lastMs) return ticket;
  }
  return lane.enter(trust, { waitMs: 0, isLastMoment: true });
}
