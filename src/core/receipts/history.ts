// What is known about one phone's wakes, and what follows from it: when a receipt is overdue, whether a second push may
// be sent, whether the phone fell silent. Pure; the store keeps it by the fingerprint of the token.

import type { Receipt } from './receipt.ts';
import { isDemoted } from './receipt.ts';

export interface WakeHistory {
  /** Lower-case hex SHA-256 of the token, since the first push that the provider took. */
  readonly tokenSha256?: string | undefined;
  /** Pushes that the provider took and that asked for a receipt. */
  readonly pushes: number;
  /** The newest of them, newest last: `1` if a receipt came, `0` if none. */
  readonly recent: string;
  /** From the provider's acceptance of a first push to its receipt, newest last. */
  readonly wakesMs: readonly number[];
  /** Whether it ever sent `started`. */
  readonly hasStarted: boolean;
  /** Pushes since its last receipt, and when the first of them was taken. */
  readonly unanswered: number;
  readonly unansweredSinceMs?: number | undefined;
  readonly lastPushAtMs?: number | undefined;
  readonly lastWakeAtMs?: number | undefined;
  readonly silentSinceMs?: number | undefined;
  /** When Android last delivered with less priority than was asked for. */
  readonly demotedAtMs?: number | undefined;
  /** The last second knocks. */
  readonly knocksAtMs: readonly number[];
  /** Second knocks in a row without a receipt after them. */
  readonly uselessKnocks: number;
  readonly uselessAtMs?: number | undefined;
}

export const NO_HISTORY: WakeHistory = {
  pushes: 0,
  recent: '',
  wakesMs: [],
  hasStarted: false,
  unanswered: 0,
  knocksAtMs: [],
  uselessKnocks: 0,
};

const DAY_MS = 86_400_000;
const RECENT_PUSHES = 15;
const KEPT_WAKES = 20;
const ENOUGH_WAKES = 5;
/** While fewer wakes are known. */
const UNKNOWN_WAKE_MS = 6_000;
const LEAST_WAIT_MS = 3_000;
const MARGIN_MS = 1_000;
const KNOCKS_A_DAY = 3;
const USELESS_KNOCKS = 2;
const DEMOTED_MS = 7 * DAY_MS;
export const SILENT_PUSHES = 5;
export const SILENT_OVER_MS = DAY_MS;
/** A phone that got a push this recently may still wake. */
export const STILL_WAKING_MS = 60_000;

/** The provider took a push that asks for a receipt. If it is not judged, only a receipt counts, not its absence. */
export function afterPush(
  history: WakeHistory,
  push: {
    readonly atMs: number;
    readonly tokenSha256?: string | undefined;
    readonly isAnswered: boolean;
    readonly isJudged: boolean;
  },
): WakeHistory {
  const { atMs, isAnswered, isJudged, tokenSha256 = history.tokenSha256 } = push;
  const pushed = { ...history, tokenSha256, lastPushAtMs: atMs };
  if (!isJudged && !isAnswered) return pushed;
  const recent = `${history.recent}${isAnswered ? '1' : '0'}`.slice(-RECENT_PUSHES);
  const counted = { ...pushed, pushes: history.pushes + 1, recent };
  if (isAnswered) return counted;
  const unansweredSinceMs = history.unansweredSinceMs ?? atMs;
  return { ...counted, unanswered: history.unanswered + 1, unansweredSinceMs };
}

/** The push that a receipt belongs to. Its wake is measured only if the provider's acceptance is known. */
export interface AnsweredPush {
  /** `pushes` of the history when it was taken. */
  readonly number?: number | undefined;
  readonly acceptedAtMs?: number | undefined;
  /** Whether this is its first receipt. */
  readonly isFirst: boolean;
  readonly isKnocked: boolean;
}

export function afterReceipt(
  history: WakeHistory,
  receipt: Receipt,
  { atMs, push }: { readonly atMs: number; readonly push: AnsweredPush },
): WakeHistory {
  const { isFirst, number, acceptedAtMs } = push;
  const isMeasured = isFirst && receipt.n === 1 && acceptedAtMs !== undefined;
  const wakeMs = isMeasured ? [Math.max(0, atMs - acceptedAtMs)] : [];
  return {
    ...history,
    recent: isFirst ? markAnswered(history, number) : history.recent,
    wakesMs: [...history.wakesMs, ...wakeMs].slice(-KEPT_WAKES),
    hasStarted: history.hasStarted || receipt.stage === 'started',
    unanswered: 0,
    unansweredSinceMs: undefined,
    lastWakeAtMs: atMs,
    silentSinceMs: undefined,
    demotedAtMs: isDemoted(receipt) ? atMs : history.demotedAtMs,
    uselessKnocks: isFirst && push.isKnocked ? 0 : history.uselessKnocks,
  };
}

/** Whether a receipt is the first to say that Android demotes the app on this phone, or the first again after a week. */
export function isNewlyDemoted(history: WakeHistory, receipt: Receipt, atMs: number): boolean {
  const { demotedAtMs = Number.NEGATIVE_INFINITY } = history;
  return isDemoted(receipt) && atMs - demotedAtMs >= DEMOTED_MS;
}

/** What a second knock was good for, if this is the first receipt after it. */
export function knockResultOf({ n }: Receipt): 'rescued' | 'late' {
  return n === 2 ? 'rescued' : 'late';
}

/** The phone replied to a question, which proves like a receipt that it woke. */
export function afterReply(
  history: WakeHistory,
  { atMs, number }: { readonly atMs: number; readonly number: number | undefined },
): WakeHistory {
  const { lastWakeAtMs } = history;
  return {
    ...history,
    recent: markAnswered(history, number),
    unanswered: 0,
    unansweredSinceMs: undefined,
    // Only from a phone that sends receipts can one be missing.
    lastWakeAtMs: lastWakeAtMs === undefined ? undefined : atMs,
    silentSinceMs: undefined,
  };
}

function markAnswered({ recent, pushes }: WakeHistory, number: number | undefined): string {
  const index = number === undefined ? -1 : recent.length - 1 - (pushes - number);
  return index < 0 ? recent : `${recent.slice(0, index)}1${recent.slice(index + 1)}`;
}

export function afterKnock(history: WakeHistory, atMs: number): WakeHistory {
  return { ...history, knocksAtMs: [...history.knocksAtMs, atMs].slice(-KNOCKS_A_DAY) };
}

/** The knock that was just recorded was not sent. */
export function withoutKnock(history: WakeHistory, knockedAtMs: number): WakeHistory {
  return { ...history, knocksAtMs: history.knocksAtMs.filter((atMs) => atMs !== knockedAtMs) };
}

export function afterUselessKnock(history: WakeHistory, atMs: number): WakeHistory {
  return { ...history, uselessKnocks: history.uselessKnocks + 1, uselessAtMs: atMs };
}

/** How long after the provider's acceptance a receipt is overdue. */
export function overdueAfterMs({ wakesMs }: WakeHistory): number {
  if (wakesMs.length < ENOUGH_WAKES) return UNKNOWN_WAKE_MS;
  return Math.max(LEAST_WAIT_MS, Math.max(...wakesMs) + MARGIN_MS);
}

export type KnockRefusal =
  | 'never_started'
  | 'demoted'
  | 'silent'
  | 'knocked_often'
  | 'knocked_in_vain';

/** Why this phone gets no second knock now, as far as its history says. */
export function knockRefusal(history: WakeHistory, wallMs: number): KnockRefusal | undefined {
  const { demotedAtMs, silentSinceMs, knocksAtMs, uselessKnocks, uselessAtMs } = history;
  const isWithin = (atMs: number | undefined, spanMs: number) =>
    atMs !== undefined && wallMs - atMs < spanMs;
  if (!history.hasStarted) return 'never_started';
  if (isWithin(demotedAtMs, DEMOTED_MS)) return 'demoted';
  if (silentSinceMs !== undefined) return 'silent';
  const today = knocksAtMs.filter((atMs) => isWithin(atMs, DAY_MS));
  if (today.length >= KNOCKS_A_DAY) return 'knocked_often';
  if (uselessKnocks >= USELESS_KNOCKS && isWithin(uselessAtMs, DAY_MS)) return 'knocked_in_vain';
  return undefined;
}

/** For how many of its newest pushes a receipt came. */
export function answeredOf({ recent }: Pick<WakeHistory, 'recent'>): {
  readonly answered: number;
  readonly pushes: number;
} {
  return { answered: recent.replaceAll('0', '').length, pushes: recent.length };
}
