// Calls that were refused, from the log.

import { z } from 'zod';
import { refusalAsJson } from '../../core/finding/json.ts';
import type { HttpContext } from '../context.ts';
import { reading } from '../handle.ts';
import { json } from '../success.ts';
import { next, refusalAnswer } from './answers.ts';
import type { OperatorParts } from './parts.ts';
import {
  appName,
  checkQuery,
  filter,
  fingerprint,
  pageCursor,
  pageLimit,
  since,
  sinceMs,
} from './query.ts';

export const listRefusalsQuery = z.strictObject({
  app: appName.optional(),
  /** The pattern of a route. */
  door: filter(100).optional(),
  code: z
    .string()
    .regex(/^[a-z][a-z_]{0,63}$/, 'must be a code of docs/errors.md, or `duplicate`')
    .optional(),
  token: fingerprint.optional(),
  device: z.uuid('must be the id of a device').optional(),
  since,
  cursor: pageCursor,
  limit: pageLimit(),
});

export const listRefusalsAnswer = z.strictObject({ refusals: z.array(refusalAnswer), next });

/** GET /api/v1/refusals */
export async function handleListRefusals(
  { clock, operating }: OperatorParts,
  c: HttpContext,
): Promise<Response> {
  const { since: from, token, device, ...query } = checkQuery(listRefusalsQuery, c);
  const page = await reading(() =>
    operating.listRefusals({
      ...query,
      tokenHash: token,
      deviceId: device?.toLowerCase(),
      sinceMs: sinceMs(from, clock),
    }),
  );
  return json(c, {
    refusals: page.entries.map(refusalAsJson),
    next: page.next?.toString(),
  } satisfies z.output<typeof listRefusalsAnswer>);
}
