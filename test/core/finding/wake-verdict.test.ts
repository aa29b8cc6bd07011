// What the sentence says about the phone if its app has receipts.

import { expect, test } from 'vitest';
import { judgeDelivery } from '../../../src/core/finding/delivery-verdict.ts';
import type { DeliveryWake } from '../../../src/core/ports/receipts.ts';
import type { LoggedDelivery } from '../../../src/core/ports/store.ts';
import { attempt, CALLED, sampleLogged } from './samples.ts';

const EXPIRED = { status: 'expired', settledAtMs: CALLED + 52_000 } as const;
const LATE = {
  settledAtMs: CALLED + 14_300,
  attempts: [attempt(1, 2, 'timeout'), attempt(2, 14_250)],
};
const UNANSWERED = [1, 2, 3, 4].map((number) => attempt(number, number, 'timeout'));
const SEE = 'see docs/troubleshooting.md#delivered-but-the-phone-did-not-wake.';

function started(afterMs: number) {
  return { atMs: CALLED + afterMs, stage: 'started', n: 1 } as const;
}

/** For a phone that sent a receipt for 14 of its last 15 pushes. */
function wakeOf(
  receipts: DeliveryWake['receipts'],
  given: Partial<DeliveryWake> = {},
): DeliveryWake {
  return {
    ...{ receivedAtMs: CALLED, lifetimeMs: 60_000, provider: 'fcm', isAsked: true },
    ...{ acceptedAtMs: CALLED + 43, recent: '111111110111111', isSender: true, receipts },
    ...given,
  };
}

const CASES: readonly {
  readonly is: Partial<LoggedDelivery>;
  readonly code: string;
  readonly says: string;
}[] = [
  {
    is: { wake: wakeOf([started(1_900)]) },
    code: 'delivered',
    says: 'Delivered 43 ms after the call: Google took it at +43 ms, the phone started at +1.9 s.',
  },
  {
    // The log recorded the acceptance a moment later.
    is: { wake: wakeOf([started(1_900)], { acceptedAtMs: CALLED + 45 }) },
    code: 'delivered',
    says: 'Delivered 43 ms after the call: Google took it at +43 ms, the phone started at +1.9 s.',
  },
  {
    is: { wake: wakeOf([]) },
    code: 'delivered',
    says: 'Delivered 43 ms after the call: Google took it at +43 ms, no receipt; this phone sent one for 14 of its last 15 pushes.',
  },
  {
    is: {
      told: 'no_reply',
      wake: wakeOf([{ ...started(1_900), stage: 'failed', why: 'no_network' }]),
    },
    code: 'no_reply',
    says: `Delivered 43 ms after the call, but the phone did not reply in time: failed (no_network) at +1.9 s; ${SEE}`,
  },
  {
    is: { told: 'no_reply', wake: wakeOf([]) },
    code: 'no_reply',
    says: `Delivered 43 ms after the call, but the phone did not reply in time: no receipt; this phone sent one for 14 of its last 15 pushes; ${SEE}`,
  },
  {
    is: { ...LATE, wake: wakeOf([started(15_900)]) },
    code: 'delivered_late',
    says: 'Delivered 14 s late: a try ended with timeout. The phone started at +15.9 s.',
  },
  {
    is: { ...LATE, wake: wakeOf([]) },
    code: 'delivered_late',
    says: 'Delivered 14 s late: a try ended with timeout. No receipt; this phone sent one for 14 of its last 15 pushes.',
  },
  {
    is: {
      ...LATE,
      wake: wakeOf([{ ...started(15_900), priority: 'normal', originalPriority: 'high' }]),
    },
    code: 'delivered_late',
    says: 'Delivered 14 s late: a try ended with timeout. The phone started at +15.9 s, Android demoted it (high → normal).',
  },
  {
    is: { ...LATE, wake: wakeOf([], { isAsked: false }) },
    code: 'delivered_late',
    says: 'Delivered 14 s late: a try ended with timeout.',
  },
  {
    // The provider never answered.
    is: {
      ...{ reason: 'receipt', settledAtMs: CALLED + 1_900, attempts: [attempt(1, 2, 'timeout')] },
      wake: wakeOf([started(1_900)], { acceptedAtMs: CALLED + 1_900 }),
    },
    code: 'delivered',
    says: 'Delivered: FCM did not confirm the push, but the phone did: the phone started at +1.9 s.',
  },
  {
    // The phone's receipt came before the provider's answer.
    is: { reason: 'receipt', wake: wakeOf([started(30)]) },
    code: 'delivered',
    says: 'Delivered 43 ms after the call: the phone started at +30 ms.',
  },
  {
    // For an app without receipts.
    is: {
      ...{ reason: 'receipt', settledAtMs: CALLED + 4_000, answeredAtMs: CALLED + 4_000 },
      attempts: [attempt(1, 2, 'timeout')],
    },
    code: 'replied',
    says: 'Delivered: FCM did not confirm the push, but the phone did: it replied 4 s after the call.',
  },
  {
    is: {
      ...EXPIRED,
      attempts: [attempt(1, 2, 'timeout')],
      wake: wakeOf([started(58_000)], { acceptedAtMs: undefined }),
    },
    code: 'expired',
    says: 'Not delivered in time: a try ended with timeout, until the 52 s for which the push was useful were over. The phone started at +58.0 s, too late for a push that was useful for 52 s.',
  },
  {
    is: {
      ...EXPIRED,
      reason: 'uncertain',
      attempts: UNANSWERED,
      wake: wakeOf([started(53_000)], { acceptedAtMs: undefined }),
    },
    code: 'perhaps_delivered',
    says: 'Perhaps delivered: FCM left 4 tries unanswered, and the phone may have got one of them. The phone started at +53.0 s, too late for a push that was useful for 52 s.',
  },
];

test.each(CASES)('$code: $says', ({ is, code, says }) => {
  const around = { outages: [], gaps: [], quarantined: [], nowMs: CALLED + 3_600_000 };
  expect(judgeDelivery(sampleLogged(is), around)).toEqual({ code, sentence: says });
});
