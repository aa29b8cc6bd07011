// The two operations that every delivery needs, as flat lists: so they cross to the writer's thread and lie in the
// journal. As objects with names they take twice the bytes and three times as long to read.

import type { Attempt, Delivery, DeliveryStatus } from '../../core/delivery.ts';
import type { OutcomeKind } from '../../core/outcome.ts';
import type { AcceptedDelivery, Settlement } from '../../core/ports/store.ts';
import type { Platform, ProviderName } from '../../core/target.ts';

export type PackedAcceptance = readonly [
  id: string,
  app: string,
  platform: Platform,
  token: string,
  appData: string | null,
  deviceId: string | null,
  provider: ProviderName,
  type: string,
  title: string,
  payload: string,
  lifetimeMs: number,
  tokenHash: string,
  subjectHash: string | null,
  receivedAtMs: number,
  expiresAtMs: number,
  owner: string,
  leaseUntilMs: number,
  keyHash: string | null,
  keyExpiresAtMs: number | null,
];

export type PackedAttempt = readonly [
  number: number,
  startedAtMs: number,
  latencyMs: number,
  outcome: OutcomeKind,
  reason: string | null,
  messageId: string | null,
];

export type PackedNext =
  | readonly [status: 'queued', dueAtMs: number, keepLeaseUntilMs: number | null]
  | readonly [status: FinalStatus, reason: string | null];

export type FinalStatus = Exclude<DeliveryStatus, 'queued'>;

export type PackedSettlement = readonly [
  deliveryId: string,
  owner: string,
  nowMs: number,
  attempt: PackedAttempt | null,
  next: PackedNext,
];

export function packAcceptance(accepted: AcceptedDelivery): PackedAcceptance {
  const { delivery, owner, leaseUntilMs, duplicateKey } = accepted;
  const { target, notification } = delivery;
  return [
    delivery.id,
    target.app,
    target.platform,
    target.token,
    target.appData ?? null,
    delivery.deviceId ?? null,
    delivery.provider,
    notification.type,
    notification.title,
    notification.payload,
    notification.lifetimeMs,
    delivery.tokenHash,
    delivery.subjectHash ?? null,
    delivery.receivedAtMs,
    delivery.expiresAtMs,
    owner,
    leaseUntilMs,
    duplicateKey?.keyHash ?? null,
    duplicateKey?.expiresAtMs ?? null,
  ];
}

export function unpackAcceptance(packed: PackedAcceptance): AcceptedDelivery {
  const [id, app, platform, token, appData, deviceId, provider, ...rest] = packed;
  const [type, title, payload, lifetimeMs, tokenHash, subjectHash, ...times] = rest;
  const [receivedAtMs, expiresAtMs, owner, leaseUntilMs, keyHash, keyExpiresAtMs] = times;
  const delivery: Delivery = {
    id,
    target: { app, platform, token, ...(appData === null ? {} : { appData }) },
    ...(deviceId === null ? {} : { deviceId }),
    provider,
    notification: { type, title, payload, lifetimeMs },
    tokenHash,
    ...(subjectHash === null ? {} : { subjectHash }),
    receivedAtMs,
    expiresAtMs,
    attempts: 0,
  };
  return {
    delivery,
    owner,
    leaseUntilMs,
    ...(keyHash === null || keyExpiresAtMs === null
      ? {}
      : { duplicateKey: { keyHash, expiresAtMs: keyExpiresAtMs } }),
  };
}

export function packSettlement(settlement: Settlement): PackedSettlement {
  const { deliveryId, owner, nowMs, attempt, next, keepLeaseUntilMs } = settlement;
  return [
    deliveryId,
    owner,
    nowMs,
    attempt === undefined ? null : packAttempt(attempt),
    next.status === 'queued'
      ? [next.status, next.dueAtMs, keepLeaseUntilMs ?? null]
      : [next.status, next.reason ?? null],
  ];
}

function packAttempt({ number, startedAtMs, latencyMs, outcome }: Attempt): PackedAttempt {
  const isDelivered = outcome.kind === 'delivered';
  return [
    number,
    startedAtMs,
    latencyMs,
    outcome.kind,
    isDelivered ? null : outcome.reason,
    isDelivered ? (outcome.messageId ?? null) : null,
  ];
}
