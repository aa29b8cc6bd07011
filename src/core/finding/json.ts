// Answers as programs read them, in `--json` and in the API: snake_case, ISO times, no token, handle or payload.

import type { LoggedDevice } from '../ports/log.ts';
import type { DeliveryWake } from '../ports/receipts.ts';
import type { Gap, Outage, Refusal } from '../ports/records.ts';
import type { LoggedAttempt, LoggedDelivery, QuarantineEntry } from '../ports/store.ts';
import { concludeWake, describeWake } from '../receipts/conclusion.ts';
import type { Verdict } from './delivery-verdict.ts';
import type { FindResult } from './find.ts';
import type { Statistics } from './statistics.ts';
import type { TimelineEntry } from './timeline.ts';

export function findResultAsJson(answer: FindResult) {
  const { asked, found, verdict, deliveries, evidence, timeline, completeSinceMs } = answer;
  return {
    asked,
    found_by: [...found],
    verdict,
    deliveries: deliveries.map((judged) => deliveryAsJson(judged.delivery, judged.verdict)),
    refusals: evidence.refusals.map(refusalAsJson),
    devices: evidence.devices.map(deviceAsJson),
    quarantine: evidence.quarantined.map(quarantineAsJson),
    outages: evidence.outages.map(outageAsJson),
    timeline: timeline.map(entryAsJson),
    log: {
      complete_since: isoTime(completeSinceMs),
      gaps: evidence.gaps.map(gapAsJson),
    },
  };
}

export function deliveryAsJson(delivery: LoggedDelivery, verdict?: Verdict) {
  const { id, app, platform, provider, type, status, reason, door, source } = delivery;
  return {
    id,
    app,
    platform,
    provider,
    type,
    device_id: delivery.deviceId,
    status,
    reason,
    verdict,
    door,
    source,
    request_id: delivery.requestId,
    received_at: isoTime(delivery.receivedAtMs),
    settled_at: isoTime(delivery.settledAtMs),
    lifetime_ms: delivery.lifetimeMs,
    told: delivery.told,
    told_status: delivery.toldStatus,
    told_at: isoTime(delivery.toldAtMs),
    repeats: delivery.repeats,
    repeated_at: isoTime(delivery.repeatedAtMs),
    renewed_at: isoTime(delivery.renewedAtMs),
    answered_at: isoTime(delivery.answeredAtMs),
    wake: delivery.wake && wakeAsJson(delivery.wake),
    token_fingerprint: delivery.tokenHash,
    subject_fingerprint: delivery.subjectHash,
    attempts: delivery.attempts.map(attemptAsJson),
  };
}

function wakeAsJson(wake: DeliveryWake) {
  const { kind, stage, why } = concludeWake(wake);
  return {
    conclusion: wake.isAsked ? kind : ('not_asked' as const),
    stage,
    why,
    text: describeWake(wake),
    accepted_at: isoTime(wake.acceptedAtMs),
    knocked_at: isoTime(wake.knockedAtMs),
    knock_result: wake.knockResult,
    receipts: wake.receipts.map((receipt) => ({
      at: isoTime(receipt.atMs),
      stage: receipt.stage,
      n: receipt.n,
      t: receipt.sinceArrivalMs,
      why: receipt.why,
      shown: receipt.isShown,
      priority: receipt.priority,
      original: receipt.originalPriority,
    })),
  };
}

function attemptAsJson({ number, startedAtMs, latencyMs, ...end }: LoggedAttempt) {
  const { outcome, reason, messageId } = end;
  return {
    number,
    started_at: isoTime(startedAtMs),
    latency_ms: latencyMs,
    outcome,
    reason,
    message_id: messageId,
  };
}

export function refusalAsJson(refusal: Refusal) {
  const { code, status, door, source, app, count, limit, fields } = refusal;
  return {
    code,
    status,
    door,
    source,
    app,
    at: isoTime(refusal.atMs),
    last_at: isoTime(refusal.lastAtMs),
    count,
    request_id: refusal.requestId,
    limit,
    fields: fields?.split(','),
    device_id: refusal.deviceId,
    node_id: refusal.nodeId,
    delivery_id: refusal.deliveryId,
    token_fingerprint: refusal.tokenHash,
    subject_fingerprint: refusal.subjectHash,
    handle_fingerprint: refusal.handleHash,
    address_fingerprint: refusal.addressHash,
  };
}

function deviceAsJson({
  id,
  app,
  platform,
  registrar,
  createdAtMs,
  seenAtMs,
  deadSinceMs,
}: LoggedDevice) {
  return {
    id,
    app,
    platform,
    registrar,
    created_at: isoTime(createdAtMs),
    seen_at: isoTime(seenAtMs),
    dead_since: isoTime(deadSinceMs),
  };
}

export function quarantineAsJson(entry: QuarantineEntry) {
  const { tokenHash, app, provider, kind, reason, sinceMs, untilMs } = entry;
  return {
    token_fingerprint: tokenHash,
    app,
    provider,
    kind,
    reason,
    since: isoTime(sinceMs),
    until: isoTime(untilMs),
  };
}

function outageAsJson({ app, provider, reason, beganAtMs, endedAtMs }: Outage) {
  return { app, provider, reason, began_at: isoTime(beganAtMs), ended_at: isoTime(endedAtMs) };
}

function gapAsJson({ kind, beganAtMs, endedAtMs, unlogged }: Gap) {
  return { kind, began_at: isoTime(beganAtMs), ended_at: isoTime(endedAtMs), unlogged };
}

function entryAsJson({ atMs, what, text, deliveryId }: TimelineEntry) {
  return { at: isoTime(atMs), what, text, delivery_id: deliveryId };
}

export function statisticsAsJson({ sinceMs, lanes, refused, whyNot }: Statistics) {
  return {
    since: isoTime(sinceMs),
    lanes: lanes.map(({ p50Ms, p99Ms, ...lane }) => ({ ...lane, p50_ms: p50Ms, p99_ms: p99Ms })),
    refused: [...refused],
    why_not: [...whyNot],
  };
}

function isoTime(wallMs: number): string;
function isoTime(wallMs: number | undefined): string | undefined;
function isoTime(wallMs: number | undefined): string | undefined {
  return wallMs === undefined ? undefined : new Date(wallMs).toISOString();
}
