// The endpoints to which events are sent: register, change, test and list them.

import { z } from 'zod';
import { ServiceError } from '../../core/errors.ts';
import type { Sent } from '../../core/events/calls.ts';
import { enabledEventNames } from '../../core/events/catalogue.ts';
import { isEmailAddress } from '../../core/events/email-address.ts';
import type { Outbox } from '../../core/events/outbox.ts';
import { withoutUndefined } from '../../core/without-undefined.ts';
import { readBody } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { checkBody, parseJsonBody } from '../devices/device-body.ts';
import { reading } from '../handle.ts';
import { json } from '../success.ts';
import type { OperatorParts } from './parts.ts';
import { appName, checkQuery, isoOf, pageLimit, since, sinceMs } from './query.ts';

const MAX_URL_CHARACTERS = 2_048;
const MAX_DESCRIPTION_CHARACTERS = 200;
const NAMES = enabledEventNames();

const url = z
  .string('must be a string')
  .max(MAX_URL_CHARACTERS, `must have at most ${MAX_URL_CHARACTERS} characters`);
const enabledEvents = z
  .array(z.enum(NAMES, 'must be the name of an event or of a group, see docs/events.md'))
  .min(1, 'must not be empty')
  .max(NAMES.length, `must have at most ${NAMES.length} entries`);
const description = z
  .string()
  .max(MAX_DESCRIPTION_CHARACTERS, `must have at most ${MAX_DESCRIPTION_CHARACTERS} characters`)
  .refine((value) => value.isWellFormed(), 'must be valid text');

const email = z.string('must be a string').refine(isEmailAddress, 'must be an e-mail address');
const digest = z.enum(['hourly', 'daily'], 'must be hourly or daily');

export const createEndpointBody = z
  .strictObject({
    url: url.optional().meta({ description: 'An https URL, or an e-mail address.' }),
    email: email.optional().meta({ description: 'In place of `url`.' }),
    digest: digest.optional().meta({ description: 'Of an e-mail address; daily if absent.' }),
    enabled_events: enabledEvents.default(['*']),
    description: description.optional(),
    app: appName.optional().meta({ description: 'Events of this app only.' }),
  })
  .refine((body) => (body.url === undefined) !== (body.email === undefined), {
    path: ['url'],
    message: 'must be given, or `email` in its place',
  });

export const changeEndpointBody = z
  .strictObject({
    url: url.optional(),
    email: email.optional(),
    digest: digest.optional(),
    enabled_events: enabledEvents.optional(),
    description: description.optional(),
    app: appName.optional(),
    status: z.enum(['enabled', 'disabled']).optional(),
  })
  .refine((body) => body.url === undefined || body.email === undefined, {
    path: ['url'],
    message: 'must not be given beside `email`',
  });

export const redeliverBody = z
  .strictObject({
    event: z
      .string()
      .regex(/^evt_[A-Za-z0-9_-]{1,128}$/, 'must be the id of an event')
      .optional(),
    since,
  })
  .refine((body) => (body.event === undefined) !== (body.since === undefined), {
    path: ['event'],
    message: 'must be given, or `since` in its place',
  });

export const endpointAnswer = z.strictObject({
  id: z.string(),
  object: z.literal('endpoint'),
  url: z.string().meta({ description: 'Its address, also that of an e-mail endpoint.' }),
  email: z.string().optional().meta({ description: 'Of an e-mail endpoint: the address again.' }),
  digest: z.enum(['hourly', 'daily']).optional(),
  enabled_events: z.array(z.string()),
  description: z.string().optional(),
  app: z.string().optional(),
  status: z.enum(['enabled', 'disabled']),
  disabled_reason: z.enum(['by_operator', 'gone', 'failing']).optional(),
  created: z.int().meta({ description: 'Unix seconds.' }),
  configured: z.literal(true).optional().meta({ description: 'It comes from NDS_ENDPOINTS.' }),
  failing_since: z.string().optional(),
  secret: z.string().optional().meta({ description: 'Only where it was just made.' }),
});

export const listEndpointsAnswer = z.strictObject({ endpoints: z.array(endpointAnswer) });
export const deleteEndpointAnswer = z.strictObject({
  id: z.string(),
  status: z.literal('deleted'),
});

export const sentAnswer = z.strictObject({
  event: z.string(),
  outcome: z.enum(['delivered', 'failed']),
  status: z.int().optional().meta({ description: 'Of HTTP, or of SMTP.' }),
  reason: z.string().optional(),
  latency_ms: z.int(),
});

export const redeliverAnswer = z.union([
  sentAnswer,
  z.strictObject({ status: z.literal('rewound'), since: z.string() }),
]);

export const attemptsQuery = z.strictObject({ limit: pageLimit() });
export const attemptsAnswer = z.strictObject({
  attempts: z.array(
    z.strictObject({
      event: z.string(),
      type: z.string(),
      at: z.string(),
      latency_ms: z.int(),
      outcome: z.enum(['delivered', 'failed', 'skipped']),
      status: z.int().optional(),
      reason: z.string().optional(),
    }),
  ),
});

type Handled = Promise<Response>;

/** GET /api/v1/endpoints */
export function handleListEndpoints({ endpoints }: OperatorParts, c: HttpContext): Response {
  return json(c, { endpoints: endpoints.all.map((outbox) => describeEndpoint(outbox)) });
}

/** POST /api/v1/endpoints */
export async function handleCreateEndpoint(parts: OperatorParts, c: HttpContext): Handled {
  const {
    enabled_events: enabledEvents,
    email,
    ...body
  } = checkBody(createEndpointBody, parseJsonBody(await readBody(c)));
  requireApp(parts, body.app);
  const details = { ...body, url: email ?? body.url ?? '', enabledEvents };
  const outbox = await reading(() => parts.endpoints.create(details));
  return json(c, describeEndpoint(outbox, { withSecret: true }));
}

/** GET /api/v1/endpoints/:id */
export function handleReadEndpoint({ endpoints }: OperatorParts, c: HttpContext): Response {
  return json(c, describeEndpoint(endpoints.find(idOf(c))));
}

/** PATCH /api/v1/endpoints/:id */
export async function handleChangeEndpoint(parts: OperatorParts, c: HttpContext): Handled {
  const {
    enabled_events: enabledEvents,
    email,
    ...body
  } = checkBody(changeEndpointBody, parseJsonBody(await readBody(c)));
  requireApp(parts, body.app);
  const changes = { ...body, ...withoutUndefined({ enabledEvents, url: email }) };
  const outbox = await reading(() => parts.endpoints.change(idOf(c), changes));
  return json(c, describeEndpoint(outbox));
}

/** DELETE /api/v1/endpoints/:id */
export async function handleDeleteEndpoint({ endpoints }: OperatorParts, c: HttpContext): Handled {
  const id = idOf(c);
  await reading(() => endpoints.remove(id));
  const answer = { id, status: 'deleted' } as const;
  return json(c, answer satisfies z.output<typeof deleteEndpointAnswer>);
}

/** POST /api/v1/endpoints/:id/secret/rotate */
export async function handleRotate({ endpoints }: OperatorParts, c: HttpContext): Handled {
  const outbox = await reading(() => endpoints.rotate(idOf(c)));
  return json(c, describeEndpoint(outbox, { withSecret: true }));
}

/** POST /api/v1/endpoints/:id/test */
export async function handleTestEndpoint({ endpoints }: OperatorParts, c: HttpContext): Handled {
  const { eventId, sent } = await reading(() => endpoints.test(idOf(c)));
  return json(c, describeSent(eventId, sent));
}

/** GET /api/v1/endpoints/:id/attempts */
export async function handleAttempts({ endpoints }: OperatorParts, c: HttpContext): Handled {
  const { limit } = checkQuery(attemptsQuery, c);
  const attempts = await reading(() => endpoints.attempts(idOf(c), limit));
  const described = attempts.map(({ eventId, atMs, latencyMs, ...rest }) => {
    return { event: eventId, at: isoOf(atMs), latency_ms: latencyMs, ...rest };
  });
  return json(c, { attempts: described } satisfies z.output<typeof attemptsAnswer>);
}

/** POST /api/v1/endpoints/:id/redeliver */
export async function handleRedeliver(parts: OperatorParts, c: HttpContext): Handled {
  const { endpoints, clock } = parts;
  const body = checkBody(redeliverBody, parseJsonBody(await readBody(c)));
  const id = idOf(c);
  if (body.event !== undefined) {
    const { event } = body;
    return json(c, describeSent(event, await reading(() => endpoints.redeliver(id, event))));
  }
  const fromMs = sinceMs(body.since, clock) ?? 0;
  await reading(() => endpoints.rewind(id, fromMs));
  return json(c, { status: 'rewound', since: isoOf(fromMs) });
}

function idOf(c: HttpContext): string {
  return c.req.param('id') ?? '';
}

/** An app that does not exist would never have an event. */
function requireApp({ appNames }: OperatorParts, app: string | undefined): void {
  if (app === undefined || appNames().includes(app)) return;
  const faults = [{ field: 'app', message: 'is no configured app' }];
  throw new ServiceError('bad_body', { faults });
}

/** Without its secret, unless it was just made. */
export function describeEndpoint(
  { endpoint, progress }: Outbox,
  { withSecret = false }: { readonly withSecret?: boolean } = {},
): z.output<typeof endpointAnswer> {
  return {
    id: endpoint.id,
    object: 'endpoint',
    url: endpoint.url,
    email: endpoint.digest === undefined ? undefined : endpoint.url,
    digest: endpoint.digest,
    enabled_events: [...endpoint.enabledEvents],
    description: endpoint.description,
    app: endpoint.app,
    status: endpoint.status,
    disabled_reason: endpoint.disabledReason,
    created: Math.floor(endpoint.createdAtMs / 1_000),
    configured: endpoint.isConfigured ? true : undefined,
    failing_since: isoOf(progress.failingSinceMs),
    secret: withSecret ? endpoint.secrets[0]?.secret : undefined,
  };
}

function describeSent(
  event: string,
  { verdict, status, reason, latencyMs }: Sent,
): z.output<typeof sentAnswer> {
  return {
    event,
    outcome: verdict === 'delivered' ? 'delivered' : 'failed',
    status,
    reason,
    latency_ms: Math.round(latencyMs),
  };
}
