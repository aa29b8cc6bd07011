// The description of the endpoints' routes, and of the events that are sent to them.

import { z } from 'zod';
import type { ZodOpenApiPathItemObject, ZodOpenApiPathsObject } from 'zod-openapi';
import { EVENTS, type EventType, isEventType } from '../../core/events/catalogue.ts';
import {
  attemptsAnswer,
  attemptsQuery,
  changeEndpointBody,
  createEndpointBody,
  deleteEndpointAnswer,
  endpointAnswer,
  listEndpointsAnswer,
  redeliverAnswer,
  redeliverBody,
  sentAnswer,
} from '../operator/endpoints.ts';
import { bodyOf } from './device-paths.ts';
import { operation } from './operator-paths.ts';
import { OF_BODIES } from './problems.ts';

const ofEndpoint = { path: z.object({ id: z.string().meta({ description: 'The endpoint.' }) }) };
const scope = 'endpoints';
const UNKNOWN = ['unknown_endpoint', 'unknown_event'] as const;
const URL = 'https://backend.example.com/nds';

export function endpointPaths(): ZodOpenApiPathsObject {
  return {
    '/api/v1/endpoints': {
      get: operation('listEndpoints', 'The endpoints, without their secrets', {
        scope,
        answer: listEndpointsAnswer,
      }),
      post: {
        ...operation('createEndpoint', 'Add an endpoint; its secret is shown this once', {
          scope,
          answer: endpointAnswer,
          codes: [...OF_BODIES, 'bad_body', 'too_many_endpoints'],
        }),
        requestBody: bodyOf(createEndpointBody, { url: URL, enabled_events: ['delivery.*'] }),
      },
    },
    '/api/v1/endpoints/{id}': {
      get: operation('readEndpoint', 'One endpoint', {
        scope,
        params: ofEndpoint,
        answer: endpointAnswer,
        codes: ['unknown_endpoint'],
      }),
      patch: {
        ...operation('changeEndpoint', 'Change it, disable it, enable it again', {
          scope,
          params: ofEndpoint,
          answer: endpointAnswer,
          codes: [...OF_BODIES, 'bad_body', 'unknown_endpoint', 'endpoint_configured'],
        }),
        requestBody: bodyOf(changeEndpointBody, { status: 'enabled' }),
      },
      delete: operation('deleteEndpoint', 'Delete it', {
        scope,
        params: ofEndpoint,
        answer: deleteEndpointAnswer,
        codes: ['unknown_endpoint', 'endpoint_configured'],
      }),
    },
    ...actionPaths(),
  };
}

function actionPaths(): ZodOpenApiPathsObject {
  return {
    '/api/v1/endpoints/{id}/secret/rotate': {
      post: operation('rotateSecret', 'A new secret; the earlier one signs beside it for a day', {
        scope,
        params: ofEndpoint,
        answer: endpointAnswer,
        codes: [...OF_BODIES, 'unknown_endpoint', 'endpoint_configured', 'email_endpoint'],
      }),
    },
    '/api/v1/endpoints/{id}/test': {
      post: operation('testEndpoint', 'Send `test.ping`, or a test mail, once, now', {
        scope,
        params: ofEndpoint,
        answer: sentAnswer,
        codes: [...OF_BODIES, 'unknown_endpoint'],
      }),
    },
    '/api/v1/endpoints/{id}/attempts': {
      get: operation('listAttempts', 'The last attempts, newest first', {
        scope,
        params: { ...ofEndpoint, query: attemptsQuery },
        answer: attemptsAnswer,
        codes: ['bad_query', 'unknown_endpoint'],
      }),
    },
    '/api/v1/endpoints/{id}/redeliver': {
      post: {
        ...operation('redeliver', 'Send one event again, or all since a time', {
          scope,
          params: ofEndpoint,
          answer: redeliverAnswer,
          codes: [...OF_BODIES, 'bad_body', ...UNKNOWN, 'email_endpoint'],
        }),
        requestBody: bodyOf(redeliverBody, { since: '2h' }),
      },
    },
  };
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const app = z.string();
const provider = z.enum(['apns', 'apns_sandbox', 'fcm']);
const reason = z.string();
const ofDevice = {
  device_id: z.string().optional(),
  user: z.string().optional().meta({ description: 'For whom the device is registered now.' }),
  token_sha256: sha256.optional().meta({ description: 'Of the normalised push token.' }),
};
const ofDelivery = {
  delivery_id: z.uuid(),
  ...ofDevice,
  app,
  provider,
  notification_type: z.string(),
  reason: reason.optional(),
  subject_sha256: sha256.optional().meta({ description: 'Of the payment hash or swap id.' }),
};
const delivery = z.strictObject(ofDelivery);
const outage = z.strictObject({ app, provider, reason });
const device = z.strictObject({
  delivery_id: z.uuid().optional(),
  notification_type: z.string().optional(),
  ...ofDevice,
  app,
  provider: provider.optional(),
  reason: reason.optional(),
});

const DATA: Readonly<Record<EventType, z.ZodType>> = {
  'delivery.delivered': delivery,
  'delivery.woke': delivery,
  'delivery.no_wake': delivery,
  'delivery.expired': delivery,
  'delivery.unregistered': delivery,
  'delivery.rejected': delivery,
  'device.silent': device,
  'device.returned': device,
  'device.quarantined': device,
  'provider.down': outage,
  'provider.up': outage,
  'provider.misconfigured': outage,
  'endpoint.disabled': z.strictObject({
    app: app.optional(),
    endpoint_id: z.string(),
    reason: z.enum(['gone', 'failing']),
  }),
  'events.dropped': z.strictObject({
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    count: z.int().min(1),
  }),
  'test.ping': z.strictObject({}),
};

/** The body of an event, as its endpoint gets it. */
export function eventSchema(type: EventType): z.ZodType {
  return z.strictObject({ type: z.literal(type), timestamp: z.iso.datetime(), data: DATA[type] });
}

const headers = z.object({
  'webhook-id': z.string().meta({ description: 'The same each time the event comes.' }),
  'webhook-timestamp': z.string().meta({ description: 'Of this attempt, Unix seconds.' }),
  'webhook-signature': z.string().meta({ description: 'Standard Webhooks: `v1,…` or `v1a,…`.' }),
});

export function eventWebhooks(): Readonly<Record<string, ZodOpenApiPathItemObject>> {
  const types = Object.keys(EVENTS).filter(isEventType);
  return Object.fromEntries(
    types.map((type) => {
      const post = {
        operationId: `on_${type.replace('.', '_')}`,
        tags: ['events'],
        summary: `When ${EVENTS[type].when}`,
        requestParams: { header: headers },
        requestBody: {
          required: true,
          content: { 'application/json': { schema: eventSchema(type) } },
        },
        responses: { '2XX': { description: 'Accepted. Any other status is repeated.' } },
      };
      return [type, { post }];
    }),
  );
}
