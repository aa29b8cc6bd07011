// What must be true for every answer, whatever the request: a documented status with a documented problem, and nothing
// of what was sent.

import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../../src/core/errors.ts';
import { undescribed } from '../support/described.ts';
import type { SpokenLine, TestLog } from '../support/service.ts';
import { findMarker } from './marker.ts';
import type { RawAnswer } from './raw-client.ts';
import type { FuzzRequest } from './requests.ts';

const problemSchema = z.looseObject({
  type: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  instance: z.string().regex(/^urn:uuid:[0-9a-f-]{36}$/),
  errors: z.array(z.strictObject({ field: z.string(), message: z.string() })).optional(),
});

/** lspd reads only this much of a refusal. */
const MAX_PROBLEM_BYTES = 1_000;

/** The answer of an import: JSON in each line, and no line if there are no devices. */
const LINES = 'application/x-ndjson';

/** Codes for bugs, and codes that a working stand-in never causes. */
const NEVER: ReadonlySet<string> = new Set([
  'internal',
  'provider_misconfigured',
  'store_unavailable',
  'shutting_down',
  'expired',
] satisfies ErrorCode[]);

/** What is wrong with the answer; undefined if it is as documented. */
export function faultOf(request: FuzzRequest, answer: RawAnswer | undefined): string | undefined {
  if (answer === undefined) return request.mayClose ? undefined : 'closed without an answer';
  const { status, headers, text } = answer;
  if (status < 200 || status > 599) return `status ${status}`;
  const isHead = request.method === 'HEAD';
  if (isHead) return status < 500 ? undefined : `HEAD was answered ${status}`;
  if (status === 204 && isReceipt(request)) return text === '' ? undefined : 'a 204 with a body';
  if (status < 300) return status === 200 ? faultOfSuccess(answer) : `status ${status}`;
  if (status < 400) return `status ${status}`;
  if (headers['content-type'] !== 'application/problem+json') {
    return `${status} with ${headers['content-type']}: ${text.slice(0, 200)}`;
  }
  return faultOfProblem(status, text);
}

/** A receipt is always answered 204. */
function isReceipt({ bytes }: FuzzRequest): boolean {
  return bytes.subarray(0, 'POST /r/'.length).toString('latin1') === 'POST /r/';
}

/** A success has no body, or has JSON if the caller asked for it, at the registry and for an invoice request. */
function faultOfSuccess({ headers, text }: RawAnswer): string | undefined {
  const type = headers['content-type'] ?? '';
  if (text === '') {
    const isEmpty = headers['content-length'] === '0' && (type === '' || type === LINES);
    return isEmpty ? undefined : `an empty body that is announced: ${JSON.stringify(headers)}`;
  }
  // The page of the API's description, and its style.
  if (/^text\/(?:html|css); charset=utf-8$/.test(type)) return undefined;
  try {
    const values = type === LINES ? text.trimEnd().split('\n') : [text];
    for (const value of values) JSON.parse(value);
    return undefined;
  } catch {
    return `a success that is no JSON: ${text.slice(0, 200)}`;
  }
}

function faultOfProblem(status: number, text: string): string | undefined {
  if (Buffer.byteLength(text) >= MAX_PROBLEM_BYTES) return `a problem of ${text.length} bytes`;
  const parsed = problemSchema.safeParse(readJson(text));
  if (!parsed.success) return `${status} is no problem: ${text.slice(0, 200)}`;
  const { code } = parsed.data;
  if (!Object.hasOwn(ERRORS, code)) return `the unknown code ${code}`;
  if (NEVER.has(code)) return `${status} ${code}`;
  if (parsed.data.status !== status) return `${status} says ${parsed.data.status}`;
  // A fault names its field, and for an unknown field this is the caller's own name; nothing else may be repeated.
  const messages = parsed.data.errors?.map(({ message }) => message);
  const found = findMarker(JSON.stringify({ ...parsed.data, errors: messages }));
  return found === undefined ? undefined : `a problem that repeats what was sent: ${found}`;
}

/** What /openapi.json lacks about the answer to a request that is framed as HTTP demands. */
export function undescribedIn(
  { method, bytes }: FuzzRequest,
  answer: RawAnswer | undefined,
): string | undefined {
  if (answer === undefined || method === 'HEAD') return undefined;
  const [, target = ''] = bytes.toString('latin1').split(' ', 2);
  const path = target.split(/[?#]/, 1)[0] ?? '';
  const isProblem = answer.headers['content-type'] === 'application/problem+json';
  const code = isProblem ? problemSchema.parse(readJson(answer.text)).code : undefined;
  return undescribed({ method, path, status: answer.status, code });
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Searches what was logged since the last time, and then forgets it. */
export function takeLog(log: TestLog): {
  readonly secret: string | undefined;
  readonly loud: readonly SpokenLine[];
} {
  const secret = findMarker(JSON.stringify([log.events, log.lines]));
  const loud = log.lines.filter(({ level }) => level === 'error');
  log.events.length = 0;
  log.lines.length = 0;
  return { secret, loud };
}
