// Decides what becomes of a delivery that could not be sent now: queued for its next due time, or ended because no
// attempt can start within its useful life.

import type { Attempt, Delivery, Next } from '../delivery.ts';
import { isRace, usefulUntilMs } from '../notification.ts';
import type { Outcome } from '../outcome.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer } from '../ports/observer.ts';
import type { Quarantine } from '../tokens/quarantine.ts';
import type { SendEnd } from './endings.ts';
import type { Lane } from './lane.ts';
import type { Ledger } from './ledger.ts';
import { holdMs, isThrottledToken, MAX_UNANSWERED, planRetry, type RetryInput } from './retry.ts';

export interface PostponeParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly quarantine: Quarantine;
  readonly ledger: Ledger;
  readonly observer: Observer;
}

export interface Failed {
  /** How the last attempt ended, or why there was none. */
  readonly outcome: Outcome;
  readonly attempt?: Attempt | undefined;
}

/** The provider was not asked: its breaker is open or the queue before it is too long. */
export const NOT_TRIED: Failed = {
  outcome: { kind: 'retry', reason: 'provider_unavailable', certainty: 'not_started' },
};

/** `next` is `queued`, or `expired` with the reason for the caller. */
export function postpone(
  parts: PostponeParts,
  { delivery, lane }: { readonly delivery: Delivery; readonly lane: Lane },
  { failed, isPromised }: { readonly failed: Failed; readonly isPromised: boolean },
): SendEnd {
  const { outcome, attempt } = failed;
  const nowMs = parts.clock.nowMs();
  const { lifetimeMs } = delivery.notification;
  const input: Omit<RetryInput, 'outcome'> = {
    nowMs,
    receivedAtMs: delivery.expiresAtMs - lifetimeMs,
    usefulUntilMs: usefulUntilMs(delivery.expiresAtMs, lifetimeMs),
    isRace: isRace(lifetimeMs),
    unanswered: delivery.unanswered,
    fraction: parts.ids.fraction(),
  };
  if (attempt !== undefined && isThrottledToken(outcome)) {
    hold(parts, delivery, { outcome, forMs: holdMs(outcome, input) });
  }
  const held = parts.quarantine.findHold(delivery.tokenHash);
  const isCrowdedOut = attempt === undefined && !isThrottledToken(outcome) && !lane.isOpen;
  const planned = planRetry({ ...input, outcome, isCrowdedOut, heldUntilMs: held?.endsAtMs });
  const mayWait = isPromised || lane.mayQueue(lifetimeMs);
  if (planned !== undefined && mayWait) return { next: { status: 'queued', ...planned }, outcome };
  const isHeld = held !== undefined && isThrottledToken(outcome);
  return {
    next: expired(outcome, delivery.unanswered),
    outcome,
    ...(isHeld ? { heldForMs: held.endsAtMs - nowMs } : {}),
    ...(mayWait ? {} : { isOutage: true }),
  };
}

function hold(
  { quarantine, ledger, observer }: PostponeParts,
  delivery: Delivery,
  { outcome, forMs }: { readonly outcome: Outcome; readonly forMs: number },
): void {
  const { provider, tokenHash } = delivery;
  const { app } = delivery.target;
  const reason = 'reason' in outcome ? outcome.reason : outcome.kind;
  const entry = quarantine.hold({ app, provider, tokenHash }, { reason, forMs });
  void ledger.quarantine(entry);
  const heldForMs = Math.round(forMs);
  observer.observe({ name: 'token_held', app, provider, tokenHash, reason, heldForMs });
}

/** After the last unanswered attempt, the phone may have got the push: the reason says so. */
function expired(outcome: Outcome, unanswered: number): Next {
  if (unanswered >= MAX_UNANSWERED) return { status: 'expired', reason: 'uncertain' };
  return 'reason' in outcome
    ? { status: 'expired', reason: outcome.reason }
    : { status: 'expired' };
}
