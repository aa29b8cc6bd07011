// When a digest is due, and its id.

import type { DigestCount, DigestPeriod } from '../ports/events.ts';

const PERIOD_MS: Readonly<Record<DigestPeriod, number>> = {
  hourly: 3_600_000,
  daily: 86_400_000,
};
/** By then everything that happened right before the full hour is recorded. */
const GRACE_MS = 60_000;

/** The last full hour or midnight, UTC, for which a digest may be sent. */
export function boundaryOf(period: DigestPeriod, wallMs: number): number {
  const periodMs = PERIOD_MS[period];
  return Math.floor((wallMs - GRACE_MS) / periodMs) * periodMs;
}

/** The same for the same content. */
export function digestId(endpointId: string, counts: readonly DigestCount[]): string {
  const fromMs = Math.min(...counts.map((count) => count.fromMs));
  const toMs = Math.max(...counts.map((count) => count.toMs));
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  return `evt_digest_${endpointId}_${fromMs}_${toMs}_${total}`;
}
