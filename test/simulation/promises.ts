// `queued` is a promise: a try starts after the answer and within the useful life, unless the process was down or the
// breaker open during all the rest of it, or the provider held the token back.

import { usefulUntilMs } from '../../src/core/notification.ts';
import { DEFAULT_POLICY } from '../../src/core/policy.ts';
import { providerFor } from '../../src/core/target.ts';
import { tokenHashOf } from './ids.ts';
import { type DeliveryRecord, isGhost, type Journal } from './journal.ts';
import type { Span, Weather } from './weather.ts';

/** The longest gap between two due times of a race, with its jitter. */
const LONGEST_GAP_MS = 12_500;
/** In the last moments before the end of a useful life a try is planned, however long the gaps are. */
const LAST_MOMENTS_MS = 3_000;
const LEASE_MS = DEFAULT_POLICY.leaseMs;
const FLOOD_AFTERMATH_MS = 30_000;
const TAKE_OVER_MS = 8_000;

export function checkPromises(journal: Journal, weather: Weather): void {
  for (const { told, toldAtMs, deliveryId, isQuestion } of journal.calls) {
    if (told?.status !== 'queued' || toldAtMs === undefined || isQuestion) continue;
    const delivery = journal.deliveries.get(deliveryId ?? '');
    if (delivery === undefined || isGhost(delivery)) continue;
    if (delivery.final?.status !== 'expired') continue;
    if (delivery.attempts.some(({ startedAtMs }) => startedAtMs >= toldAtMs)) continue;
    journal.count('queued_in_vain');
    const untilMs = endOfUsefulLife(delivery);
    if (isShifted(delivery, untilMs, journal)) continue;
    const chances = spansForTries(
      delivery,
      { fromMs: toldAtMs, toMs: untilMs },
      { journal, weather },
    );
    const missed = chances.find(({ fromMs, toMs }) => {
      const hasLastMoments = toMs >= untilMs && fromMs <= untilMs - LAST_MOMENTS_MS;
      return hasLastMoments || toMs - fromMs >= LONGEST_GAP_MS;
    });
    if (missed === undefined) continue;
    const seconds = ((missed.toMs - missed.fromMs) / 1_000).toFixed(1);
    const detail = `${delivery.id} was not tried in ${seconds} s from ${missed.fromMs.toFixed(0)}`;
    journal.violate('queued is a promise', detail);
  }
}

function endOfUsefulLife({ acceptedAtMs, renewedAtMs = acceptedAtMs, lifetimeMs }: DeliveryRecord) {
  return usefulUntilMs(renewedAtMs + lifetimeMs, lifetimeMs);
}

/** After a restart the service's time follows the wall clock, so useful lives and holds end earlier or later. */
function isShifted({ life, token }: DeliveryRecord, untilMs: number, journal: Journal): boolean {
  return journal.hasJumpedSince(life, untilMs) || journal.isHoldShifted(token, untilMs);
}

/**
 * When the process could have tried: it served, the breaker was closed, the token was not held, and the disk worked.
 */
function spansForTries(
  { platform, token }: DeliveryRecord,
  within: Span,
  { journal, weather }: { readonly journal: Journal; readonly weather: Weather },
): readonly Span[] {
  const provider = providerFor(platform, token);
  const chances: Span[] = [];
  for (const [life, beganAtMs] of journal.begins) {
    const endedAtMs = journal.ends.get(life)?.atMs ?? Number.POSITIVE_INFINITY;
    const served = {
      fromMs: Math.max(beganAtMs, within.fromMs),
      toMs: Math.min(endedAtMs, within.toMs),
    };
    chances.push(...without([served], journal.outages.openSpans(life, provider)));
  }
  const held = journal.allHolds
    .filter(({ tokenHash }) => tokenHash === tokenHashOf(token))
    .map(({ setAtMs, untilMs }) => ({ fromMs: setAtMs, toMs: untilMs }));
  // A claim whose commit seemed to fail may have been committed: its rows wait until the lease is over.
  const sick = weather.disk.map(({ fromMs, toMs }) => ({ fromMs, toMs: toMs + LEASE_MS }));
  // Deliveries that a dead machine had leased are free when others know of its death.
  const dying = [...(journal.fleet === undefined ? [] : journal.ends.values())].map(({ atMs }) => ({
    fromMs: atMs,
    toMs: atMs + TAKE_OVER_MS,
  }));
  const flooded = weather.floodsAtMs.map((atMs) => ({
    fromMs: atMs,
    toMs: atMs + FLOOD_AFTERMATH_MS,
  }));
  return without(chances, [...held, ...sick, ...dying, ...flooded]);
}

/** The parts of the spans that are in none of the others. */
function without(spans: readonly Span[], others: readonly Span[]): readonly Span[] {
  let left = spans.filter(({ fromMs, toMs }) => toMs > fromMs);
  for (const other of others) {
    left = left.flatMap(({ fromMs, toMs }) =>
      [
        { fromMs, toMs: Math.min(toMs, other.fromMs) },
        { fromMs: Math.max(fromMs, other.toMs), toMs },
      ].filter((rest) => rest.toMs > rest.fromMs),
    );
  }
  return left;
}
