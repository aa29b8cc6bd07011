// What the sources' bodies have in common: required and optional strings, exact integers, and faults that
// name the field and never the value.

import { z } from 'zod';
import { ServiceError } from '../core/errors.ts';
import type { Fault } from '../core/fault.ts';
import type { Parsed } from '../core/ports/source.ts';
import type { ExactNumber } from './json.ts';

const REQUIRED = 'is required: a string that is not empty';
export const requiredString = z.string(REQUIRED).min(1, REQUIRED);
export const optionalString = z.string('must be a string').nullish();

/** An object as JSON has it; a number of `parseExactJson` is an object of JavaScript, too. */
export const jsonObject = z
  .custom<object>(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      !JSON.isRawJSON(value),
    'is required: a JSON object',
  )
  .meta({ type: 'object' });

export const IGNORED: Parsed = { kind: 'ignored' };

/** Whole numbers from 0 to `max` in plain digits, as `parseExactJson` leaves them. */
export function exactInteger(max: bigint) {
  const digits = new RegExp(`^(?:0|[1-9][0-9]{0,${max.toString().length - 1}})$`);
  return z
    .custom<ExactNumber>(
      (value) =>
        JSON.isRawJSON(value) && digits.test(value.rawJSON) && BigInt(value.rawJSON) <= max,
      `must be an integer from 0 to ${max}`,
    )
    .meta({ type: 'integer', minimum: 0, description: `At most ${max}, in plain digits.` });
}

/** Throws `bad_body` with every fault of the value. */
export function checkBody<Value>(schema: z.ZodType<Value>, value: unknown): Value {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw badBody(result.error.issues.map(toFault));
}

export function badBody(faults: readonly Fault[]): ServiceError {
  return new ServiceError('bad_body', { faults });
}

function toFault(issue: {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}): Fault {
  if (issue.path.length === 0) return { field: 'body', message: 'must be a JSON object' };
  return { field: issue.path.map(String).join('.'), message: issue.message };
}
