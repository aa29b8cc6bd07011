// The description of the door at which a phone says that a push started it.

import { z } from 'zod';
import type { ZodOpenApiOperationObject } from 'zod-openapi';
import { PRIORITIES, REASONS, STAGES } from '../../core/receipts/receipt.ts';
import { problems } from './problems.ts';

const priority = z.enum(PRIORITIES).optional();
const receipt = z
  .object({
    stage: z.enum(STAGES).optional().meta({ description: 'Absent: `started`.' }),
    t: z.int().min(0).optional().meta({ description: 'Milliseconds since the push arrived.' }),
    n: z.literal([1, 2]).optional().meta({ description: 'As in the push; absent: 1.' }),
    why: z.enum(REASONS).optional().meta({ description: 'Of `failed`.' }),
    shown: z.boolean().optional().meta({ description: 'Whether the person sees a notification.' }),
    priority,
    original: priority,
  })
  .meta({ id: 'Receipt', description: 'Unknown content is left out.' });

export const RECEIPT: ZodOpenApiOperationObject = {
  operationId: 'receipt',
  tags: ['devices'],
  summary: 'Say that a push started the app',
  description:
    'For apps with receipts. The address comes with the push and is valid for an hour. The answer is always the same; at most 256 bytes are read.',
  security: [],
  requestParams: {
    path: z.object({ id: z.string().meta({ description: 'From the key `nds` of the push.' }) }),
  },
  requestBody: {
    required: false,
    content: {
      'application/json': {
        schema: receipt,
        examples: { done: { value: { stage: 'done', t: 2_100, shown: true } } },
      },
    },
  },
  responses: { '204': { description: 'Whatever came.' }, ...problems([]) },
};
