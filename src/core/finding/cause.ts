// Why a delivery took longer than it should: judged by what the log says about the time while it was open, otherwise by
// its own attempts.

import type { Gap, Outage } from '../ports/records.ts';
import type { LoggedAttempt, LoggedDelivery } from '../ports/store.ts';
import {
  durationOf,
  momentOf,
  nameOfProvider,
  providerTroubleOf,
  stateOf,
  timesOf,
} from './words.ts';

export interface Cause {
  readonly kind: 'stopped' | 'outage' | 'throttled' | 'other';
  readonly text: string;
}

export interface Circumstances {
  readonly outages: readonly Outage[];
  readonly gaps: readonly Gap[];
}

/** A first try that started so soon did not wait. */
const AT_ONCE_MS = 1_000;

export function findCause(delivery: LoggedDelivery, { outages, gaps }: Circumstances): Cause {
  const { receivedAtMs, provider, attempts } = delivery;
  // What came after the try that was taken in the end delayed nothing: its answer may have been the late one.
  const taken = attempts.findLast(({ outcome }) => outcome === 'delivered');
  const waited = { receivedAtMs, settledAtMs: taken?.startedAtMs ?? delivery.settledAtMs };
  const gap = overlapping(gaps, waited).find(
    (one) => one.kind === 'stopped' && isMostOf(one, waited),
  );
  if (gap !== undefined) {
    return { kind: 'stopped', text: `nds was not running ${periodOf(gap, receivedAtMs)}` };
  }
  const failed = (
    taken === undefined ? attempts : attempts.slice(0, attempts.indexOf(taken))
  ).filter(({ outcome }) => outcome === 'retry');
  const during = overlapping(ofLane(delivery, outages), waited);
  const [outage] = during;
  if (outage !== undefined) {
    const apart = join(during, gaps);
    const period = { beganAtMs: outage.beganAtMs, endedAtMs: apart.at(-1)?.endedAtMs };
    const times = apart.length === 1 ? '' : `${timesOf(apart.length)} `;
    const text = `${nameOfProvider(provider)} was ${stateOf(outage.reason)} ${times}${periodOf(period, receivedAtMs)}`;
    return { kind: 'outage', text };
  }
  const [first, ...others] = failed;
  return first === undefined
    ? untriedCause(delivery)
    : causeOfTries(delivery, { failed: [first, ...others], taken });
}

/** One outage, the oldest first, is several in the log if several machines saw it, or if nds was stopped in it. */
function join(outages: readonly Outage[], gaps: readonly Gap[]): readonly Period[] {
  const apart: Period[] = [];
  for (const { beganAtMs, endedAtMs } of outages) {
    const last = apart.at(-1);
    const { endedAtMs: lastEndMs = Number.POSITIVE_INFINITY } = last ?? {};
    if (last === undefined || (lastEndMs < beganAtMs && !isEndedByStop(last, gaps))) {
      apart.push({ beganAtMs, endedAtMs });
      continue;
    }
    const endMs = Math.max(lastEndMs, endedAtMs ?? Number.POSITIVE_INFINITY);
    const end = Number.isFinite(endMs) ? endMs : undefined;
    apart[apart.length - 1] = { beganAtMs: last.beganAtMs, endedAtMs: end };
  }
  return apart;
}

/** No try failed: the delivery waited for its first try, or for the provider's answer. */
function untriedCause({ receivedAtMs, attempts, provider, status, reason }: LoggedDelivery): Cause {
  const name = nameOfProvider(provider);
  const [taken] = attempts;
  if (taken !== undefined && taken.startedAtMs - receivedAtMs < AT_ONCE_MS) {
    return { kind: 'other', text: `${name} took ${durationOf(taken.latencyMs)} to answer` };
  }
  if (status === 'expired' && reason !== undefined && providerTroubleOf(reason) === 'throttled') {
    return { kind: 'throttled', text: `${name} held the token back (${reason})` };
  }
  const text = 'it waited for its first try, so the machine or its disk was busy';
  return { kind: 'other', text };
}

function causeOfTries(
  { receivedAtMs, provider }: LoggedDelivery,
  {
    failed,
    taken,
  }: {
    readonly failed: readonly [LoggedAttempt, ...LoggedAttempt[]];
    readonly taken: LoggedAttempt | undefined;
  },
): Cause {
  const [first] = failed;
  const name = nameOfProvider(provider);
  const reason = first.reason ?? 'no answer';
  switch (providerTroubleOf(first.reason)) {
    case 'throttled':
      return { kind: 'throttled', text: `${name} held the token back (${reason})` };
    case 'silent': {
      const tries = failed.length === 1 ? 'a try' : `${failed.length} tries`;
      const reasons = new Set(failed.map((one) => one.reason ?? 'no answer'));
      return { kind: 'other', text: `${tries} ended with ${[...reasons].join(' and ')}` };
    }
    default: {
      // Too few pushes for the breaker to notice an outage: it lasted at least from the first to the last try.
      const end = taken ?? failed.at(-1) ?? first;
      const period = { beganAtMs: first.startedAtMs, endedAtMs: end.startedAtMs };
      const text = `${name} was ${stateOf(first.reason)} ${periodOf(period, receivedAtMs)}`;
      return { kind: 'outage', text };
    }
  }
}

/** At least half of the time in which the delivery was open. */
function isMostOf(
  { beganAtMs, endedAtMs = Number.POSITIVE_INFINITY }: Period,
  {
    receivedAtMs,
    settledAtMs = receivedAtMs,
  }: Pick<LoggedDelivery, 'receivedAtMs' | 'settledAtMs'>,
): boolean {
  const commonMs = Math.min(endedAtMs, settledAtMs) - Math.max(beganAtMs, receivedAtMs);
  return 2 * commonMs >= settledAtMs - receivedAtMs;
}

export interface Period {
  readonly beganAtMs: number;
  readonly endedAtMs?: number | undefined;
}

/** What happened while the delivery was open. */
export function overlapping<Kind extends Period>(
  periods: readonly Kind[],
  {
    receivedAtMs,
    settledAtMs = Number.POSITIVE_INFINITY,
  }: Pick<LoggedDelivery, 'receivedAtMs' | 'settledAtMs'>,
): readonly Kind[] {
  return periods.filter(
    ({ beganAtMs, endedAtMs = Number.POSITIVE_INFINITY }) =>
      beganAtMs <= settledAtMs && endedAtMs >= receivedAtMs,
  );
}

/** nds does not run. */
export function isPresentStop({ kind, endedAtMs }: Gap): boolean {
  return kind === 'stopped' && endedAtMs === undefined;
}

/** Before a kill the last sign of life is up to a second old: what happened in that second came before the stop. */
export function afterWhatHappened(gap: Gap, deliveries: readonly LoggedDelivery[]): Gap {
  const { kind, beganAtMs, endedAtMs = Number.POSITIVE_INFINITY } = gap;
  if (kind !== 'stopped') return gap;
  const moments = deliveries.flatMap(({ receivedAtMs, toldAtMs = receivedAtMs, attempts }) => [
    ...[receivedAtMs, toldAtMs],
    ...attempts.map(({ startedAtMs, latencyMs }) => startedAtMs + latencyMs),
  ]);
  const later = moments.filter((atMs) => atMs > beganAtMs && atMs < endedAtMs);
  return { ...gap, beganAtMs: Math.max(beganAtMs, ...later) };
}

/** How old the last sign of life of a killed process may be. */
const SIGN_OF_LIFE_MS = 1_000;

/** A stop of nds ends every outage in the log: nobody saw the provider recover. */
export function isEndedByStop(
  { endedAtMs }: Pick<Period, 'endedAtMs'>,
  gaps: readonly Gap[],
): boolean {
  if (endedAtMs === undefined) return false;
  return gaps.some(
    ({ kind, beganAtMs }) =>
      // What happened in its last second may have moved the stop.
      kind === 'stopped' && endedAtMs <= beganAtMs && endedAtMs > beganAtMs - SIGN_OF_LIFE_MS,
  );
}

export function ofLane(
  { app, provider }: Pick<LoggedDelivery, 'app' | 'provider'>,
  outages: readonly Outage[],
): readonly Outage[] {
  return outages.filter((outage) => outage.app === app && outage.provider === provider);
}

function periodOf({ beganAtMs, endedAtMs }: Period, beside: number): string {
  const since = momentOf(beganAtMs, beside);
  return endedAtMs === undefined
    ? `since ${since}`
    : `from ${since} to ${momentOf(endedAtMs, beside)}`;
}
