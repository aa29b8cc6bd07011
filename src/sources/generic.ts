// A signed source by configuration alone: HMAC over the body, a time and an id, and JSON pointers that say
// where type, id and title are.

import { createHash } from 'node:crypto';
import { ServiceError } from '../core/errors.ts';
import type { Source, SourceRequest } from '../core/ports/source.ts';
import { badBody, IGNORED } from './fields.ts';
import {
  genericReadings,
  readGenericBody,
  readId,
  readTime,
  requireText,
  textAt,
} from './generic-call.ts';
import type { GenericConfig } from './generic-config.ts';
import { deepPayloadOf } from './json.ts';
import { resolvePointer } from './json-pointer.ts';
import { decodeSecret, faultOfEncodedSecret } from './signatures/encoding.ts';
import { requireHmac, requireHmacText } from './signatures/hmac.ts';
import { SIGNED_ID } from './signatures/standard-webhooks.ts';
import { parseDigits, REPEAT_WINDOW_MS, requireFresh } from './time.ts';

const SECOND_MS = 1_000;
const MAX_TYPE_CHARACTERS = 100;
const MAX_TITLE_CHARACTERS = 100;

export function createGeneric(config: GenericConfig): Source {
  return {
    name: config.name,
    statuses: {},
    secretFault: (secret) => faultOfEncodedSecret(secret, config.signature.secret_encoding),

    authenticate(request, { secrets }) {
      requireTimestamp(config, request);
      requireIdHeader(config, request);
      requireSignature(config, request, secrets);
    },

    parse(request) {
      const body = readGenericBody(config, request);
      const name = requireText(body, config.type.pointer);
      const type = pushTypeOf(config, name);
      if (type === undefined) return IGNORED;
      const id = readId(config, request, body);
      return {
        kind: 'notification',
        notification: {
          type,
          payload: payloadOf(config, { body, id, type }),
          duplicateOf: duplicateOf(config, { request, name, id }),
          subject: subjectOf(config, body) ?? id,
          title: titleOf(config, body),
        },
      };
    },
  };
}

function requireTimestamp(config: GenericConfig, request: SourceRequest): void {
  if (config.timestamp === undefined) return;
  const { header, unit, tolerance_seconds } = config.timestamp;
  const digits = parseDigits(readTime(config, request));
  const unitMs = unit === 'seconds' ? SECOND_MS : 1;
  requireFresh({
    header,
    timeMs: digits === undefined ? undefined : digits * unitMs,
    nowMs: Math.floor(request.receivedAtMs / unitMs) * unitMs,
    toleranceMs: tolerance_seconds * SECOND_MS,
  });
}

/** An id between other signed parts must not hold what could be read as one of them. */
function requireIdHeader({ id }: GenericConfig, { headers }: SourceRequest): void {
  if (id === undefined || typeof id === 'string' || SIGNED_ID.test(headers[id.header] ?? ''))
    return;
  throw new ServiceError('bad_signature', {
    detail: `The header ${id.header} is missing or malformed.`,
  });
}

function requireSignature(
  config: GenericConfig,
  request: SourceRequest,
  secrets: readonly string[],
): void {
  const { header, pointer = '', ...form } = config.signature;
  const input = {
    secrets: secrets
      .map((secret) => decodeSecret(secret, form.secret_encoding))
      .filter((secret) => secret !== undefined),
    messages: genericReadings(config, request),
  };
  if (header === undefined) {
    const text = textAt(readGenericBody(config, request), pointer);
    requireHmacText(text, { ...form, where: `The field ${pointer}` }, input);
  } else requireHmac(request, { ...form, header }, input);
}

/** Undefined for a name that is not pushed. */
function pushTypeOf({ type }: GenericConfig, name: string): string | undefined {
  if (type.ignored.includes(name)) return undefined;
  if (Object.hasOwn(type.names, name)) return type.names[name];
  if (type.others === 'ignored') return undefined;
  if (/^[A-Za-z0-9_.:/-]+$/.test(name) && name.length <= MAX_TYPE_CHARACTERS) {
    return name.replaceAll(/[.:/-]/g, '_');
  }
  throw badBody([{ field: type.pointer, message: 'must be a name such as `payment.received`' }]);
}

function payloadOf(
  config: GenericConfig,
  found: { readonly body: unknown; readonly id: string | undefined; readonly type: string },
): string {
  const { body, id, type } = found;
  const more = Object.entries(config.payload).map(
    ([field, pointer]) => [field, resolvePointer(body, pointer)] as const,
  );
  return deepPayloadOf({ ...Object.fromEntries(more), id, source: config.name, type });
}

/** Without an id a replay is recognised by its signed time and bytes, as long as that time is fresh. */
function duplicateOf(
  config: GenericConfig,
  call: { readonly request: SourceRequest; readonly name: string; readonly id: string | undefined },
): { readonly key: string; readonly windowMs: number } {
  const { request, name, id } = call;
  if (id !== undefined) {
    return { key: JSON.stringify([config.name, name, id]), windowMs: REPEAT_WINDOW_MS };
  }
  const digest = createHash('sha256').update(request.body).digest('hex');
  const windowMs = 2 * (config.timestamp?.tolerance_seconds ?? 0) * SECOND_MS;
  return { key: JSON.stringify([config.name, readTime(config, request), digest]), windowMs };
}

function subjectOf({ subject }: GenericConfig, body: unknown): string | undefined {
  const found = subject === undefined ? undefined : textAt(body, subject);
  return found === '' ? undefined : found;
}

/** If the body has no title, the catalogue's is used. */
function titleOf({ title }: GenericConfig, body: unknown): string | undefined {
  if (title === undefined) return undefined;
  if ('text' in title) return title.text;
  const found = textAt(body, title.pointer);
  return found === '' ? undefined : found?.slice(0, MAX_TITLE_CHARACTERS).toWellFormed();
}
