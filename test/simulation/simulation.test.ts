// A few fixed seeds; `npm run simulate -- --seeds 1000` runs many. The message of a failure names the command that
// replays its seed.

import { expect, test } from 'vitest';
import { describeFailure, type SimulationReport, simulate } from './simulate.ts';

const SEEDS = [318, 313, 453];
const DELIVERIES = 2_500;
const FLEET_SEEDS = [1, 232, 341];
const FLEET_DELIVERIES = 2_500;

/** What must have happened at least once in these runs, because otherwise they would prove nothing. */
const MUST_HAPPEN = [
  'crashes',
  'deaths_at_start',
  'stops',
  'jumps',
  'taken',
  'disk_slow',
  'disk_lied',
  'outcome_delivered',
  'outcome_retry',
  'outcome_unregistered',
  'outcome_rejected',
  'outcome_misconfigured',
  'outcome_throws',
  'retry_not_processed',
  'retry_uncertain',
  'retry_unanswered',
  'retry_answered',
  'retry_not_started',
  'retry_throttled_token',
  'retry_throttled_project',
  'retry_throttled',
  'late_delivered',
  'renewed',
  'token_held',
  'sky_hanging',
  'sky_slow',
  'sky_dark',
  'sky_failing',
  'sky_overloaded',
  'sky_throttling',
  'sky_resetting',
  'sky_losing',
  'sky_mixed',
  'sky_wrong_environment',
  'sky_forbidding',
  'breaker_changed',
  'condemning_stopped',
  'store_failed',
  'store_recovered',
  'ended_delivered',
  'ended_expired',
  'ended_misconfigured',
  'told_delivered',
  'told_queued',
  'told_duplicate',
  'told_expired',
  'told_overloaded',
  'told_rate_limited',
  'told_shutting_down',
  'told_store_unavailable',
  'told_token_unregistered',
  'told_token_rejected',
  'told_token_throttled',
  'told_provider_unavailable',
  'told_internal',
  'told_replied',
  'told_no_reply',
];

function expectGood(report: SimulationReport, deliveries: number): void {
  expect(report.violations, describeFailure(report, deliveries)).toEqual([]);
  expect(report.deliveries).toBeGreaterThanOrEqual(deliveries);
}

test('every rule holds through crashes, outages, floods, sick disks and jumping clocks', async () => {
  const reports = await Promise.all(
    SEEDS.map((seed) => simulate({ seed, deliveries: DELIVERIES })),
  );
  for (const report of reports) expectGood(report, DELIVERIES);
  const happened = new Set(reports.flatMap(({ counts }) => Object.keys(counts)));
  expect(MUST_HAPPEN.filter((what) => !happened.has(what))).toEqual([]);
}, 180_000);

/** What must have happened to several machines, besides what happens to one. */
const MUST_HAPPEN_TO_MACHINES = [
  'crashes',
  'stops',
  'pauses',
  'jumps',
  'disk_unreachable',
  'disk_lied',
  'disk_slow',
  'taken_over',
  'taken_over_unaccepted',
  'left_behind_checked',
  'lease_lost',
  'key_unclaimed',
  'renewed',
  'told_duplicate',
];

test('every rule holds for two machines over one store that die, stand still and lose their connection', async () => {
  const reports = await Promise.all(
    FLEET_SEEDS.map((seed) => simulate({ seed, deliveries: FLEET_DELIVERIES, machines: 2 })),
  );
  for (const report of reports) {
    expect(report.violations, describeFailure(report, FLEET_DELIVERIES, 2)).toEqual([]);
  }
  const happened = new Set(reports.flatMap(({ counts }) => Object.keys(counts)));
  expect(MUST_HAPPEN_TO_MACHINES.filter((what) => !happened.has(what))).toEqual([]);
});

test('a seed replays exactly, whatever else the machine does', async () => {
  const [first, second, other] = await Promise.all(
    [302, 302, 300].map((seed) => simulate({ seed, deliveries: 1_500 })),
  );
  expect(first?.counts).toMatchObject({
    crashes: expect.any(Number),
    stops: expect.any(Number),
  });
  expect(second?.digest).toBe(first?.digest);
  expect(second?.counts).toEqual(first?.counts);
  expect(second?.lines).toEqual(first?.lines);
  expect(other?.digest).not.toBe(first?.digest);
});
