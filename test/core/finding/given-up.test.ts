// Deliveries that ended, or were queued, before their caller had its answer.

import { expect, test } from 'vitest';
import { judgeDelivery } from '../../../src/core/finding/delivery-verdict.ts';
import { attempt, CALLED, sampleLogged } from './samples.ts';

const AROUND = { outages: [], gaps: [], quarantined: [], nowMs: CALLED + 40 };

test('a push that was given up at once did not wait for the end of its useful life', () => {
  const delivery = sampleLogged({
    status: 'expired',
    settledAtMs: CALLED + 9,
    reason: 'QUOTA_EXCEEDED',
    attempts: [attempt(1, 2, 'QUOTA_EXCEEDED')],
  });
  expect(judgeDelivery(delivery, AROUND)).toEqual({
    code: 'expired_throttled',
    sentence:
      'Not delivered: FCM held the token back (QUOTA_EXCEEDED), and no other try could start in the 52 s for which the push was useful.',
  });
});

test('a push that was queued without a try waits, and is not being sent', () => {
  const queued = { status: 'queued', settledAtMs: undefined, attempts: [] } as const;
  expect(judgeDelivery(sampleLogged(queued), AROUND).code).toBe('sending');
  expect(judgeDelivery(sampleLogged({ ...queued, told: 'queued' }), AROUND)).toEqual({
    code: 'queued',
    sentence: 'Waiting for its first try; it is tried automatically until 18:13:14.',
  });
});
