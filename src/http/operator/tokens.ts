// Tokens that are not sent to, and users and tokens that have to be forgotten.

import { z } from 'zod';
import { ServiceError } from '../../core/errors.ts';
import { quarantineAsJson } from '../../core/finding/json.ts';
import { DEVICE_BOUNDS } from '../../core/ports/devices.ts';
import type { ForgetResult } from '../../core/ports/operating.ts';
import type { HttpContext } from '../context.ts';
import { reading } from '../handle.ts';
import { json } from '../success.ts';
import { next, quarantineAnswer } from './answers.ts';
import type { OperatorParts } from './parts.ts';
import { appName, checkQuery, fingerprint, pageLimit } from './query.ts';

export const listQuarantineQuery = z.strictObject({
  app: appName.optional(),
  cursor: z
    .string()
    .regex(/^[1-9][0-9]{0,14}-[0-9a-f]{32}$/, 'must be the `next` of an earlier page')
    .transform((value) => {
      const [sinceMs = '', tokenHash = ''] = value.split('-');
      return { sinceMs: Number(sinceMs), tokenHash };
    })
    .optional(),
  limit: pageLimit(),
});

export const listQuarantineAnswer = z.strictObject({
  quarantine: z.array(quarantineAnswer),
  next,
});

export const releaseAnswer = z.strictObject({
  token_fingerprint: z.string(),
  status: z.literal('released'),
});

export const forgetUserQuery = z.strictObject({ app: appName.optional() });

export const forgetAnswer = z.strictObject({
  status: z.literal('forgotten'),
  /** How many devices were deleted, and from how many rows of the log device and token were removed. */
  devices: z.int(),
  deliveries: z.int(),
});

/** GET /api/v1/quarantine */
export async function handleListQuarantine(
  { clock, operating }: OperatorParts,
  c: HttpContext,
): Promise<Response> {
  const query = checkQuery(listQuarantineQuery, c);
  const page = await reading(() => operating.listQuarantine({ ...query, wallMs: clock.wallMs() }));
  return json(c, {
    quarantine: page.entries.map(quarantineAsJson),
    next: page.next && `${page.next.sinceMs}-${page.next.tokenHash}`,
  } satisfies z.output<typeof listQuarantineAnswer>);
}

/** DELETE /api/v1/quarantine/:fingerprint */
export async function handleReleaseQuarantine(
  { operations }: OperatorParts,
  c: HttpContext,
): Promise<Response> {
  const token = tokenOf(c);
  await reading(() => operations.releaseQuarantine(token));
  const answer = { token_fingerprint: token, status: 'released' } as const;
  return json(c, answer satisfies z.input<typeof releaseAnswer>);
}

/** DELETE /api/v1/users/:user[?app=…] */
export async function handleForgetUser(
  { operations, appNames }: OperatorParts,
  c: HttpContext,
): Promise<Response> {
  const { app } = checkQuery(forgetUserQuery, c);
  const user = c.req.param('user') ?? '';
  if (user.length > DEVICE_BOUNDS.userCharacters) throw new ServiceError('unknown_user');
  const apps = app === undefined ? appNames() : [app];
  return answerForgotten(c, await reading(() => operations.forgetUser(user, apps)));
}

/** DELETE /api/v1/tokens/:fingerprint */
export async function handleForgetToken(
  { operations }: OperatorParts,
  c: HttpContext,
): Promise<Response> {
  const token = tokenOf(c);
  return answerForgotten(c, await reading(() => operations.forgetToken(token)));
}

function answerForgotten(c: HttpContext, { devices, deliveries }: ForgetResult): Response {
  const answer = { status: 'forgotten', devices, deliveries } as const;
  return json(c, answer satisfies z.output<typeof forgetAnswer>);
}

function tokenOf(c: HttpContext): string {
  const parsed = fingerprint.safeParse(c.req.param('fingerprint'));
  if (!parsed.success) throw new ServiceError('unknown_token');
  return parsed.data;
}
