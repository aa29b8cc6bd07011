// Many devices at once: a line of JSON for each, a line of JSON as its answer. A line that was imported already is
// `known` and changes nothing, so a client that was cut off can send the same lines again.

import { z } from 'zod';
import { findLane } from '../../core/answering/find-lane.ts';
import { ServiceError } from '../../core/errors.ts';
import type { DeviceDetails } from '../../core/ports/devices.ts';
import { DEFAULT_APP } from '../../core/target.ts';
import { readBody } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { NOT_STORED } from '../deliver.ts';
import { deviceUrls } from '../devices/device-answer.ts';
import { badField, parseJsonBody } from '../devices/device-body.ts';
import type { DevicesParts } from '../devices/routes.ts';
import { reading } from '../handle.ts';
import type { OperatorParts } from './parts.ts';

/** A file of any length is sent in pieces of this size. */
export const MAX_IMPORT_BYTES = 1_048_576;
const MAX_LINES = 1_000;
/** Devices registered at once: they share transactions, and calls for other devices can run in between. */
const AT_ONCE = 20;

/** One for each line that is not empty, in their order. */
export const importAnswer = z.discriminatedUnion('status', [
  z.strictObject({
    /** 1 for the first. */
    line: z.int(),
    /** `known`: the same app, token, user and app_data were registered already, and keep their URLs. */
    status: z.enum(['added', 'known']),
    id: z.uuid(),
    urls: z.record(z.string(), z.string()),
  }),
  z.strictObject({
    line: z.int(),
    status: z.literal('refused'),
    code: z.string(),
    detail: z.string().optional(),
    errors: z.array(z.strictObject({ field: z.string(), message: z.string() })).optional(),
  }),
]);

type Answered = z.output<typeof importAnswer>;

/** POST /api/v1/devices/import */
export async function handleImport(parts: OperatorParts, c: HttpContext): Promise<Response> {
  const lines = linesOf(await readBody(c));
  const answers: Answered[] = [];
  for (let from = 0; from < lines.length; from += AT_ONCE) {
    const some = lines.slice(from, from + AT_ONCE);
    answers.push(...(await Promise.all(some.map((line) => register(parts.devices, line)))));
  }
  const text = answers.map((answer) => `${JSON.stringify(answer)}\n`).join('');
  return c.body(text, 200, { 'Content-Type': 'application/x-ndjson', ...NOT_STORED });
}

interface Line {
  readonly number: number;
  readonly bytes: Uint8Array;
}

function linesOf(bytes: Uint8Array): readonly Line[] {
  const lines: Line[] = [];
  let number = 1;
  for (let from = 0; from < bytes.length; number += 1) {
    const found = bytes.indexOf(LINE_FEED, from);
    const end = found < 0 ? bytes.length : found;
    const line = bytes.subarray(from, end);
    if (!line.every(isBlank)) lines.push({ number, bytes: line });
    from = end + 1;
  }
  if (lines.length <= MAX_LINES) return lines;
  throw new ServiceError('body_too_large', {
    detail: `The body has more than ${MAX_LINES} lines: send the rest in a call of its own.`,
  });
}

const LINE_FEED = 0x0a;

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}

async function register(parts: DevicesParts, { number, bytes }: Line): Promise<Answered> {
  try {
    const details = detailsOf(parts, bytes);
    const { device, isNew } = await reading(() => parts.registry.register(details, 'backend'));
    const urls = deviceUrls(parts, device);
    return { line: number, status: isNew ? 'added' : 'known', id: device.id, urls };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const { code, details } = error;
    const { detail, faults } = details;
    const errors = faults?.map(({ field, message }) => ({ field, message }));
    return { line: number, status: 'refused', code, detail, errors };
  }
}

function detailsOf(parts: DevicesParts, bytes: Uint8Array): DeviceDetails {
  if (bytes.length > MAX_LINE_BYTES) {
    throw badField('body', `must have at most ${MAX_LINE_BYTES} bytes`);
  }
  const details = parts.bodies.parseRegistration(parseJsonBody(bytes), DEFAULT_APP);
  findLane(parts.lanes, details.target);
  return details;
}

/** As for one registration. */
const MAX_LINE_BYTES = 65_536;
