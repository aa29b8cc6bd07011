// The parts that the queries and answers of the operators' routes share, and how a query is read: unknown, repeated and
// malformed parameters are named, their values never.

import { z } from 'zod';
import { ServiceError } from '../../core/errors.ts';
import { TYPE_NAME } from '../../core/notification.ts';
import type { Clock } from '../../core/ports/clock.ts';
import { DEVICE_BOUNDS } from '../../core/ports/devices.ts';
import { MAX_APP_NAME_CHARACTERS } from '../../core/target.ts';
import type { HttpContext } from '../context.ts';
import { toFaults } from '../devices/device-body.ts';

const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

export function pageLimit(byDefault: number = DEFAULT_PAGE) {
  return z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, `must be a whole number from 1 to ${MAX_PAGE}`)
    .transform(Number)
    .refine((limit) => limit <= MAX_PAGE, `must be a whole number from 1 to ${MAX_PAGE}`)
    .default(byDefault)
    .meta({ description: `From 1 to ${MAX_PAGE}; ${byDefault} if absent.` });
}

/** The `next` of an earlier page, whatever it looks like. */
export const pageCursor = z
  .string()
  .regex(/^[1-9][0-9]{0,14}$/, 'must be the `next` of an earlier page')
  .transform(Number)
  .optional()
  .meta({ description: 'The `next` of an earlier page.' });

/** A value that rows are searched by. PostgreSQL cannot store a NUL and refuses to search for one. */
export function filter(maxCharacters: number) {
  return z
    .string()
    .min(1, 'must not be empty')
    .max(maxCharacters, `must have at most ${maxCharacters} characters`)
    .refine((value) => !value.includes('\0'), 'must not contain a NUL');
}

export const appName = filter(MAX_APP_NAME_CHARACTERS);

export const notificationType = z.string().regex(TYPE_NAME, 'must be a notification type');

export const listDevicesQuery = z.strictObject({
  /** All devices, page by page, if absent. */
  user: z
    .string()
    .min(1, 'must not be empty')
    .max(
      DEVICE_BOUNDS.userCharacters,
      `must have at most ${DEVICE_BOUNDS.userCharacters} characters`,
    )
    .optional(),
  app: appName.optional(),
  cursor: pageCursor,
  limit: pageLimit(),
});

export const fingerprint = z
  .string()
  .regex(/^[0-9a-f]{32}$/i, 'must be a fingerprint: 32 hex digits')
  .transform((value) => value.toLowerCase());

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SPAN = /^([1-9][0-9]{0,6})([smhd])$/;
const isoTime = z.iso.datetime({ offset: true });

/** An ISO time with its zone, or how long ago: `90s`, `15m`, `24h`, `7d`. */
export const since = z
  .string()
  .refine(
    (value) => SPAN.test(value) || isoTime.safeParse(value).success,
    'must be a time such as 2026-11-26T03:00:00Z, or how long ago, such as 15m, 24h or 7d',
  )
  .optional()
  .meta({ description: 'A time with its zone, or how long ago: `15m`, `24h`, `7d`.' });

/** Wall time, Unix milliseconds. */
export function sinceMs(value: string | undefined, clock: Clock): number | undefined {
  if (value === undefined) return undefined;
  const [, count, unit] = SPAN.exec(value) ?? [];
  if (count === undefined) return Math.max(0, Date.parse(value));
  const unitMs = Object.entries(UNITS_MS).find(([name]) => name === unit)?.[1] ?? 0;
  return Math.max(0, clock.wallMs() - Number(count) * unitMs);
}

/** Throws `bad_query` with every fault. */
export function checkQuery<Output>(schema: z.ZodType<Output>, c: HttpContext): Output {
  const given = Object.entries(c.req.queries());
  const repeated = given.filter(([, values]) => values.length > 1);
  const parsed = schema.safeParse(
    Object.fromEntries(given.map(([name, [value]]) => [name, value])),
  );
  if (parsed.success && repeated.length === 0) return parsed.data;
  const faults = repeated.map(([name]) => {
    return { field: name.slice(0, MAX_NAME_CHARACTERS), message: 'is given more than once' };
  });
  if (!parsed.success) faults.push(...parsed.error.issues.flatMap(toFaults));
  throw new ServiceError('bad_query', { faults });
}

const MAX_NAME_CHARACTERS = 100;

export function isoOf(ms: number): string;
export function isoOf(ms: number | undefined): string | undefined;
export function isoOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
