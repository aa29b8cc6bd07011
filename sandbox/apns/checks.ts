// Reads one APNs request and names the reason for which Apple would refuse it. Limits and forms are from "Sending
// notification requests to APNs". Apple does not publish the order of its checks; here method and token come first,
// then the headers, then the body.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Exchange } from '../exchange.ts';
import type { ApnsPush } from '../records.ts';
import type { ProviderTokenCheck } from './provider-token.ts';
import { checkPayloadFits, checkPushType, checkTopic } from './push-type.ts';
import type { ApnsReason } from './reasons.ts';

const PATH = '/3/device/';
/** Apple promises no size; today's tokens have 32 bytes. The limit only excludes nonsense. */
const MAX_TOKEN_DIGITS = 400;
const MAX_COLLAPSE_ID_BYTES = 64;
const MAX_PAYLOAD_BYTES = 4096;
const MAX_VOIP_PAYLOAD_BYTES = 5120;

const TOKEN = /^(?:[0-9a-fA-F]{2})+$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const payloadSchema = z.record(z.string(), z.unknown());

export interface CheckedRequest {
  readonly token: string | undefined;
  /** The caller's apns-id if it is well-formed, else a new one. */
  readonly id: string;
  readonly outcome:
    | { readonly refused: ApnsReason }
    | { readonly refused: undefined; readonly push: ApnsPush };
}

export interface CheckOptions {
  readonly providerTokens: ProviderTokenCheck;
  readonly topics: readonly string[];
}

export function checkRequest(exchange: Exchange, options: CheckOptions): CheckedRequest {
  const given = header(exchange, 'apns-id');
  const goodId = given !== undefined && UUID.test(given);
  const id = goodId ? given : randomUUID();
  const token = exchange.path.startsWith(PATH) ? exchange.path.slice(PATH.length) : undefined;
  const refused =
    checkTarget(exchange, token) ??
    options.providerTokens.check(header(exchange, 'authorization'), exchange.connection) ??
    checkHeaders(exchange, options.topics) ??
    (given !== undefined && !goodId ? 'BadMessageId' : undefined);
  if (refused !== undefined) return { token, id, outcome: { refused } };
  return { token, id, outcome: readPush(exchange, id) };
}

function checkTarget(exchange: Exchange, token: string | undefined): ApnsReason | undefined {
  if (exchange.method !== 'POST') return 'MethodNotAllowed';
  if (token === undefined) return exchange.path === '/3/device' ? 'MissingDeviceToken' : 'BadPath';
  if (token === '') return 'MissingDeviceToken';
  if (token.length > MAX_TOKEN_DIGITS || !TOKEN.test(token)) return 'BadDeviceToken';
  return hasDuplicates(exchange.rawHeaders) ? 'DuplicateHeaders' : undefined;
}

function hasDuplicates(rawHeaders: readonly string[]): boolean {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (!name.startsWith('apns-') && name !== 'authorization') continue;
    if (seen.has(name)) return true;
    seen.add(name);
  }
  return false;
}

function checkHeaders(exchange: Exchange, topics: readonly string[]): ApnsReason | undefined {
  const pushType = header(exchange, 'apns-push-type');
  const topic = header(exchange, 'apns-topic');
  const priority = header(exchange, 'apns-priority');
  const collapseId = header(exchange, 'apns-collapse-id') ?? '';
  return (
    checkPushType(pushType) ??
    checkTopic(topic, { pushType: pushType ?? '', allowed: topics }) ??
    checkPriority(priority, pushType) ??
    checkExpiration(header(exchange, 'apns-expiration')) ??
    (Buffer.byteLength(collapseId) > MAX_COLLAPSE_ID_BYTES ? 'BadCollapseId' : undefined)
  );
}

function checkPriority(
  priority: string | undefined,
  pushType: string | undefined,
): ApnsReason | undefined {
  if (priority !== undefined && !['1', '5', '10'].includes(priority)) return 'BadPriority';
  // Apple: "Specifying priority 10 for a background push is an error"; 10 is also the default.
  const high = priority === undefined || priority === '10';
  return pushType === 'background' && high ? 'BadPriority' : undefined;
}

/** Seconds since the epoch: eleven digits would be a time given in milliseconds or beyond 5138. */
function checkExpiration(expiration: string | undefined): ApnsReason | undefined {
  if (expiration === undefined || /^\d{1,10}$/.test(expiration)) return undefined;
  return 'BadExpirationDate';
}

function readPush(exchange: Exchange, id: string): CheckedRequest['outcome'] {
  const pushType = header(exchange, 'apns-push-type') ?? '';
  const maxBytes = pushType === 'voip' ? MAX_VOIP_PAYLOAD_BYTES : MAX_PAYLOAD_BYTES;
  if (exchange.overflow || exchange.body.length > maxBytes) return { refused: 'PayloadTooLarge' };
  const payload = payloadSchema.safeParse(parseJson(exchange.body));
  // Apple documents no reason for a body that is not a JSON object.
  if (!payload.success || Object.keys(payload.data).length === 0) {
    return { refused: 'PayloadEmpty' };
  }
  const misfit = checkPayloadFits(pushType, payload.data);
  if (misfit !== undefined) return { refused: misfit };
  const expiration = header(exchange, 'apns-expiration');
  return {
    refused: undefined,
    push: {
      id,
      topic: header(exchange, 'apns-topic') ?? '',
      pushType,
      priority: Number(header(exchange, 'apns-priority') ?? 10),
      expiration: expiration === undefined ? undefined : Number(expiration),
      collapseId: header(exchange, 'apns-collapse-id'),
      payload: payload.data,
    },
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function header(exchange: Exchange, name: string): string | undefined {
  const value = exchange.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
