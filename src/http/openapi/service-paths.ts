// The description of the routes by which the service describes itself.

import { z } from 'zod';
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { ok } from './device-paths.ts';
import { problems } from './problems.ts';

const check = z.object({
  ready: z.boolean(),
  status: z.enum(['ready', 'degraded', 'broken']).optional(),
  detail: z.string().optional(),
  since: z.iso.datetime().optional().meta({
    description: 'Of `store`: since when the database takes no rows.',
  }),
});
const readiness = z
  .object({
    ready: z.boolean(),
    node: z.string().optional().meta({
      description: 'Of several machines over one database: which one this is.',
    }),
    checks: z.record(z.string(), check).meta({ description: 'What can be wrong, by name.' }),
  })
  .meta({ id: 'Readiness' });

export function servicePaths(): ZodOpenApiPathsObject {
  const isReady = ok(readiness)['200'];
  return {
    '/healthz': {
      get: {
        ...open('health', 'Whether the process runs'),
        responses: { ...ok(z.object({ status: z.literal('alive') })), ...problems([]) },
      },
    },
    '/readyz': {
      get: {
        ...open('readiness', 'Whether pushes can be delivered, and what is wrong'),
        responses: {
          '200': { ...isReady, description: 'Pushes can be delivered.' },
          '503': { ...isReady, description: 'They cannot: `checks` says why.' },
          ...problems([]),
        },
      },
    },
    '/openapi.json': {
      get: {
        ...open('description', 'This description, OpenAPI 3.1'),
        responses: { ...ok(z.looseObject({ openapi: z.string() })), ...problems([]) },
      },
    },
    '/docs': {
      get: { ...open('docs', 'The same as a page'), responses: { ...text('text/html') } },
    },
    '/docs/style.css': {
      get: { ...open('style', 'How that page looks'), responses: { ...text('text/css') } },
    },
  };
}

function open(operationId: string, summary: string) {
  return { operationId, tags: ['service'], summary, security: [] };
}

function text(type: string) {
  return {
    '200': { description: 'Done.', content: { [type]: { schema: z.string() } } },
    ...problems([]),
  };
}
