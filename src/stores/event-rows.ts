// The rows that statements about events and endpoints read, declared as those of rows.ts.

import { rows } from './rows.ts';

/** Of a delivery that ends, before its content is erased. */
export const ENDED_DELIVERIES = rows('deliveries LEFT JOIN queue USING (row_id)', {
  'deliveries.id': 'text',
  'deliveries.app': 'text',
  'deliveries.provider': 'text',
  'deliveries.type': 'text',
  'deliveries.device_id': 'text?',
  'deliveries.token_hash': 'text',
  'queue.sealed': 'blob?',
});

export const WISHES = rows('endpoints', {
  row_id: 'integer',
  id: 'text',
  app: 'text?',
  enabled_events: 'text',
  digest: 'text?',
});

export const ENDPOINTS = rows('endpoints', {
  id: 'text',
  app: 'text?',
  enabled_events: 'text',
  description: 'text?',
  status: 'text',
  disabled_reason: 'text?',
  configured: 'integer',
  created_at_ms: 'integer',
  cursor: 'integer',
  failing_since_ms: 'integer?',
  refused: 'integer',
  sealed: 'blob',
  digest: 'text?',
});

export const EVENTS = rows('events', {
  row_id: 'integer',
  id: 'text',
  at_ms: 'integer',
  type: 'text',
  app: 'text?',
  provider: 'text?',
  delivery_id: 'text?',
  device_id: 'text?',
  notification_type: 'text?',
  reason: 'text?',
  token_sha256: 'text?',
  subject_sha256: 'text?',
  endpoint_id: 'text?',
});

export const DROPPED_EVENTS = rows('events', {
  row_id: 'integer',
  at_ms: 'integer',
  type: 'text',
  app: 'text?',
  endpoint_id: 'text?',
});

export const ENDPOINT_ATTEMPTS = rows('endpoint_attempts', {
  event_id: 'text',
  type: 'text',
  at_ms: 'integer',
  latency_ms: 'integer',
  outcome: 'text',
  status: 'integer?',
  reason: 'text?',
});

export const DIGEST_COUNTS = rows('digest_counts', {
  type: 'text',
  app: 'text',
  reason: 'text',
  count: 'integer',
  from_ms: 'integer',
  to_ms: 'integer',
});
