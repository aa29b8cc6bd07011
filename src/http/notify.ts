// The routes of the Breez family: POST /api/v1/notify and /notify with a token in the query, and
// POST /api/v1/notify/:handle and /n/:handle for a registered device.
//
// The query has platform, token, app_data, app, environment. If a parameter is repeated, the first counts, `+` is a
// blank and unknown parameters are ignored, as in breez/notify.

import { NOTIFY_DOOR } from '../core/devices/doors.ts';
import { recipientOf } from '../core/devices/registry.ts';
import { ServiceError } from '../core/errors.ts';
import type { Fault } from '../core/fault.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { DeviceStore } from '../core/ports/devices.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { Parsed } from '../core/ports/source.ts';
import {
  createTarget,
  DEFAULT_APP,
  MAX_APP_NAME_CHARACTERS,
  type Target,
  tokenFault,
} from '../core/target.ts';
import { readBody } from './body.ts';
import type { HttpContext } from './context.ts';
import { type DeliveryParts, deliver } from './deliver.ts';
import { resolveHandle } from './handle.ts';
import type { AddressLimit } from './limits/address-limit.ts';
import type { ClientAddressOf } from './limits/client-address.ts';

export interface NotifyParts extends DeliveryParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly devices: DeviceStore;
  /** Reads a body of the Breez family; throws `bad_body`. */
  readonly parse: (bytes: Uint8Array) => Parsed;
  /** Absent if no proxy is trusted. */
  readonly clientAddressOf: ClientAddressOf | undefined;
  readonly addressLimit: AddressLimit;
  /** Whether only a push can show whether the provider accepts the token. */
  readonly isUnknownToken: (target: Target) => boolean;
}

/** Checks size, query and body, then does what the notification asks for. */
export async function handleNotify(parts: NotifyParts, c: HttpContext): Promise<Response> {
  const bytes = await readBody(c);
  const target = parseTarget(c.req.url);
  c.set('app', target.app);
  c.set('recipient', { target });
  if (!parts.rules.of(target.app).takesTokens) throw new ServiceError('not_found', NO_TOKENS);
  const parsed = parts.parse(bytes);
  const push = () => deliver(parts, c, { parsed, recipient: { target, source: NOTIFY_DOOR } });
  const address = parts.clientAddressOf?.(c.env.incoming);
  if (address === undefined || parsed.kind === 'ignored') return await push();
  const isUnknownToken = parts.isUnknownToken(target);
  return await parts.addressLimit.guard({ address, isUnknownToken }, push);
}

/** A vendor turns the token form off when all wallets have handles. */
const NO_TOKENS = {
  detail: 'This app takes no push tokens in URLs: use the URL of a registered device.',
};

/** The same for a registered device. */
export async function handleNotifyByHandle(parts: NotifyParts, c: HttpContext): Promise<Response> {
  const bytes = await readBody(c);
  const device = await resolveHandle(parts, c, NOTIFY_DOOR);
  const recipient = recipientOf(device, NOTIFY_DOOR);
  return await deliver(parts, c, { parsed: parts.parse(bytes), recipient });
}

const NAMES = ['platform', 'token', 'app_data', 'app', 'environment'] as const;

/** Throws `bad_query` with every fault; values are never repeated. */
function parseTarget(rawUrl: string): Target {
  const mark = rawUrl.indexOf('?');
  const { values, faults } = readParameters(mark < 0 ? '' : rawUrl.slice(mark + 1));
  const { platform, token, app_data: appData, environment } = values;
  const app = values.app || DEFAULT_APP;

  const isPlatform = platform === 'ios' || platform === 'android';
  if (!isPlatform) faults.push({ field: 'platform', message: 'must be ios or android' });
  const fault =
    token === undefined ? 'is required' : tokenFault(isPlatform ? platform : 'android', token);
  if (fault !== undefined && !faults.some(({ field }) => field === 'token')) {
    faults.push({ field: 'token', message: fault });
  }
  if (app.length > MAX_APP_NAME_CHARACTERS) {
    faults.push({
      field: 'app',
      message: `must have at most ${MAX_APP_NAME_CHARACTERS} characters`,
    });
  }
  const isEnvironment = environment === 'production' || environment === 'sandbox';
  if (environment !== undefined && !isEnvironment) {
    faults.push({ field: 'environment', message: 'must be production or sandbox' });
  }
  if (faults.length > 0 || !isPlatform || token === undefined) {
    throw new ServiceError('bad_query', { faults });
  }
  const own = isEnvironment ? environment : undefined;
  return createTarget({ app, platform, token, appData, environment: own });
}

type Name = (typeof NAMES)[number];

/** The first value of each parameter, and those that cannot be decoded: nothing is guessed or repaired. */
function readParameters(query: string): {
  readonly values: Readonly<Partial<Record<Name, string>>>;
  readonly faults: Fault[];
} {
  const values: Partial<Record<Name, string>> = {};
  const faults: Fault[] = [];
  const seen = new Set<Name>();
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const field = decode(equals < 0 ? pair : pair.slice(0, equals));
    const name = NAMES.find((known) => known === field);
    if (name === undefined || seen.has(name)) continue;
    seen.add(name);
    const value = decode(equals < 0 ? '' : pair.slice(equals + 1));
    if (value !== undefined) values[name] = value;
    else if (name !== 'platform') {
      faults.push({ field: name, message: 'must be percent-encoded UTF-8' });
    }
  }
  return { values, faults };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
