// What both databases remember of proofs.

import { z } from 'zod';

/** Credentials that were replaced. */
export const FORGOTTEN_AFTER_MS = 24 * 3_600_000;

export const outcomeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('delivered') }),
  z.object({ kind: z.literal('unregistered'), reason: z.string() }),
  z.object({ kind: z.literal('misconfigured'), reason: z.string() }),
  z.object({
    kind: z.literal('rejected'),
    reason: z.string(),
    blame: z.enum(['token', 'sender', 'message']),
  }),
  // By now the certainty of the failure no longer matters.
  z.object({
    kind: z.literal('retry'),
    reason: z.string(),
    certainty: z.unknown().transform(() => 'answered' as const),
  }),
]);
