// What a variable of the configuration may hold: numbers, times, rates, addresses. A value that does not
// fit is refused with what would; nothing falls back to a default in silence.

import { z } from 'zod';

export const text = z.string().min(1);
export const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port number')
  .transform(Number)
  .refine((value) => value <= 65_535, 'must be a port number');
export const httpsUrl = z
  .url({ protocol: /^https$/, error: 'must be an https URL such as https://host' })
  .transform((value) => value.replace(/\/+$/, ''));
export const webUrl = z
  .url({
    protocol: /^https?$/,
    error: 'must be an http or https URL such as https://nds.example.com',
  })
  .transform((value) => value.replace(/\/+$/, ''));

export function integer(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message);
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A span of time such as `500ms`, `2s`, `5m`, `24h` or `30d`, in milliseconds. */
export function duration(min: string, max: string) {
  const message = `must be a time from ${min} to ${max}, such as 500ms, 2s, 5m, 24h or 30d`;
  const toMs = (value: string): number => {
    const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value);
    return Number(match?.[1]) * (UNITS_MS[match?.[2] ?? ''] ?? Number.NaN);
  };
  return z
    .string()
    .transform(toMs)
    .refine((value) => value >= toMs(min) && value <= toMs(max), message);
}

/** `burst/perSecond`, such as `60/1`. */
export const rate = z
  .string()
  .regex(/^\d{1,7}\/\d{1,7}(\.\d{1,3})?$/, 'must be BURST/PER_SECOND, such as 60/1')
  .transform((value) => {
    const [burst, perSecond] = value.split('/');
    return { burst: Number(burst), perSecond: Number(perSecond) };
  })
  .refine(({ burst, perSecond }) => burst >= 1 && perSecond > 0, 'both parts must be above 0');

/** `type=24h,type=30s`. */
export const lifetimes = z.string().transform((value, context) => {
  const result: Record<string, number> = {};
  for (const part of value
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean)) {
    const [type, span] = part.split('=');
    const parsed = duration('1s', '28d').safeParse(span ?? '');
    if (type === undefined || !/^[a-z0-9_]{1,64}$/.test(type) || !parsed.success) {
      context.addIssue('must be a list such as payment_received=60s,swap_updated=24h');
      return z.NEVER;
    }
    result[type] = parsed.data;
  }
  return result;
});

/** A JSON object of type to title. */
export const titles = z.string().transform((value, context) => {
  try {
    const parsed = z
      .record(z.string().max(64), z.string().min(1).max(200))
      .safeParse(JSON.parse(value));
    if (parsed.success) return parsed.data;
  } catch {}
  context.addIssue('must be a JSON object such as {"payment_received":"Zahlung kommt an"}');
  return z.NEVER;
});

export const onOrOff = z
  .enum(['on', 'off'], 'must be on or off')
  .transform((value) => value === 'on');

const MIN_KEY_CHARACTERS = 16;

function listOf(value: string): readonly string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Bearer tokens. */
export const keyList = z
  .string()
  .transform(listOf)
  .refine(
    (keys) => keys.every((key) => key.length >= MIN_KEY_CHARACTERS && /^[\x21-\x7e]+$/.test(key)),
    `must hold keys of ${MIN_KEY_CHARACTERS} or more visible ASCII characters`,
  );

/** `APP=KEY`, the bearer token of an app. */
export const appKeyList = z.string().transform((value, context) => {
  const keys = listOf(value).map((part) => {
    const equals = part.indexOf('=');
    return { app: part.slice(0, Math.max(0, equals)), key: part.slice(equals + 1) };
  });
  const isGood = keys.every(
    ({ app, key }) =>
      /^[A-Za-z0-9._-]{1,64}$/.test(app) &&
      key.length >= MIN_KEY_CHARACTERS &&
      /^[\x21-\x7e]+$/.test(key),
  );
  if (isGood) return keys;
  context.addIssue(
    `must be a list of APP=KEY with keys of ${MIN_KEY_CHARACTERS} or more characters`,
  );
  return z.NEVER;
});
