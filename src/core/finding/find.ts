// `nds find` and GET /api/v1/find: was it sent, and what happened? One question, everything that the log knows about it
// in one timeline, and one sentence that says what happened and what to do.

import { counted } from '../counted.ts';
import type { Evidence, KeyKind, LogQuestion } from '../ports/log.ts';
import { type Gap, type Outage, REPEATED, type Refusal } from '../ports/records.ts';
import type { LoggedDelivery, QuarantineEntry } from '../ports/store.ts';
import { REFUSALS_KEPT_MS } from '../records/refusals.ts';
import { afterWhatHappened, isPresentStop, ofLane, overlapping } from './cause.ts';
import { judgeDelivery, type Verdict } from './delivery-verdict.ts';
import { isOpenGapOfStore, judgeNothing, withSickStore } from './nothing-verdict.ts';
import { type Names, parseQuestion } from './question.ts';
import { judgeRefusals } from './refusal-verdict.ts';
import { type TimelineEntry, timelineOf } from './timeline.ts';

export interface FindParts extends Names {
  readonly gather: (question: LogQuestion) => Evidence | Promise<Evidence>;
  /** How long deliveries are kept. */
  readonly retentionMs: number;
  readonly nowMs: number;
}

export interface FindOptions {
  readonly sinceMs?: number | undefined;
  readonly limit: number;
}

export interface FindResult {
  /** The question, in words that may be shown. */
  readonly asked: string;
  readonly found: readonly KeyKind[];
  readonly verdict: Verdict;
  /** Newest first. */
  readonly deliveries: readonly JudgedDelivery[];
  readonly evidence: Evidence;
  readonly timeline: readonly TimelineEntry[];
  /** Since when every call has left a trace, except in the gaps. */
  readonly completeSinceMs: number;
}

export interface JudgedDelivery {
  readonly delivery: LoggedDelivery;
  readonly verdict: Verdict;
}

export async function find(
  text: string,
  parts: FindParts,
  options: FindOptions,
): Promise<FindResult> {
  const { nowMs } = parts;
  const { keys, shown, isTooShort = false } = parseQuestion(text, parts);
  const evidence = relevant(withPresentStop(await parts.gather({ ...options, keys }), nowMs));
  const { found, outages, gaps, quarantined } = evidence;
  const deliveries = evidence.deliveries.map((delivery) => {
    const around = { outages: ofLane(delivery, outages), gaps: overlapping(gaps, delivery) };
    const held = quarantined.filter(({ tokenHash }) => tokenHash === delivery.tokenHash);
    const verdict = judgeDelivery(delivery, { ...around, quarantined: held, nowMs });
    return { delivery, verdict };
  });
  const completeSinceMs = completeSince(evidence, parts);
  return {
    asked: askedFor(found, shown, evidence),
    found,
    verdict: withSickStore(
      judgeAll(evidence, { deliveries, completeSinceMs, nowMs, isTooShort }),
      gaps,
    ),
    deliveries,
    evidence,
    timeline: evidence.found.length === 0 ? [] : timelineOf(evidence),
    completeSinceMs,
  };
}

/** The database takes no rows now, so the log cannot contain that. */
export function withOpenGap(evidence: Evidence, beganAtMs: number): Evidence {
  const gap: Gap = { kind: 'store', beganAtMs, unlogged: 0 };
  return { ...evidence, gaps: [...evidence.gaps, gap] };
}

/** A running service gives a sign of life each second. */
const SILENT_AFTER_MS = 5_000;

/** A killed process wrote no gap: the next start does. A search before that start must show the stop, too. */
function withPresentStop(evidence: Evidence, nowMs: number): Evidence {
  const { gaps, aliveUntilMs: beganAtMs = nowMs } = evidence;
  if (nowMs - beganAtMs < SILENT_AFTER_MS || gaps.some(isPresentStop)) return evidence;
  return { ...evidence, gaps: [...gaps, { kind: 'stopped', beganAtMs, unlogged: 0 }] };
}

/** Leaves out outages and gaps that touched none of the findings; if nothing was found, any gap may be the reason. */
function relevant(evidence: Evidence): Evidence {
  // A refused call names no provider: each one of its app may be the reason.
  const refusals = evidence.refusals.map(({ app, atMs, lastAtMs }) => {
    return { app, provider: undefined, receivedAtMs: atMs, settledAtMs: lastAtMs };
  });
  const calls = [...evidence.deliveries, ...refusals];
  const touchedBy = (period: Outage | Gap) =>
    calls.filter((call) => overlapping([period], call).length > 0);
  const isRelevant = (outage: Outage) =>
    touchedBy(outage).some(
      ({ app, provider = outage.provider }) => app === outage.app && provider === outage.provider,
    );
  // The log began when the first gap ended.
  const gaps = evidence.gaps
    .filter(({ beganAtMs }) => beganAtMs > 0)
    .map((gap) => afterWhatHappened(gap, evidence.deliveries));
  return {
    ...evidence,
    outages: evidence.outages.filter(isRelevant),
    gaps:
      calls.length === 0
        ? gaps
        : gaps.filter((gap) => isOpenGapOfStore(gap) || touchedBy(gap).length > 0),
  };
}

/** The later of the retention's begin and the log's own; nothing is known about earlier times. */
function completeSince(
  { madeAtMs = 0 }: Evidence,
  { nowMs, retentionMs }: Pick<FindParts, 'nowMs' | 'retentionMs'>,
): number {
  return Math.max(madeAtMs, nowMs - Math.min(retentionMs, REFUSALS_KEPT_MS));
}

const WORDS: Readonly<Record<KeyKind, string>> = {
  subject: 'payment',
  delivery: 'delivery',
  request: 'request',
  device: 'device',
  user: 'user',
  token: 'token',
  handle: 'URL',
};

/** What a payment hash or swap id is called, by the type that its source made of it. */
const SUBJECTS: readonly (readonly [RegExp, string])[] = [
  [/^swap_/, 'swap'],
  [/^(?:tx_|address_)/, 'transaction'],
  [/^(?:payment_|lnurl|invoice_|spark_lightning|spark_payment|lsps5_payment)/, 'payment'],
];

function askedFor(
  found: readonly KeyKind[],
  shown: string | undefined,
  { deliveries }: Evidence,
): string {
  const kind = Object.keys(WORDS).find((word): word is KeyKind =>
    found.some((one) => one === word),
  );
  if (kind === undefined) return shown ?? 'this value';
  const type = deliveries[0]?.type ?? 'payment_';
  const subject = SUBJECTS.find(([pattern]) => pattern.test(type))?.[1] ?? 'event';
  const word = kind === 'subject' ? subject : WORDS[kind];
  const isSecret = shown === undefined || kind === 'token' || kind === 'handle';
  return isSecret ? `this ${word}` : `${word} ${shown}`;
}

interface Judged {
  readonly deliveries: readonly JudgedDelivery[];
  readonly completeSinceMs: number;
  readonly nowMs: number;
  readonly isTooShort: boolean;
}

/** The last event decides; the sentence first says how much else was found. */
function judgeAll(evidence: Evidence, judged: Judged): Verdict {
  const { quarantined } = evidence;
  const refusals = evidence.refusals.filter(({ code }) => code !== REPEATED);
  const [delivery] = judged.deliveries;
  const [refusal] = refusals;
  if (delivery === undefined && refusal === undefined) return judgeNothing(evidence, judged);
  const isRefusalLast =
    refusal !== undefined &&
    (delivery === undefined || refusal.lastAtMs >= lastMomentOf(delivery.delivery));
  if (evidence.isGuess && refusal !== undefined) {
    const { code, sentence } = judgeRefusals([refusal], quarantined);
    return { code, sentence: `Probably one of these: ${sentence}` };
  }
  const last = isRefusalLast
    ? judgeRefusals(sameAs(refusal, refusals), ofToken(refusal, quarantined))
    : delivery?.verdict;
  if (last === undefined) return judgeNothing(evidence, judged);
  const others = countOthers(judged.deliveries, refusals);
  return others === undefined
    ? last
    : { ...last, sentence: `${others}; the last: ${last.sentence}` };
}

function ofToken({ tokenHash }: Refusal, entries: readonly QuarantineEntry[]) {
  return tokenHash === undefined
    ? entries
    : entries.filter((entry) => entry.tokenHash === tokenHash);
}

function lastMomentOf({ receivedAtMs, repeatedAtMs = 0 }: LoggedDelivery): number {
  return Math.max(receivedAtMs, repeatedAtMs);
}

function sameAs(last: Refusal, refusals: readonly Refusal[]): readonly [Refusal, ...Refusal[]] {
  const others = refusals.filter(
    (other) => other !== last && other.code === last.code && other.door === last.door,
  );
  return [last, ...others];
}

/** Undefined if there is nothing besides the last. */
function countOthers(
  deliveries: readonly JudgedDelivery[],
  refusals: readonly Refusal[],
): string | undefined {
  const kinds = new Set(refusals.map(({ code, door }) => `${code} ${door}`)).size;
  if (deliveries.length + kinds <= 1) return undefined;
  const byStatus = Map.groupBy(deliveries, ({ delivery }) => delivery.status);
  const statuses = [...byStatus].map(([status, some]) => `${some.length} ${status}`);
  const calls = refusals.reduce((sum, { count }) => sum + count, 0);
  return [
    ...(deliveries.length === 0
      ? []
      : [`${counted(deliveries.length, 'delivery', 'deliveries')} (${statuses.join(', ')})`]),
    ...(calls === 0 ? [] : [`${counted(calls, 'call', 'calls')} refused`]),
  ].join(', ');
}
