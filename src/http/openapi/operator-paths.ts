// The description of the operators' routes.

import { z } from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import type { ErrorCode } from '../../core/errors.ts';
import type { Scope } from '../../core/operating/scopes.ts';
import { withoutUndefined } from '../../core/without-undefined.ts';
import { deliveryAnswer, findAnswer, statsAnswer } from '../operator/answers.ts';
import { listAppsAnswer, reloadAnswer } from '../operator/apps.ts';
import { listDeliveriesAnswer, listDeliveriesQuery, retryAnswer } from '../operator/deliveries.ts';
import { findBody, findQuery, statsQuery } from '../operator/finding.ts';
import { importAnswer } from '../operator/import.ts';
import { listRefusalsAnswer, listRefusalsQuery } from '../operator/refusals.ts';
import { streamQuery } from '../operator/stream.ts';
import { testPushAnswer, testPushBody } from '../operator/test-pushes.ts';
import {
  forgetAnswer,
  forgetUserQuery,
  listQuarantineAnswer,
  listQuarantineQuery,
  releaseAnswer,
} from '../operator/tokens.ts';
import { bodyOf, ok } from './device-paths.ts';
import { OF_BODIES, problems } from './problems.ts';

/** Refusals of all these routes; `not_found` if no key is configured. */
const OF_OPERATORS: readonly ErrorCode[] = [
  'unauthorized',
  'insufficient_scope',
  'not_found',
  'rate_limited',
  'store_unavailable',
];
/** Refusals of a push before an attempt. */
const OF_PUSHES: readonly ErrorCode[] = [
  'unknown_app',
  'unknown_device',
  'unknown_handle',
  'token_unregistered',
  'token_rejected',
  'token_throttled',
  'push_too_large',
  'type_not_supported',
  'provider_not_configured',
  'provider_unavailable',
  'external_url_missing',
  'overloaded',
  'shutting_down',
];

const ofDelivery = z.object({ id: z.string().meta({ description: 'The delivery.' }) });
const ofUser = z.object({ user: z.string().meta({ description: 'As it was registered.' }) });
const ofToken = z.object({
  fingerprint: z
    .string()
    .meta({ description: 'Of the token, as the log shows it: 32 hex digits.' }),
});

export function operatorPaths(): ZodOpenApiPathsObject {
  return {
    ...deliveryPaths(),
    ...findingPaths(),
    ...tokenPaths(),
    '/api/v1/devices/import': { post: importDevices() },
    '/api/v1/apps': {
      get: operation('listApps', 'The apps, their providers, and whether these can deliver', {
        scope: 'read',
        answer: listAppsAnswer,
      }),
    },
    '/api/v1/apps/reload': {
      post: operation('reload', 'Read the files of apps, keys, sources and endpoints again', {
        scope: 'operate',
        answer: reloadAnswer,
        codes: [...OF_BODIES, 'reload_failed'],
      }),
    },
    '/api/v1/stream': { get: stream() },
  };
}

function deliveryPaths(): ZodOpenApiPathsObject {
  return {
    '/api/v1/deliveries': {
      get: operation('listDeliveries', 'Deliveries, newest first', {
        scope: 'read',
        params: { query: listDeliveriesQuery },
        answer: listDeliveriesAnswer,
        codes: ['bad_query'],
      }),
    },
    '/api/v1/deliveries/{id}': {
      get: operation('readDelivery', 'One delivery with its attempts', {
        scope: 'read',
        params: { path: ofDelivery },
        answer: deliveryAnswer,
        codes: ['unknown_delivery'],
      }),
    },
    '/api/v1/deliveries/{id}/retry': {
      post: operation('retryDelivery', 'Try a queued delivery at once', {
        scope: 'operate',
        params: { path: ofDelivery },
        answer: retryAnswer,
        codes: [
          ...OF_BODIES,
          'unknown_delivery',
          'content_erased',
          'held_back',
          'provider_not_configured',
        ],
      }),
    },
    '/api/v1/test-pushes': {
      post: {
        ...operation('pushTest', 'Send a push and see how it is delivered', {
          scope: 'operate',
          answer: testPushAnswer,
          codes: [...OF_BODIES, 'bad_body', ...OF_PUSHES],
        }),
        requestBody: bodyOf(testPushBody, {
          to: { token: 'dQw4w9WgXcQ-Ex_1:APA91bDemoPhone', platform: 'android' },
        }),
      },
    },
  };
}

function findingPaths(): ZodOpenApiPathsObject {
  return {
    '/api/v1/find': {
      get: operation('find', 'Everything that is known about a hash, an id or a user', {
        scope: 'read',
        params: { query: findQuery },
        answer: findAnswer,
        codes: ['bad_query'],
      }),
      post: {
        ...operation('findByBody', 'The same for a token or a webhook URL', {
          scope: 'read',
          answer: findAnswer,
          codes: [...OF_BODIES, 'bad_body'],
        }),
        requestBody: bodyOf(findBody, { q: 'dQw4w9WgXcQ-Ex_1:APA91bDemoPhone' }),
      },
    },
    '/api/v1/stats': {
      get: operation('readStats', 'Figures of a period, and why pushes failed', {
        scope: 'read',
        params: { query: statsQuery },
        answer: statsAnswer,
        codes: ['bad_query'],
      }),
    },
    '/api/v1/refusals': {
      get: operation('listRefusals', 'Refused calls, newest first', {
        scope: 'read',
        params: { query: listRefusalsQuery },
        answer: listRefusalsAnswer,
        codes: ['bad_query'],
      }),
    },
  };
}

function tokenPaths(): ZodOpenApiPathsObject {
  return {
    '/api/v1/quarantine': {
      get: operation('listQuarantine', 'Tokens that are not sent to, newest first', {
        scope: 'read',
        params: { query: listQuarantineQuery },
        answer: listQuarantineAnswer,
        codes: ['bad_query'],
      }),
    },
    '/api/v1/quarantine/{fingerprint}': {
      delete: operation('releaseToken', 'Let the next call for a token reach its provider', {
        scope: 'operate',
        params: { path: ofToken },
        answer: releaseAnswer,
        codes: ['unknown_token'],
      }),
    },
    '/api/v1/users/{user}': {
      delete: operation('forgetUser', 'Delete everything that is known about a user', {
        scope: 'operate',
        params: { path: ofUser, query: forgetUserQuery },
        answer: forgetAnswer,
        codes: ['bad_query', 'unknown_user'],
      }),
    },
    '/api/v1/tokens/{fingerprint}': {
      delete: operation('forgetToken', 'Delete everything that is known about a token', {
        scope: 'operate',
        params: { path: ofToken },
        answer: forgetAnswer,
        codes: ['unknown_token'],
      }),
    },
  };
}

function importDevices(): ZodOpenApiOperationObject {
  const lines = {
    'application/x-ndjson': {
      schema: z
        .string()
        .meta({ description: 'A registration as JSON in each line, at most 1,000.' }),
      example: '{"platform":"android","token":"dQw4w9WgXcQ-Ex_1:APA91bDemoPhone"}\n',
    },
  };
  const answers = {
    'application/x-ndjson': {
      schema: importAnswer.meta({ description: 'Of each line that is not empty.' }),
    },
  };
  return {
    ...operation('importDevices', 'Register many devices', {
      scope: 'register',
      answer: importAnswer,
      codes: OF_BODIES,
    }),
    requestBody: { content: lines },
    responses: {
      '200': { description: 'A line for each line.', content: answers },
      ...problems([...OF_OPERATORS, ...OF_BODIES]),
    },
  };
}

function stream(): ZodOpenApiOperationObject {
  const events = {
    schema: z.string().meta({ description: 'Events `delivery`, `attempt`, `refusal`, `gap`.' }),
  };
  return {
    operationId: 'watch',
    tags: ['operators'],
    summary: 'What happens now, as Server-Sent Events',
    security: [{ key: ['read'] }],
    requestParams: {
      query: streamQuery,
      header: z.object({
        'Last-Event-ID': z.string().optional().meta({ description: 'The last event that came.' }),
      }),
    },
    responses: {
      '200': { description: 'It does not end.', content: { 'text/event-stream': events } },
      ...problems([...OF_OPERATORS, 'bad_query', 'overloaded', 'shutting_down']),
    },
  };
}

export function operation(
  operationId: string,
  summary: string,
  what: {
    readonly scope: Scope;
    readonly params?: ZodOpenApiOperationObject['requestParams'];
    readonly answer: z.ZodType;
    readonly codes?: readonly ErrorCode[];
  },
): ZodOpenApiOperationObject {
  const { scope, params, answer, codes = [] } = what;
  return {
    operationId,
    tags: ['operators'],
    summary,
    security: [{ key: [scope] }],
    ...withoutUndefined({ requestParams: params }),
    responses: { ...ok(answer), ...problems([...OF_OPERATORS, ...codes]) },
  };
}
