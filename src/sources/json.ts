// Strict JSON from raw bytes, and payloads back: no repaired UTF-8, no stripped byte order mark, exact digits.

import { ServiceError } from '../core/errors.ts';

/** encoding/json of Go, which the reference uses, refuses deeper values; V8 would take any depth. */
const MAX_DEPTH = 10_000;
const BYTE_ORDER_MARK = '\ufeff';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function refuse(message: string, cause?: unknown): never {
  throw new ServiceError('bad_body', { faults: [{ field: 'body', message }] }, { cause });
}

/** Bytes to text: throws `bad_body` for an empty body, a byte order mark or bytes that are not UTF-8. */
export function decodeBody(bytes: Uint8Array): string {
  if (bytes.length === 0) refuse('is empty');
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    return refuse('is not valid UTF-8', cause);
  }
  if (text.startsWith(BYTE_ORDER_MARK)) refuse('starts with a byte order mark');
  return text;
}

/** Throws `bad_body` unless the text is exactly one JSON value, nested at most 10,000 deep. */
export function parseJson(text: string): unknown {
  if (text.length > MAX_DEPTH && nestsTooDeep(text)) refuse('is nested too deeply');
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's own message quotes the body, which must reach neither caller nor log.
    return refuse('is not valid JSON', cause instanceof SyntaxError ? undefined : cause);
  }
}

/** A number of a JSON text with its literal digits, which JSON.stringify writes back as they were. */
export interface ExactNumber {
  readonly rawJSON: string;
}

declare global {
  interface JSON {
    rawJSON(text: string): ExactNumber;
    isRawJSON(value: unknown): value is ExactNumber;
  }
}

interface ReviverContext {
  readonly source?: string;
}

/**
 * Like `parseJson`, but every number becomes an `ExactNumber`: a JavaScript number would turn
 * 18446744073709551615 into 18446744073709552000 and 1.0 into 1.
 */
export function parseExactJson(text: string): unknown {
  const exact = (_key: string, value: unknown, context?: ReviverContext): unknown =>
    typeof value === 'number' && context?.source !== undefined
      ? JSON.rawJSON(context.source)
      : value;
  try {
    return JSON.parse(text, exact);
  } catch (cause) {
    return refuse(cause instanceof RangeError ? 'is nested too deeply' : 'is not valid JSON');
  }
}

/**
 * A notification_payload as breez/notify writes it: compact, keys sorted by bytes, absent and null fields
 * left out, lone surrogates replaced (FCM and APNs refuse a message that holds one).
 */
export function payloadOf(fields: Readonly<Record<string, unknown>>): string {
  const sorted = Object.keys(fields)
    .filter((key) => fields[key] !== undefined && fields[key] !== null)
    .sort()
    .map((key) => [key, wellFormed(fields[key])] as const);
  return JSON.stringify(Object.fromEntries(sorted));
}

/** Deeper than any event that fits into a push. */
const MAX_PAYLOAD_DEPTH = 100;

/**
 * Like `payloadOf`, for values that the caller shapes: keys are sorted and strings made well-formed at every
 * depth. Object.fromEntries would put `9` before `10`, so the text is written here. Throws `bad_body` for
 * values nested deeper than any push needs.
 */
export function deepPayloadOf(fields: Readonly<Record<string, unknown>>): string {
  const present = Object.entries(fields).filter(([, value]) => (value ?? undefined) !== undefined);
  return sortedJson(Object.fromEntries(present));
}

/** Compact JSON with the keys sorted by bytes at every depth. Throws `bad_body` for values nested too deep. */
export function sortedJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_PAYLOAD_DEPTH) refuse('is nested too deeply');
  if (JSON.isRawJSON(value)) return value.rawJSON;
  if (typeof value === 'string') return JSON.stringify(value.toWellFormed());
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .map(([key, member]) => [Buffer.from(key.toWellFormed()), member] as const)
    .sort(([a], [b]) => Buffer.compare(a, b))
    .map(([key, member]) => `${JSON.stringify(key.toString())}:${write(member, depth + 1)}`);
  return `{${members.join(',')}}`;
}

function wellFormed(value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value;
}

function nestsTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === '\\') index += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (character === '}' || character === ']') depth -= 1;
  }
  return false;
}
