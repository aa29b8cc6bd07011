// The events according to the description of the API, which is all that a vendor's backend knows about them.

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { z } from 'zod';
import { DESCRIPTION } from './described.ts';

const webhooks = z.record(
  z.string(),
  z.looseObject({
    post: z.looseObject({
      requestBody: z.looseObject({
        content: z.looseObject({
          'application/json': z.looseObject({ schema: z.record(z.string(), z.unknown()) }),
        }),
      }),
    }),
  }),
);
const described = z.looseObject({
  webhooks,
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
});

const { webhooks: events, components } = described.parse(DESCRIPTION);
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
// References start at the root of the description.
ajv.addSchema({ $id: 'description', components });

const validators = new Map<string, ValidateFunction>();
for (const [type, { post }] of Object.entries(events)) {
  const text = JSON.stringify(post.requestBody.content['application/json'].schema);
  const schema: object = JSON.parse(text.replaceAll('"#/', '"description#/'));
  validators.set(type, ajv.compile(schema));
}

export const DESCRIBED_EVENTS: readonly string[] = [...validators.keys()];

/** What in a received body differs from the description; undefined if nothing does. */
export function faultOfEvent(raw: string): string | undefined {
  const body: unknown = JSON.parse(raw);
  const parsed = z.looseObject({ type: z.string() }).safeParse(body);
  const validate = parsed.success ? validators.get(parsed.data.type) : undefined;
  if (validate === undefined) return `no such event: ${raw}`;
  return validate(body) ? undefined : `${ajv.errorsText(validate.errors)}: ${raw}`;
}
