// Refusals as the description of the API has them: by status, with the codes that a route can answer.

import { z } from 'zod';
import type { ZodOpenApiResponseObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import type { Source } from '../../core/ports/source.ts';

/** Refusals of every route. */
const EVERYWHERE: readonly ErrorCode[] = ['bad_request', 'internal'];
/** Refusals of every route that reads a body. */
export const OF_BODIES: readonly ErrorCode[] = ['body_too_large', 'unsupported_encoding'];

const fault = z.object({
  field: z.string().meta({ description: 'The field or parameter, never its value.' }),
  message: z.string(),
});

export const problem = z
  .object({
    type: z.string().meta({ description: '`urn:nds:error:` and the code.' }),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: 'Stable: programs may rely on it. Texts may change.' }),
    detail: z.string().meta({ description: 'What to do, or what is wrong in this case.' }),
    instance: z.string().meta({ description: '`urn:uuid:` and the request id.' }),
    id: z.uuid().optional().meta({ description: 'The delivery, if a push was attempted.' }),
    reason: z.string().optional().meta({ description: 'The provider’s reason.' }),
    excess_bytes: z.int().optional(),
    errors: z.array(fault).optional().meta({ description: 'The fields at fault, at most 8.' }),
    more_errors: z.int().optional().meta({ description: 'How many were left out.' }),
  })
  .meta({ id: 'Problem', description: 'Problem details, RFC 9457.' });

const RETRY_AFTER = z.object({
  'Retry-After': z.int().optional().meta({ description: 'Seconds.' }),
});
const PROBLEM = { $ref: '#/components/schemas/Problem' };

/** `statuses` are those that a source replaces; codes that it answers with 200 are not refusals. */
export function problems(
  codes: readonly ErrorCode[],
  statuses: Source['statuses'] = {},
): ZodOpenApiResponsesObject {
  const statusOf = (code: ErrorCode) => statuses[code] ?? ERRORS[code].status;
  const byStatus = Map.groupBy([...codes, ...EVERYWHERE], statusOf);
  byStatus.delete(200);
  return Object.fromEntries(
    [...byStatus]
      .toSorted(([one], [other]) => one - other)
      .map(([status, all]) => [String(status), refusal([...new Set(all)])]),
  );
}

export function refusal(codes: readonly ErrorCode[]): ZodOpenApiResponseObject {
  const waits = codes.some((code) => ERRORS[code].status === 429 || ERRORS[code].status === 503);
  return {
    description: codes.map((code) => `\`${code}\`: ${ERRORS[code].title}.`).join('\n'),
    ...(waits ? { headers: RETRY_AFTER } : {}),
    content: {
      'application/problem+json': {
        schema: { allOf: [PROBLEM], properties: { code: { enum: [...codes] } } },
      },
    },
  };
}
