// The routes: what is served at which path and by which method, 405 at a known path, 404 elsewhere, and the common form
// of all failures.

import { type Handler, Hono } from 'hono';
import { DOMAIN_SOURCE } from '../core/devices/doors.ts';
import { ServiceError } from '../core/errors.ts';
import type { ReplyExchange } from '../core/ports/replies.ts';
import { isPageServed } from './admin/access.ts';
import type { AdminParts } from './admin/parts.ts';
import { ADMIN_ROUTES } from './admin/routes.ts';
import { takesBody } from './body.ts';
import type { HttpContext, HttpEnv } from './context.ts';
import * as devices from './devices/routes.ts';
import { type DomainParts, handleDomainWebhook } from './domain-webhooks.ts';
import { handleHealth, handleReadiness, type Readiness } from './health.ts';
import { handleNotify, handleNotifyByHandle, type NotifyParts } from './notify.ts';
import { type ObservingParts, observeRequests, routeOf } from './observed.ts';
import type { Description } from './openapi/routes.ts';
import type { OperatorParts } from './operator/parts.ts';
import { handleOperator, OPERATOR_ROUTES } from './operator/routes.ts';
import { refuse } from './problem.ts';
import { handleReceipt, type ReceiptParts } from './receipts.ts';
import { handleReply } from './reply.ts';
import { handleLsps5, handleWebhook, type WebhookParts } from './webhooks.ts';

/** One line of the request log: no query, no address, no body. */
export interface RefusedRequest {
  readonly requestId: string;
  readonly method: string;
  /** The route's pattern, never the path as it came. */
  readonly route: string;
  readonly error: ServiceError;
}

export interface AppParts extends ObservingParts {
  readonly notify: NotifyParts;
  readonly devices: devices.DevicesParts;
  readonly operator: OperatorParts;
  readonly admin: AdminParts;
  readonly webhooks: WebhookParts & DomainParts;
  readonly exchange: ReplyExchange;
  readonly receipts: ReceiptParts;
  readonly readiness: () => Readiness;
  readonly description: Description;
  readonly onRefused: (request: RefusedRequest) => void;
}

export type App = Hono<HttpEnv>;

/** The only expectation of a client that is allowed (RFC 9110 section 10.1.1); Node itself answers it. */
const CONTINUE = '100-continue';

export function createApp(parts: AppParts): App {
  // Not strict: breez/notify serves a path with a slash at its end, too.
  const app = new Hono<HttpEnv>({ strict: false });
  app.use(observeRequests(parts), async (c, next) => {
    const expected = c.env.incoming.headers.expect?.toLowerCase() ?? CONTINUE;
    if (expected !== CONTINUE) throw new ServiceError('bad_request');
    await next();
  });
  routeWebhooks(app, parts);
  routeReceipts(app, parts);
  routeOperators(app, parts);
  routeDevices(app, parts.devices);
  routePage(app, parts);
  serve(app, '/healthz', { GET: handleHealth });
  serve(app, '/readyz', { GET: (c) => handleReadiness(c, parts.readiness()) });
  serve(app, '/openapi.json', { GET: (c) => parts.description(c, 'document') });
  serve(app, '/docs', { GET: (c) => parts.description(c, 'page') });
  serve(app, '/docs/style.css', { GET: (c) => parts.description(c, 'style') });
  app.notFound((c) => {
    c.set('isUnrouted', true);
    return fail(parts, c, new ServiceError('not_found'));
  });
  app.onError((error, c) => fail(parts, c, asServiceError(error, c)));
  return app;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Handlers = Readonly<Partial<Record<Method, (c: HttpContext) => Response | Promise<Response>>>>;

interface ServeOptions {
  readonly maxBodyBytes?: number | undefined;
  /** The callers for whom the path exists; all if absent. */
  readonly isServed?: (c: HttpContext) => boolean;
}

/** Routes a path; a method without a handler is answered 405. Hono answers HEAD as it does GET. */
function serve(app: App, path: string, handlers: Handlers, options: ServeOptions = {}): void {
  const { maxBodyBytes, isServed } = options;
  if (isServed !== undefined) {
    app.all(path, async (c, next) => {
      if (!isServed(c)) return await c.notFound();
      return await next();
    });
  }
  for (const [method, handler] of Object.entries(handlers)) {
    const route: Handler<HttpEnv> = (c) => handler(c);
    const readsBody = method !== 'GET' && method !== 'DELETE';
    if (readsBody) app.on(method, path, takesBody(maxBodyBytes), route);
    else app.on(method, path, route);
  }
  const allow = Object.keys(handlers)
    .map((method) => (method === 'GET' ? 'GET, HEAD' : method))
    .join(', ');
  app.all(path, () => {
    throw new ServiceError('method_not_allowed', { allow });
  });
}

function routeWebhooks(app: App, { notify, webhooks, exchange }: AppParts): void {
  for (const path of ['/api/v1/notify', '/notify']) {
    serve(app, path, { POST: (c) => handleNotify(notify, c) });
  }
  for (const path of ['/api/v1/notify/:handle', '/n/:handle']) {
    serve(app, path, { POST: (c) => handleNotifyByHandle(notify, c) });
  }
  serve(app, '/api/v1/response/:id', { POST: (c) => handleReply(exchange, c) });
  serve(app, '/api/v1/lsps5/:handle', { POST: (c) => handleLsps5(webhooks, c) });
  serve(app, `/api/v1/webhooks/${DOMAIN_SOURCE}/:domain`, {
    POST: (c) => handleDomainWebhook(webhooks, c),
  });
  serve(app, '/api/v1/webhooks/:source/:handle', { POST: (c) => handleWebhook(webhooks, c) });
}

/** Before the devices, because one of their paths is a pattern that also matches an operators' path. */
function routeOperators(app: App, { operator }: AppParts): void {
  for (const [path, routes] of Map.groupBy(OPERATOR_ROUTES, (route) => route.path)) {
    const scopes = routes.map(({ scope }) => scope);
    const handlers = routes.map((route) => {
      return [route.method, (c: HttpContext) => handleOperator(operator, c, route)];
    });
    serve(app, path, Object.fromEntries(handlers), {
      maxBodyBytes: routes[0]?.maxBodyBytes,
      isServed: (c) => operator.devices.auth.serves(c.env, scopes),
    });
  }
}

/** The answer is the same for bodies of any size and encoding, so nothing checks them before. */
function routeReceipts(app: App, { receipts }: AppParts): void {
  app.post('/r/:id', (c) => handleReceipt(receipts, c));
  app.all('/r/:id', () => {
    throw new ServiceError('method_not_allowed', { allow: 'POST' });
  });
}

function routePage(app: App, parts: AppParts): void {
  for (const [path, routes] of Map.groupBy(ADMIN_ROUTES, (route) => route.path)) {
    const handlers = routes.map(({ method, handle }) => {
      return [method, (c: HttpContext) => handle(parts.admin, c)];
    });
    serve(app, path, Object.fromEntries(handlers), {
      maxBodyBytes: routes[0]?.maxBodyBytes,
      isServed: (c) => isPageServed(parts.admin.access, c),
    });
  }
}

function routeDevices(app: App, parts: devices.DevicesParts): void {
  serve(app, '/api/v1/devices', {
    POST: (c) => devices.handleRegister(parts, c),
    GET: (c) => devices.handleListDevices(parts, c),
  });
  serve(app, '/api/v1/devices/:id', {
    GET: (c) => devices.handleReadDevice(parts, c),
    PATCH: (c) => devices.handleChangeDevice(parts, c),
    DELETE: (c) => devices.handleDeleteDevice(parts, c),
  });
  serve(app, '/api/v1/devices/:id/token', { PUT: (c) => devices.handleRotateToken(parts, c) });
  serve(app, '/api/v1/devices/:id/handles/:door', {
    POST: (c) => devices.handleRenewHandle(parts, c),
    DELETE: (c) => devices.handleRevokeHandle(parts, c),
  });
}

function fail(parts: AppParts, c: HttpContext, error: ServiceError): Response {
  const requestId = c.get('requestId');
  c.set('refusal', error);
  parts.onRefused({
    requestId,
    method: c.req.method,
    route: routeOf(c),
    error,
  });
  return refuse(c, error, requestId);
}

/** If a caller broke off in the middle of its body, that is not a fault of ours. */
function asServiceError(error: unknown, { env }: HttpContext): ServiceError {
  if (error instanceof ServiceError) return error;
  const { incoming } = env;
  if (incoming.destroyed && !incoming.complete) {
    return new ServiceError('bad_request', { detail: 'The body broke off.' }, { cause: error });
  }
  return new ServiceError('internal', {}, { cause: error });
}
