// The cause of a late push is found in what delayed the try that was taken, not in what happened after it.

import { expect, test } from 'vitest';
import { judgeDelivery } from '../../../src/core/finding/delivery-verdict.ts';
import type { Gap, Outage } from '../../../src/core/ports/records.ts';
import type { LoggedDelivery } from '../../../src/core/ports/store.ts';
import { attempt, CALLED, sampleLogged } from './samples.ts';

function judge(
  is: Partial<LoggedDelivery>,
  outages: readonly Outage[] = [],
  gaps: readonly Gap[] = [],
) {
  const around = { outages, gaps, quarantined: [], nowMs: CALLED + 60_000 };
  return judgeDelivery(sampleLogged(is), around);
}

const OUTAGE: Outage = {
  app: 'default',
  provider: 'fcm',
  reason: 'UNAVAILABLE',
  beganAtMs: CALLED + 2_100,
  endedAtMs: CALLED + 9_000,
};

test.each([
  ['seen by its tries alone', []],
  ['seen by others, too', [OUTAGE]],
])('a late answer is the cause, not an outage that began after its try, %s', (_, outages) => {
  const late = {
    settledAtMs: CALLED + 3_010,
    attempts: [{ ...attempt(1, 2), latencyMs: 3_000 }, attempt(2, 2_003, 'UNAVAILABLE')],
  };
  expect(judge(late, outages)).toEqual({
    code: 'delivered_late',
    sentence: 'Delivered 3 s late: FCM took 3 s to answer.',
  });
});

test('names several outages from the start of the first one to the end of the last one', () => {
  const again = { ...OUTAGE, beganAtMs: CALLED + 20_000, endedAtMs: CALLED + 30_000 };
  const first = { ...OUTAGE, beganAtMs: CALLED - 1_000 };
  const attempts = [attempt(1, 2, 'UNAVAILABLE'), attempt(2, 30_100)];
  expect(judge({ settledAtMs: CALLED + 30_200, attempts }, [first, again])).toEqual({
    code: 'delivered_late_outage',
    sentence: 'Delivered 30 s late: FCM was failing twice from 18:12:21 to 18:12:52.',
  });
});

const LATE = {
  settledAtMs: CALLED + 30_200,
  attempts: [attempt(1, 2, 'UNAVAILABLE'), attempt(2, 30_100)],
};

test('counts an outage once that two machines saw', () => {
  const here = { ...OUTAGE, beganAtMs: CALLED - 1_000, endedAtMs: CALLED + 30_000 };
  const there = { ...OUTAGE, beganAtMs: CALLED + 1_000, endedAtMs: CALLED + 20_000 };
  expect(judge(LATE, [here, there]).sentence).toBe(
    'Delivered 30 s late: FCM was failing from 18:12:21 to 18:12:52.',
  );
  expect(judge(LATE, [{ ...here, endedAtMs: undefined }, there]).sentence).toBe(
    'Delivered 30 s late: FCM was failing since 18:12:21.',
  );
});

test('counts an outage once in which nds was restarted', () => {
  const stoppedAtMs = CALLED + 5_000;
  const before = { ...OUTAGE, beganAtMs: CALLED - 1_000, endedAtMs: stoppedAtMs };
  const after = { ...OUTAGE, beganAtMs: CALLED + 8_000, endedAtMs: CALLED + 30_000 };
  const stop = { kind: 'stopped', unlogged: 0, endedAtMs: CALLED + 7_000 } as const;
  expect(judge(LATE, [before, after], [{ ...stop, beganAtMs: stoppedAtMs }]).sentence).toBe(
    'Delivered 30 s late: FCM was failing from 18:12:21 to 18:12:52.',
  );
});

test('names the outcome of every earlier try', () => {
  const attempts = [
    attempt(1, 2, 'timeout'),
    attempt(2, 3_000, 'connection_lost'),
    attempt(3, 4_000, 'timeout'),
    attempt(4, 14_250),
  ];
  expect(judge({ settledAtMs: CALLED + 14_300, attempts })).toEqual({
    code: 'delivered_late',
    sentence: 'Delivered 14 s late: 3 tries ended with timeout and connection_lost.',
  });
});

test('gives no duration for a wait in which the clock was set back', () => {
  const attempts = [attempt(1, 2, 'UNAVAILABLE'), attempt(2, -7_199_100)];
  expect(judge({ settledAtMs: CALLED - 7_199_000, attempts })).toEqual({
    code: 'delivered',
    sentence:
      'Delivered (how long after the call is not known: the clock was set back): FCM took the push; if the phone did not wake, see docs/troubleshooting.md#delivered-but-the-phone-did-not-wake.',
  });
});
