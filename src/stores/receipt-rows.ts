// The rows that statements about receipts and wakes read, declared as those of rows.ts.

import { rows } from './rows.ts';

/** A delivery that a receipt belongs to, with what is known of its wake. */
export const WOKEN_DELIVERIES = rows('deliveries LEFT JOIN wakes USING (row_id)', {
  row_id: 'integer',
  id: 'text',
  app: 'text',
  platform: 'text',
  provider: 'text',
  type: 'text',
  token_hash: 'text',
  device_id: 'text?',
  attempts: 'integer',
  received_at_ms: 'integer',
  'wakes.accepted_at_ms': 'integer?',
  'wakes.push_number': 'integer?',
  'wakes.knocked_at_ms': 'integer?',
  'wakes.knock_result': 'text?',
});

export const WAKES = rows('wakes JOIN deliveries USING (row_id)', {
  row_id: 'integer',
  received_at_ms: 'integer',
  renewed_at_ms: 'integer?',
  lifetime_ms: 'integer',
  provider: 'text',
  answered_at_ms: 'integer?',
  asked: 'integer',
  accepted_at_ms: 'integer?',
  recent: 'text',
  sender: 'integer',
  knocked_at_ms: 'integer?',
  knock_outcome: 'text?',
  knock_result: 'text?',
});

export const RECEIPTS = rows('receipts', {
  row_id: 'integer',
  received_at_ms: 'integer',
  stage: 'text',
  n: 'integer',
  since_arrival_ms: 'integer?',
  why: 'text?',
  shown: 'integer?',
  priority: 'text?',
  original_priority: 'text?',
});

export const WAKE_HISTORIES = rows('wake_histories', {
  token_hash: 'text',
  token_sha256: 'text?',
  app: 'text',
  platform: 'text',
  pushes: 'integer',
  recent: 'text',
  wakes_ms: 'text',
  has_started: 'integer',
  unanswered: 'integer',
  unanswered_since_ms: 'integer?',
  last_push_at_ms: 'integer?',
  last_wake_at_ms: 'integer?',
  silent_since_ms: 'integer?',
  demoted_at_ms: 'integer?',
  knocks_at_ms: 'text',
  useless_knocks: 'integer',
  useless_at_ms: 'integer?',
});

/** Pushes whose receipt may be missed. */
export const AWAITED_RECEIPTS = rows('awaited_receipts', {
  row_id: 'integer',
  accepted_at_ms: 'integer',
  until_ms: 'integer',
  token_sha256: 'text',
  subject_sha256: 'text?',
});

export const MISSED_DELIVERIES = rows('deliveries', {
  row_id: 'integer',
  id: 'text',
  app: 'text',
  provider: 'text',
  type: 'text',
  token_hash: 'text',
  device_id: 'text?',
});
