// The shape of a generic signed source: what an operator writes to connect a service without code. Faults say what
// would be valid. What each key means is in docs/sources/generic.md.

import { z } from 'zod';
import { isJsonPointer } from './json-pointer.ts';

const NAME = 'must be lower-case letters, digits and `_`, and begin with a letter';
const PUSH_TYPE = 'must be letters, digits and `_`, such as `payment_received`';

/** Misspelt keys are faults: silently skipping an intended check would be worse. */
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

const PLACEHOLDERS = ['{body}', '{sorted_body}', '{timestamp}', '{id}'] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

/** Placeholders, each at most once, in any text between: `{body}`, `v0:{timestamp}:{body}`. */
const signs = z
  .string('must be a text such as {timestamp}.{body}')
  .max(100, 'is too long')
  .refine(
    (text) => PLACEHOLDERS.every((name) => text.split(name).length <= 2),
    'must hold each placeholder at most once',
  )
  .refine(
    (text) => !/[{}]/.test(PLACEHOLDERS.reduce((rest, name) => rest.replace(name, ''), text)),
    `must hold no other braces than ${PLACEHOLDERS.join(', ')}`,
  )
  .refine(
    (text) => holds(text, '{body}') !== holds(text, '{sorted_body}') || isIdAlone(text),
    'must hold {body} or {sorted_body}, or {id} if the id alone is signed',
  );

const separator = z
  .string('must be a text such as `,`')
  .min(1, 'must not be empty')
  .max(4, 'is too long')
  .optional();
const prefix = z.string('must be a text such as sha256=').max(32, 'is too long').default('');

const signature = section({
  header: header.optional(),
  /** Where the signature is in the body, instead of a header. */
  pointer: pointer.optional(),
  algorithm: z
    .enum(['sha256', 'sha1', 'sha512'], 'must be sha256, sha1 or sha512')
    .default('sha256'),
  encoding: z
    .enum(['hex', 'base64', 'base64url'], 'must be hex, base64 or base64url')
    .default('hex'),
  prefix,
  separator,
  /** How the secrets are written; `whsec_` before base64 is skipped. */
  secret_encoding: z.enum(['text', 'base64', 'hex'], 'must be text, base64 or hex').default('text'),
  signs: signs.default('{body}'),
});

const timestamp = section({
  header,
  prefix,
  separator,
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
  /** What happens to names that are neither in `names` nor in `ignored`. */
  others: z.enum(['pushed', 'ignored'], 'must be pushed or ignored').default('pushed'),
});

/** A text for all, or a pointer to it in the body. */
const title = z.union(
  [z.strictObject({ text: shortText }), z.strictObject({ pointer })],
  'must be {"text": …} or {"pointer": …}',
);

export const genericConfig = section({
  name,
  /** How the body is written; pointers lead into a form as into an object of its fields. */
  body: z.enum(['json', 'form'], 'must be json or form').default('json'),
  signature,
  timestamp: timestamp.optional(),
  type,
  /** What stays the same over repeats of one event. */
  id: z
    .union([pointer, z.strictObject({ header })], 'must be a JSON pointer or {"header": …}')
    .optional(),
  /** What an operator searches for, such as a payment hash; by default the id. */
  subject: pointer.optional(),
  title: title.optional(),
  /** Fields of the push beside `id`, `source` and `type`. Apple and Google can read these. */
  payload: z
    .record(
      z.string().regex(/^[A-Za-z0-9_]{1,64}$/),
      pointer,
      'must be pointers by names of letters, digits and `_`',
    )
    .default({}),
}).superRefine((config, context) => {
  for (const [path, message] of faultsBetween(config)) {
    context.addIssue({ code: 'custom', path: [...path], message });
  }
});

export type GenericConfig = z.output<typeof genericConfig>;

type Given = Pick<GenericConfig, 'body' | 'signature' | 'timestamp' | 'id' | 'payload'>;
type FaultBetween = readonly [path: readonly string[], message: string];

/** Faults between keys: an intended check that cannot be made is a fault. */
function faultsBetween(config: Given): readonly FaultBetween[] {
  const { signature, timestamp, id, payload } = config;
  const signed = (name: Placeholder) => holds(signature.signs, name);
  const faults: readonly (readonly [boolean, string, string])[] = [
    [
      (signature.header === undefined) === (signature.pointer === undefined),
      'signature',
      'needs either header or pointer',
    ],
    [
      signature.pointer !== undefined && !isIdAlone(signature.signs),
      'signature.signs',
      'must be {id}: a signature inside the body cannot sign that body',
    ],
    [
      signed('{sorted_body}') && config.body !== 'json',
      'signature.signs',
      'must not hold {sorted_body}: only JSON has keys to sort',
    ],
    [
      signed('{timestamp}') && timestamp === undefined,
      'timestamp',
      'is required, since {timestamp} is signed: name its header',
    ],
    [
      !signed('{timestamp}') && timestamp !== undefined,
      'timestamp',
      'must be absent, or {timestamp} be in signature.signs: an unsigned time proves nothing',
    ],
    [signed('{id}') && id === undefined, 'id', 'is required, since {id} is signed'],
    [
      !signed('{id}') && id !== undefined && typeof id !== 'string',
      'id',
      'must be in the body, or {id} be in signature.signs: an unsigned header proves nothing',
    ],
    [
      !signed('{timestamp}') && id === undefined,
      'id',
      'is required unless {timestamp} is signed: nothing else tells a replay from a new call',
    ],
    ...['id', 'source', 'type'].map(
      (name) =>
        [
          Object.hasOwn(payload, name),
          'payload',
          `must not name ${name}, which every push has`,
        ] as const,
    ),
  ];
  return faults
    .filter(([isFault]) => isFault)
    .map(([, path, message]) => [path.split('.'), message] as const);
}

function holds(signs: string, placeholder: Placeholder): boolean {
  return signs.includes(placeholder);
}

/** Whether only the id is signed, with or without a time, and not the body. */
function isIdAlone(signs: string): boolean {
  return holds(signs, '{id}') && !holds(signs, '{body}') && !holds(signs, '{sorted_body}');
}
