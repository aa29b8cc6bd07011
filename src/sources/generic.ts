// A signed source by configuration alone: HMAC over the body, with or without a time, and JSON pointers
// that say where type, id and title are.

import { createHash } from 'node:crypto';
import type { Source, SourceRequest } from '../core/ports/source.ts';
import { badBody, IGNORED } from './fields.ts';
import type { GenericConfig } from './generic-config.ts';
import { decodeBody, deepPayloadOf, parseExactJson } from './json.ts';
import { resolvePointer } from './json-pointer.ts';
import { requireHmac } from './signatures/hmac.ts';
import { parseDigits, REPEAT_WINDOW_MS, requireFresh } from './time.ts';

const SECOND_MS = 1_000;
const MAX_TYPE_CHARACTERS = 100;
const MAX_TITLE_CHARACTERS = 100;

export function createGeneric(config: GenericConfig): Source {
  return {
    name: config.name,
    statuses: {},

    authenticate(request, { secrets }) {
      requireTimestamp(config, request);
      requireHmac(request, config.signature, { secrets, messages: [signedText(config, request)] });
    },

    parse(request) {
      const body = parseExactJson(decodeBody(request.body));
      const name = requireText(body, config.type.pointer);
      if (config.type.ignored.includes(name)) return IGNORED;
      const type = pushTypeOf(config, name);
      const id = config.id === undefined ? undefined : requireText(body, config.id);
      const title = titleOf(config, body);
      return {
        kind: 'notification',
        notification: {
          type,
          payload: payloadOf(config, { body, id, type }),
          duplicateOf: duplicateOf(config, { request, name, id }),
          ...(id === undefined ? {} : { subject: id }),
          ...(title === undefined ? {} : { title }),
        },
      };
    },
  };
}

function requireTimestamp({ timestamp }: GenericConfig, request: SourceRequest): void {
  if (timestamp === undefined) return;
  const { header, unit, tolerance_seconds } = timestamp;
  const digits = parseDigits(request.headers[header] ?? '');
  const unitMs = unit === 'seconds' ? SECOND_MS : 1;
  requireFresh({
    header,
    timeMs: digits === undefined ? undefined : digits * unitMs,
    nowMs: Math.floor(request.receivedAtMs / unitMs) * unitMs,
    toleranceMs: tolerance_seconds * SECOND_MS,
  });
}

/** The body's bytes as they came, between what the configuration puts around them. */
function signedText({ signature, timestamp }: GenericConfig, request: SourceRequest): Uint8Array {
  const time = timestamp === undefined ? '' : (request.headers[timestamp.header] ?? '');
  const [before = '', after = ''] = signature.signs.replace('{timestamp}', time).split('{body}');
  return Buffer.concat([Buffer.from(before), request.body, Buffer.from(after)]);
}

function pushTypeOf({ type }: GenericConfig, name: string): string {
  if (Object.hasOwn(type.names, name)) return type.names[name] ?? name;
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

/** Without an id a replay is known by its signed time and bytes, as long as that time is fresh. */
function duplicateOf(
  { name: source, timestamp }: GenericConfig,
  call: { readonly request: SourceRequest; readonly name: string; readonly id: string | undefined },
): { readonly key: string; readonly windowMs: number } {
  const { request, name, id } = call;
  if (id !== undefined) {
    return { key: JSON.stringify([source, name, id]), windowMs: REPEAT_WINDOW_MS };
  }
  const time = timestamp === undefined ? '' : (request.headers[timestamp.header] ?? '');
  const digest = createHash('sha256').update(request.body).digest('hex');
  const windowMs = 2 * (timestamp?.tolerance_seconds ?? 0) * SECOND_MS;
  return { key: JSON.stringify([source, time, digest]), windowMs };
}

/** A title that the body lacks is the catalogue's. */
function titleOf({ title }: GenericConfig, body: unknown): string | undefined {
  if (title === undefined) return undefined;
  if ('text' in title) return title.text;
  const found = textOf(resolvePointer(body, title.pointer));
  return found === '' ? undefined : found?.slice(0, MAX_TITLE_CHARACTERS).toWellFormed();
}

function requireText(body: unknown, pointer: string): string {
  const text = textOf(resolvePointer(body, pointer));
  if (text !== undefined && text !== '') return text;
  throw badBody([{ field: pointer, message: 'is required: a text or a number' }]);
}

/** Ids are numbers as often as texts; their digits are taken as they were written. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return JSON.isRawJSON(value) ? value.rawJSON : undefined;
}
