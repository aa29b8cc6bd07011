// Receipts, wakes and histories of phones as they are read.

import type { DeliveryWake, SilentPhone } from '../core/ports/receipts.ts';
import type { WakeHistory } from '../core/receipts/history.ts';
import { PRIORITIES, REASONS, type Receipt, STAGES } from '../core/receipts/receipt.ts';
import type { RECEIPTS, WAKE_HISTORIES, WAKES } from './receipt-rows.ts';
import type { RowOf } from './rows.ts';
import { nameOf, PLATFORMS, PROVIDERS } from './values.ts';

const KNOCK_RESULTS = ['rescued', 'late', 'useless'] as const;

export function toWake(
  wake: RowOf<typeof WAKES>,
  receipts: readonly RowOf<typeof RECEIPTS>[],
): DeliveryWake {
  return {
    receivedAtMs: wake.received_at_ms,
    renewedAtMs: wake.renewed_at_ms ?? undefined,
    lifetimeMs: wake.lifetime_ms,
    provider: nameOf(PROVIDERS, wake.provider),
    isAsked: wake.asked === 1,
    acceptedAtMs: wake.accepted_at_ms ?? undefined,
    recent: wake.recent,
    isSender: wake.sender === 1,
    knockedAtMs: wake.knocked_at_ms ?? undefined,
    knockOutcome: wake.knock_outcome ?? undefined,
    knockResult: maybeNameOf(KNOCK_RESULTS, wake.knock_result),
    answeredAtMs: wake.answered_at_ms ?? undefined,
    receipts: receipts.map(toReceipt),
  };
}

export function toHistory(row: RowOf<typeof WAKE_HISTORIES>): WakeHistory {
  return {
    tokenSha256: row.token_sha256 ?? undefined,
    pushes: row.pushes,
    recent: row.recent,
    wakesMs: toNumbers(row.wakes_ms),
    hasStarted: row.has_started === 1,
    unanswered: row.unanswered,
    unansweredSinceMs: row.unanswered_since_ms ?? undefined,
    lastPushAtMs: row.last_push_at_ms ?? undefined,
    lastWakeAtMs: row.last_wake_at_ms ?? undefined,
    silentSinceMs: row.silent_since_ms ?? undefined,
    demotedAtMs: row.demoted_at_ms ?? undefined,
    knocksAtMs: toNumbers(row.knocks_at_ms),
    uselessKnocks: row.useless_knocks,
    uselessAtMs: row.useless_at_ms ?? undefined,
  };
}

export function toSilentPhone(row: RowOf<typeof WAKE_HISTORIES>): SilentPhone {
  return {
    tokenHash: row.token_hash,
    app: row.app,
    platform: nameOf(PLATFORMS, row.platform),
    lastWakeAtMs: row.last_wake_at_ms ?? 0,
    unanswered: row.unanswered,
  };
}

function toReceipt(row: RowOf<typeof RECEIPTS>): Receipt & { readonly atMs: number } {
  return {
    atMs: row.received_at_ms,
    stage: nameOf(STAGES, row.stage),
    n: row.n === 2 ? 2 : 1,
    sinceArrivalMs: row.since_arrival_ms ?? undefined,
    why: maybeNameOf(REASONS, row.why),
    isShown: row.shown === null ? undefined : row.shown === 1,
    priority: maybeNameOf(PRIORITIES, row.priority),
    originalPriority: maybeNameOf(PRIORITIES, row.original_priority),
  };
}

function maybeNameOf<Name extends string>(
  names: readonly Name[],
  text: string | null,
): Name | undefined {
  return text === null ? undefined : nameOf(names, text);
}

function toNumbers(text: string): readonly number[] {
  return text === '' ? [] : text.split(',').map(Number);
}
