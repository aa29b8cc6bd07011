// Calls about which the log stores something other than deliveries, for tests of all that stores it.

import type { Refusal, RefusalsWrite } from '../../src/core/ports/records.ts';
import { NOW, sampleFingerprint, sampleId } from './store-samples.ts';

export const ORIGIN = {
  door: '/n/:handle',
  source: 'notify',
  requestId: sampleId(1_000),
  isBroadcast: true,
};

export function sampleRefusal(number: number, changes: Partial<Refusal> = {}): Refusal {
  return {
    atMs: NOW + number,
    lastAtMs: NOW + number,
    count: 1,
    requestId: sampleId(2_000 + number),
    door: '/api/v1/notify',
    source: 'notify',
    app: 'default',
    code: 'rate_limited',
    status: 429,
    limit: 'token_rate',
    tokenHash: sampleFingerprint(`token ${number}`),
    subjectHash: sampleFingerprint(`subject ${number}`),
    deviceId: sampleId(3_000 + number),
    addressHash: sampleFingerprint('address'),
    isKnown: true,
    ...changes,
  };
}

export function adding(...added: readonly Refusal[]): RefusalsWrite {
  return { added, counted: [], repeats: [] };
}

export const BARE_REFUSAL: Refusal = {
  atMs: NOW,
  lastAtMs: NOW,
  count: 1,
  door: '*',
  code: 'not_found',
  status: 404,
  isKnown: false,
};

export const FULL_REFUSAL: Refusal = {
  ...sampleRefusal(1),
  handleHash: sampleFingerprint('handle'),
  fields: 'data.payment_hash,app',
  nodeId: `02${'ab'.repeat(32)}`,
  deliveryId: sampleId(9),
};
