// What a variable of the configuration may hold: numbers, times, rates, addresses. An invalid value is refused with a
// sentence that says what is valid; nothing falls back to a default in silence.

import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { TYPE_NAME, usefulUntilMs } from '../core/notification.ts';
import { canBeFile, canBeRead, isServer } from './files.ts';

export const text = z.string().min(1);

/** A key that was pasted here by mistake creates no file. */
export const database = z.string().superRefine((value, context) => {
  if (isServer(value)) {
    const fault = faultOfServer(value);
    if (fault !== undefined) context.addIssue(fault);
  } else if (OTHER_SERVER.test(value)) {
    context.addIssue(
      'must be the path of a SQLite file, or postgres://user:password@host:port/database',
    );
  } else if (/^file:/i.test(value)) {
    context.addIssue('must be a plain path such as /data/nds.sqlite, not a file: URL');
  } else if (!canBeFile(value)) {
    context.addIssue('must be the path of a file such as ./data/nds.sqlite');
  }
});

/** Such as `mysql://`; the drive letter of a path is one character. */
const OTHER_SERVER = /^[a-z][a-z0-9+.-]+:\/\//i;
/** Those of libpq's modes that define for certain whether the connection is encrypted. */
const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'];

function faultOfServer(value: string): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || url.hostname === '' || url.pathname.length <= 1) {
    return 'must be postgres://user:password@host:port/database';
  }
  const mode = url.searchParams.get('sslmode');
  if (mode !== null && !SSL_MODES.includes(mode)) {
    return `must have sslmode=${SSL_MODES.slice(0, -1).join(', ')} or ${SSL_MODES.at(-1)}`;
  }
  if (mode === 'verify-ca' && !url.searchParams.has('sslrootcert')) {
    return 'must have sslrootcert=FILE beside sslmode=verify-ca';
  }
  const unreadable = ['sslrootcert', 'sslcert', 'sslkey'].find((name) => {
    const path = url.searchParams.get(name);
    return path !== null && !canBeRead(path);
  });
  return (
    unreadable && `has an ${unreadable} that cannot be read: it must name a file of this machine`
  );
}

export const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port number')
  .transform(Number)
  .refine((value) => value <= 65_535, 'must be a port number');
/** `HOST:PORT`, `[IPv6]:PORT` or `:PORT`. */
export const listenAddress = z
  .string()
  .regex(/^(\[[0-9a-f:.]+\]|[^:\s[\]]*):\d{1,5}$/i, 'must be HOST:PORT or :PORT')
  .refine(
    (value) => Number(value.slice(value.lastIndexOf(':') + 1)) <= 65_535,
    'must end in a port number, at most 65535',
  );

/** Where a provider is reached: nothing but scheme, host and port. */
export const httpsOrigin = z
  .url({ protocol: /^https$/, error: 'must be an https address such as https://host' })
  .refine(isOrigin, 'must be an https address such as https://host or https://host:port, no more')
  .transform((value) => value.replace(/\/+$/, ''));

/** Only what the transport can use; the message repeats nothing, because a proxy's URL may hold a password. */
export const egressProxy = z.string().transform((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isProxy = url?.protocol === 'http:' && url.hostname !== '';
  if (isProxy && isPercentEncoded(url.username) && isPercentEncoded(url.password)) return url;
  const message = isProxy
    ? 'must have user and password percent-encoded: a % in them is written %25'
    : 'must be http://host:port, with user:password@ before the host if needed';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** A base URL, to which paths are added. */
export const webUrl = z
  .url({
    protocol: /^https?$/,
    error: 'must be an http or https URL such as https://nds.example.com',
  })
  .refine((value) => !/[?#@]/.test(value), 'must be a URL without a query, a fragment or a user')
  .transform((value) => value.replace(/\/+$/, ''))
  .refine((value) => value.indexOf('//') === value.lastIndexOf('//'), 'must hold `//` only once');

function isOrigin(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { href, origin } = new URL(value);
  return href === `${origin}/`;
}

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

/** The phone needs the last seconds of a lifetime, so a shorter one would leave no time to send. */
export const lifetime = duration('0ms', '28d').refine(
  (ms) => usefulUntilMs(ms, ms) > 0,
  'must be above 8s: the phone needs the last 8 seconds of a lifetime',
);

/** `type=24h,type=30s`. */
export const lifetimes = z.string().transform((value, context) => {
  const result: Record<string, number> = {};
  for (const part of value
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean)) {
    const equals = part.indexOf('=');
    const type = part.slice(0, Math.max(0, equals));
    const parsed = duration('0ms', '28d').safeParse(part.slice(equals + 1));
    if (!TYPE_NAME.test(type) || !parsed.success) {
      context.addIssue('must be a list such as payment_received=60s,swap_updated=24h');
      return z.NEVER;
    }
    if (!lifetime.safeParse(part.slice(equals + 1)).success) {
      context.addIssue('must hold lifetimes above 8s: the phone needs the last 8 seconds of one');
      return z.NEVER;
    }
    if (Object.hasOwn(result, type)) {
      context.addIssue('must hold each type once');
      return z.NEVER;
    }
    result[type] = parsed.data;
  }
  return result;
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

const MIN_SECRET_CHARACTERS = 16;
const TOO_SHORT = `must have at least ${MIN_SECRET_CHARACTERS} characters`;

/** A secret with a comma could not be put into the list of earlier ones. */
export const secret = z
  .string()
  .min(MIN_SECRET_CHARACTERS, TOO_SHORT)
  .refine((value) => !value.includes(','), 'must not hold commas, which NDS_SECRET_PREVIOUS needs');

export const secretList = z
  .string()
  .transform(listOf)
  .refine(
    (secrets) => secrets.every(({ length }) => length >= MIN_SECRET_CHARACTERS),
    `must hold secrets of ${MIN_SECRET_CHARACTERS} or more characters, separated by commas`,
  );

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

/** Networks as CIDRs; absent if the list is empty. */
export const networkList = z.string().transform((value, context): BlockList | undefined => {
  const entries = listOf(value);
  const networks = new BlockList();
  for (const entry of entries) {
    const [, address = '', bits = ''] = /^([0-9a-f.:]{2,45})\/(\d{1,3})$/i.exec(entry) ?? [];
    const family = isIP(address);
    if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) {
      context.addIssue('must be a list of networks such as 10.0.0.0/8,2001:db8::/32');
      return z.NEVER;
    }
    networks.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  }
  return entries.length === 0 ? undefined : networks;
});
