// What a generic source reads of a call: its body, its id, its time, and what may have been signed.

import type { SourceRequest } from '../core/ports/source.ts';
import { badBody } from './fields.ts';
import type { GenericConfig, Placeholder } from './generic-config.ts';
import { decodeBody, parseExactJson } from './json.ts';
import { resolvePointer } from './json-pointer.ts';
import { entriesOf } from './signatures/entries.ts';
import { sortedReadings } from './signatures/signed-readings.ts';

/** The body as JSON pointers see it. Throws `bad_body`. */
export function readGenericBody({ body }: GenericConfig, request: SourceRequest): unknown {
  const text = decodeBody(request.body);
  return body === 'form' ? parseForm(text) : parseExactJson(text);
}

/** The id that the configuration names; undefined if it names none. Throws `bad_body`. */
export function readId(
  { id }: GenericConfig,
  { headers }: SourceRequest,
  body: unknown,
): string | undefined {
  if (id === undefined) return undefined;
  return typeof id === 'string' ? requireText(body, id) : headers[id.header];
}

/** The signed time as it was sent, which is what was signed; empty if it is missing or ambiguous. */
export function readTime({ timestamp }: GenericConfig, { headers }: SourceRequest): string {
  const found = timestamp === undefined ? undefined : headers[timestamp.header];
  if (timestamp === undefined || found === undefined) return '';
  const entries = entriesOf(found, timestamp);
  return entries.length === 1 ? (entries[0] ?? '') : '';
}

/** Everything that the caller may have signed; nothing if the call lacks a part of it. */
export function genericReadings(
  config: GenericConfig,
  request: SourceRequest,
): readonly Uint8Array[] {
  const { signs } = config.signature;
  if (signs.includes('{sorted_body}')) {
    return sortedReadings(request.body).map((body) => fill(config, request, body));
  }
  return [fill(config, request, request.body)];
}

const PLACEHOLDER = /(\{[a-z_]+\})/;

function fill(config: GenericConfig, request: SourceRequest, body: Uint8Array): Uint8Array {
  const parts: Readonly<Record<Placeholder, () => Uint8Array | string>> = {
    '{body}': () => body,
    '{sorted_body}': () => body,
    '{timestamp}': () => readTime(config, request),
    '{id}': () => signedId(config, request),
  };
  const isPlaceholder = (part: string): part is Placeholder => Object.hasOwn(parts, part);
  const texts = config.signature.signs.split(PLACEHOLDER);
  return Buffer.concat(
    texts.map((part) => Buffer.from(isPlaceholder(part) ? parts[part]() : part)),
  );
}

/** Only if the id is in the body, the body is read before its signature is checked. */
function signedId(config: GenericConfig, request: SourceRequest): string {
  const isInBody = typeof config.id === 'string';
  return readId(config, request, isInBody ? readGenericBody(config, request) : undefined) ?? '';
}

/** Repeated names are refused, because it is unclear which one was meant or signed. */
function parseForm(text: string): Readonly<Record<string, string>> {
  const fields = [...new URLSearchParams(text.trim())];
  const names = new Set(fields.map(([name]) => name));
  if (names.size < fields.length) {
    throw badBody([{ field: 'body', message: 'must be a form with each field once' }]);
  }
  return Object.fromEntries(fields);
}

export function requireText(body: unknown, pointer: string): string {
  const text = textAt(body, pointer);
  if (text !== undefined && text !== '') return text;
  throw badBody([{ field: pointer, message: 'is required: a text or a number' }]);
}

/** Many ids are numbers; their digits are taken as they were written. */
export function textAt(body: unknown, pointer: string): string | undefined {
  const value = resolvePointer(body, pointer);
  if (typeof value === 'string') return value;
  return JSON.isRawJSON(value) ? value.rawJSON : undefined;
}
