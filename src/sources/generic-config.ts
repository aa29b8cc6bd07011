// The shape of a generic signed source: what an operator writes to connect a service without code. Faults
// say what would fit.

import { z } from 'zod';
import { isJsonPointer } from './json-pointer.ts';

const NAME = 'must be lower-case letters, digits and `_`, and begin with a letter';
const PUSH_TYPE = 'must be letters, digits and `_`, such as `payment_received`';

/** Misspelt keys are faults: a check that was meant and is not made would be worse. */
function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `has no such key: ${issue.keys.join(', ')}`
        : 'is required: a JSON object',
  });
}

const name = z.string(NAME).regex(/^[a-z][a-z0-9_]{0,31}$/, NAME);
const header = z
  .string('must be the name of a header')
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'must be the name of a header')
  .transform((text) => text.toLowerCase());
const pointer = z
  .string('must be a JSON pointer such as /data/id')
  .refine(isJsonPointer, 'must be a JSON pointer such as /data/id (RFC 6901)');
const pushType = z.string(PUSH_TYPE).regex(/^[A-Za-z0-9_]{1,100}$/, PUSH_TYPE);
const shortText = z.string('must be a text').min(1, 'must not be empty').max(100, 'is too long');

/** `{body}` once, and `{timestamp}` at most once, in any text between: `{body}`, `v0:{timestamp}:{body}`. */
const signs = z
  .string('must be a text such as {timestamp}.{body}')
  .max(100, 'is too long')
  .refine((text) => count(text, '{body}') === 1, 'must hold {body} once')
  .refine((text) => count(text, '{timestamp}') <= 1, 'must hold {timestamp} at most once')
  .refine(
    (text) => !/[{}]/.test(text.replace('{body}', '').replace('{timestamp}', '')),
    'must hold no other braces than {body} and {timestamp}',
  );

const signature = section({
  header,
  algorithm: z
    .enum(['sha256', 'sha1', 'sha512'], 'must be sha256, sha1 or sha512')
    .default('sha256'),
  encoding: z
    .enum(['hex', 'base64', 'base64url'], 'must be hex, base64 or base64url')
    .default('hex'),
  prefix: z.string('must be a text such as sha256=').max(32, 'is too long').default(''),
  signs: signs.default('{body}'),
});

const timestamp = section({
  header,
  unit: z.enum(['seconds', 'milliseconds'], 'must be seconds or milliseconds').default('seconds'),
  tolerance_seconds: z
    .int('must be a whole number')
    .min(1, 'must be 1 to 3600')
    .max(3_600, 'must be 1 to 3600')
    .default(300),
});

const type = section({
  /** Where the body names its event. */
  pointer,
  /** The app's names for the caller's; a name that is not here is taken with `.`, `:`, `/` and `-` as `_`. */
  names: z.record(z.string(), pushType).default({}),
  /** The caller's names that are answered 200 without a push. */
  ignored: z.array(z.string('must be a text')).default([]),
});

/** A text for all, or a pointer to it in the body. */
const title = z.union(
  [z.strictObject({ text: shortText }), z.strictObject({ pointer })],
  'must be {"text": …} or {"pointer": …}',
);

export const genericConfig = section({
  name,
  signature,
  timestamp: timestamp.optional(),
  type,
  /** What stays the same over repeats of one event. */
  id: pointer.optional(),
  title: title.optional(),
  /** Fields of the push beside `id`, `source` and `type`. Whatever is named here, Apple and Google can read. */
  payload: z
    .record(
      z.string().regex(/^[A-Za-z0-9_]{1,64}$/),
      pointer,
      'must be pointers by names of letters, digits and `_`',
    )
    .default({}),
}).superRefine((config, context) => {
  const signsTime = config.signature.signs.includes('{timestamp}');
  const fault = (path: string, message: string) =>
    context.addIssue({ code: 'custom', path: [path], message });
  if (signsTime && config.timestamp === undefined) {
    fault('timestamp', 'is required, since {timestamp} is signed: name its header');
  }
  if (!signsTime && config.timestamp !== undefined) {
    fault(
      'timestamp',
      'must be absent, or {timestamp} be in signature.signs: an unsigned time proves nothing',
    );
  }
  if (!signsTime && config.id === undefined) {
    fault(
      'id',
      'is required unless {timestamp} is signed: nothing else tells a replay from a new call',
    );
  }
  for (const reserved of ['id', 'source', 'type']) {
    if (Object.hasOwn(config.payload, reserved)) {
      fault('payload', `must not name ${reserved}, which every push has`);
    }
  }
});

export type GenericConfig = z.output<typeof genericConfig>;

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
