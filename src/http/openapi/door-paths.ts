// The description of the callers' doors, and of the door at which a device replies.

import { z } from 'zod';
import type {
  ZodOpenApiOperationObject,
  ZodOpenApiPathsObject,
  ZodOpenApiResponseObject,
} from 'zod-openapi';
import { DOMAIN_SOURCE, LSPS5_SOURCE } from '../../core/devices/doors.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type {
  DescribedBody,
  DescribedCalls,
  DescribedSource,
} from '../../core/ports/source-description.ts';
import {
  MAX_APNS_TOKEN_CHARACTERS,
  MAX_APP_NAME_CHARACTERS,
  MAX_FCM_TOKEN_CHARACTERS,
} from '../../core/target.ts';
import { OF_BODIES, problems } from './problems.ts';
import { RECEIPT } from './receipt-path.ts';

/** Refusals of any call that becomes a push. */
const OF_PUSHES: readonly ErrorCode[] = [
  'bad_body',
  'unknown_app',
  'token_unregistered',
  'push_too_large',
  ...OF_BODIES,
  'token_rejected',
  'message_rejected',
  'type_not_supported',
  'rate_limited',
  'token_throttled',
  'provider_not_configured',
  'provider_misconfigured',
  'expired',
  'provider_unavailable',
  'overloaded',
  'shutting_down',
  'store_unavailable',
];
/** Further refusals for a body of the Breez family, which may be an invoice request. */
const OF_QUESTIONS: readonly ErrorCode[] = ['external_url_missing', 'no_reply'];

type Signing = Pick<DescribedSource, 'name' | 'headers' | 'isTimed'>;

/** A source that the vendor configured, described in general. */
export const BY_CONFIGURATION: Signing = {
  name: 'generic',
  headers: { signature: 'As configured.' },
  isTimed: true,
};

/** Refusals for callers of a source. */
export function codesOf({ name, headers, isTimed }: Signing): readonly ErrorCode[] {
  const isDomain = name === DOMAIN_SOURCE;
  const isSigned = Object.keys(headers).length > 0;
  const more: readonly (ErrorCode | undefined)[] = [
    isSigned ? 'bad_signature' : undefined,
    isTimed ? 'stale_timestamp' : undefined,
    isDomain ? 'unknown_source' : 'unknown_handle',
    isDomain ? 'unknown_user' : undefined,
    ...(name === 'standard' ? OF_QUESTIONS : []),
  ];
  return [...OF_PUSHES, ...more.filter((code) => code !== undefined)];
}

const handle = z
  .string()
  .regex(/^[A-Za-z0-9_-]{22}$/)
  .meta({
    description: 'Stands for a device, at this door only.',
    example: 'UrbrNqE0m2vdkWhlbPwUMA',
  });

const id = z.uuid();
const logged = z.literal(false).optional();
export const told = z
  .object({
    id,
    status: z.enum(['delivered', 'queued', 'duplicate', 'ignored', 'acknowledged']),
    logged: logged.meta({
      description: 'The push was delivered, but the log could not be written.',
    }),
    code: z.string().optional().meta({ description: 'Why a call was only `acknowledged`.' }),
    deliveries: z
      .array(
        z.object({
          id: id.optional(),
          status: z.enum(['delivered', 'queued', 'duplicate', 'ignored', 'failed']),
          logged,
          code: z.string().optional(),
        }),
      )
      .optional()
      .meta({ description: 'Of a call for all devices of a user: one for each.' }),
  })
  .meta({ id: 'Told', description: 'What became of a call.' });

const TOLD =
  'The body is empty, and the headers say what happened. JSON goes only to a caller whose `Accept` names it.';
const TOLD_HEADERS = z.object({
  'Delivery-Id': id.optional().meta({ description: 'The delivery in the log.' }),
  'Delivery-Status': z.string().optional().meta({ description: 'As `status` in the JSON.' }),
});

const success: ZodOpenApiResponseObject = {
  description: TOLD,
  headers: TOLD_HEADERS,
  content: { 'application/json': { schema: told } },
};

/** Some callers get 200 for a call that can never succeed, because they would repeat it for months. */
function successAlsoFor(codes: readonly ErrorCode[]): ZodOpenApiResponseObject {
  if (codes.length === 0) return success;
  const schema = {
    allOf: [{ $ref: '#/components/schemas/Told' }],
    properties: { code: { enum: [...codes] } },
  };
  const acknowledged = codes.map((code) => `\`${code}\``).join(', ');
  return {
    ...success,
    description: `${TOLD} Also for what a repeat cannot change, as \`acknowledged\`: ${acknowledged}.`,
    content: { 'application/json': { schema } },
  };
}

const successOrReply: ZodOpenApiResponseObject = {
  description: `${TOLD} An invoice request is answered with the bytes that the device sent.`,
  headers: TOLD_HEADERS,
  content: { 'application/json': { schema: z.union([told, z.unknown()]) } },
};

const notifyQuery = z.object({
  platform: z.enum(['ios', 'android']),
  token: z
    .string()
    .min(1)
    .max(MAX_FCM_TOKEN_CHARACTERS)
    .meta({
      description: `The push token. One of APNs is hex digits, at most ${MAX_APNS_TOKEN_CHARACTERS}.`,
      example: 'dQw4w9WgXcQ-Ex_1:APA91bDemoPhone',
    }),
  app_data: z.string().optional().meta({ description: 'Handed to the app as it is.' }),
  app: z
    .string()
    .max(MAX_APP_NAME_CHARACTERS)
    .optional()
    .meta({ description: 'A configured app; `default` if absent.' }),
  environment: z
    .enum(['production', 'sandbox'])
    .optional()
    .meta({ description: 'Which of APNs’ environments issued the token, where the app has both.' }),
});

export function doorPaths({ breez, sources }: DescribedCalls): ZodOpenApiPathsObject {
  const signed = sources.map((source) => {
    const [path, variable] = pathOf(source.name);
    return [path, { post: signedCall(source, variable) }] as const;
  });
  return {
    '/api/v1/notify': { post: notifyByToken(breez, 'notify') },
    '/notify': { post: notifyByToken(breez, 'notifyShort') },
    '/api/v1/notify/{handle}': { post: notifyByHandle(breez, 'notifyByHandle') },
    '/n/{handle}': { post: notifyByHandle(breez, 'notifyByHandleShort') },
    ...Object.fromEntries(signed),
    '/api/v1/webhooks/{source}/{handle}': { post: genericCall() },
    '/api/v1/response/{id}': { post: reply() },
    '/r/{id}': { post: RECEIPT },
  };
}

function pathOf(source: string): readonly [path: string, variable: 'handle' | 'domain'] {
  if (source === LSPS5_SOURCE) return ['/api/v1/lsps5/{handle}', 'handle'];
  if (source === DOMAIN_SOURCE) return [`/api/v1/webhooks/${source}/{domain}`, 'domain'];
  return [`/api/v1/webhooks/${source}/{handle}`, 'handle'];
}

function bodyOf({ schema, examples }: DescribedBody): ZodOpenApiOperationObject['requestBody'] {
  const named = Object.entries(examples).map(([name, value]) => [name, { value }] as const);
  return {
    required: true,
    description: 'JSON, whatever the `Content-Type`.',
    content: { 'application/json': { schema, examples: Object.fromEntries(named) } },
  };
}

function notifyByToken(breez: DescribedBody, operationId: string): ZodOpenApiOperationObject {
  return {
    operationId,
    tags: ['callers'],
    summary: 'Wake a phone by its push token',
    description:
      'For lspd, the chain service, breez-lnurl, Boltz and http-nostr, as they call breez/notify. Nothing is signed: the URL is the secret.',
    security: [],
    requestParams: { query: notifyQuery },
    requestBody: bodyOf(breez),
    responses: {
      '200': successOrReply,
      ...problems(['bad_query', 'not_found', ...OF_PUSHES, ...OF_QUESTIONS]),
    },
  };
}

function notifyByHandle(breez: DescribedBody, operationId: string): ZodOpenApiOperationObject {
  return {
    operationId,
    tags: ['callers'],
    summary: 'Wake a registered device',
    description:
      'The same as with a token in the query, for the device that the handle stands for.',
    security: [],
    requestParams: { path: z.object({ handle }) },
    requestBody: bodyOf(breez),
    responses: {
      '200': successOrReply,
      ...problems(['unknown_handle', ...OF_PUSHES, ...OF_QUESTIONS]),
    },
  };
}

function signedCall(
  source: DescribedSource,
  variable: 'handle' | 'domain',
): ZodOpenApiOperationObject {
  const { name, caller, statuses } = source;
  const domain = z
    .string()
    .meta({ description: 'A configured domain.', example: 'pay.example.com' });
  const codes = codesOf(source);
  const acknowledged = codes.filter((code) => statuses[code] === 200);
  const headers = Object.entries(source.headers).map(
    ([header, description]) => [header, z.string().meta({ description })] as const,
  );
  return {
    operationId: `webhook_${name}`,
    tags: ['callers'],
    summary: `Webhook of ${name}`,
    description: `Called by ${caller}.`,
    security: [],
    requestParams: {
      path: variable === 'handle' ? z.object({ handle }) : z.object({ domain }),
      ...(headers.length > 0 ? { header: z.object(Object.fromEntries(headers)) } : {}),
    },
    requestBody: bodyOf(source),
    responses: {
      '200': name === 'standard' ? successOrReply : successAlsoFor(acknowledged),
      ...problems(codes, statuses),
    },
  };
}

function genericCall(): ZodOpenApiOperationObject {
  return {
    operationId: 'webhook',
    tags: ['callers'],
    summary: 'Webhook of a source by configuration',
    description: 'The configuration of the source says how it signs and where its fields are.',
    security: [],
    requestParams: {
      path: z.object({ source: z.string().meta({ description: 'The source’s name.' }), handle }),
    },
    requestBody: bodyOf({ schema: z.unknown(), examples: {} }),
    responses: { '200': success, ...problems(['unknown_source', ...codesOf(BY_CONFIGURATION)]) },
  };
}

function reply(): ZodOpenApiOperationObject {
  const replyId = z.string().regex(/^(?:[A-Za-z0-9_-]{22}){1,2}$/);
  return {
    operationId: 'reply',
    tags: ['devices'],
    summary: 'Reply to an invoice request',
    description:
      'From the phone, to the `reply_url` that its push had. The caller gets these bytes.',
    security: [],
    requestParams: { path: z.object({ id: replyId }) },
    requestBody: { content: { 'application/json': { schema: z.unknown() } } },
    responses: {
      '200': { description: 'The caller has the reply.' },
      ...problems(['not_found', 'machine_unreachable', ...OF_BODIES]),
    },
  };
}
