// Signed times (RFC 3339 with a zone, Unix time in digits), how far they may be from now, and how long a
// repeat is recognised.

import { ServiceError } from '../core/errors.ts';

/** Any number of fractional digits: LDK's chrono writes 0, 3, 6 or 9 of them, and `+00:00` for `Z`. */
const RFC_3339 =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d+)?(?:Z|([+-])(\d{2}):(\d{2}))$/i;
const MAX_CHARACTERS = 64;
const MINUTE_MS = 60_000;

/** Senders repeat an event for days. If no signed time limits it, a replay is recognised for this long. */
export const REPEAT_WINDOW_MS = 7 * 24 * 60 * MINUTE_MS;

/** Unix milliseconds; undefined unless the text is a date-time of RFC 3339, which always has a zone. */
export function parseRfc3339(text: string): number | undefined {
  const match = text.length <= MAX_CHARACTERS ? RFC_3339.exec(text) : null;
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', sign, zoneHour, zoneMinute] =
    match;
  const midnightMs = Date.parse(`${year}-${month}-${day}T00:00:00Z`);
  // Date.parse reads a 31st of February as the 3rd of March.
  const isDay = new Date(midnightMs || 0).toISOString().startsWith(`${year}-${month}-${day}`);
  const isTime = Number(hour) < 24 && Number(minute) < 60 && Number(second) <= 60;
  const isZone = Number(zoneHour ?? 0) < 24 && Number(zoneMinute ?? 0) < 60;
  if (!isDay || !isTime || !isZone) return undefined;
  const zoneMinutes = Number(zoneHour ?? 0) * 60 + Number(zoneMinute ?? 0);
  const minutes = Number(hour) * 60 + Number(minute) - (sign === '-' ? -zoneMinutes : zoneMinutes);
  // The 60th second is a leap second: the next minute's first.
  const milliseconds = Number(second) * 1_000 + Number(fraction.slice(1, 4).padEnd(3, '0'));
  return midnightMs + minutes * MINUTE_MS + milliseconds;
}

/** Only digits: the libraries differ on `1.5` and `5x`. Undefined for anything else. */
export function parseDigits(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

export interface SignedTime {
  /** The header it came in. */
  readonly header: string;
  /** Undefined if the header was missing or malformed. */
  readonly timeMs: number | undefined;
  readonly nowMs: number;
  /** Both ways, the limit itself included; undefined switches the check off. */
  readonly toleranceMs: number | undefined;
}

/** Throws `stale_timestamp` unless the time is there, well-formed and near enough. */
export function requireFresh({ header, timeMs, nowMs, toleranceMs }: SignedTime): void {
  if (timeMs === undefined) refuse(`The header ${header} is missing or malformed.`);
  if (toleranceMs === undefined || Math.abs(nowMs - timeMs) <= toleranceMs) return;
  const seconds = Math.round((timeMs - nowMs) / 1_000);
  const side = seconds < 0 ? 'old' : 'ahead';
  refuse(
    `The signed time is ${Math.abs(seconds)} s ${side}; ${toleranceMs / 1_000} s are allowed.`,
  );
}

function refuse(detail: string): never {
  throw new ServiceError('stale_timestamp', { detail });
}
