// The routes: which door opens at which path, 405 at a known path, 404 elsewhere, and one way to fail.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { ServiceError } from '../core/errors.ts';
import type { ReplyExchange } from '../core/ports/replies.ts';
import type { AddressLimit } from './address-limit.ts';
import {
  type DevicesDoor,
  handleChangeDevice,
  handleDeleteDevice,
  handleListDevices,
  handleReadDevice,
  handleRegister,
  handleRenewHandle,
  handleRevokeHandle,
  handleRotateToken,
} from './devices.ts';
import type { Call } from './door.ts';
import { handleHealth, handleReadiness, type Readiness } from './health.ts';
import { type HttpAnswer, sendAnswer, writeAnswer } from './http-answer.ts';
import { handleNotify, handleNotifyByHandle, type NotifyDoor } from './notify.ts';
import { problemAnswer } from './problem.ts';
import { handleResponse } from './response.ts';
import { handleLsps5, handleWebhook, type WebhookDoor } from './webhooks.ts';

/** One line of the request log: no query, no address, no body. */
export interface RefusedRequest {
  readonly requestId: string;
  readonly method: string;
  /** The route's pattern, never the path as it came. */
  readonly route: string;
  readonly error: ServiceError;
}

export interface AppParts {
  readonly notify: NotifyDoor;
  readonly devices: DevicesDoor;
  readonly webhooks: WebhookDoor;
  readonly exchange: ReplyExchange;
  readonly addressLimit: AddressLimit | undefined;
  readonly readiness: () => Readiness;
  readonly onRefused: (request: RefusedRequest) => void;
}

type Handler = (call: Call) => Promise<HttpAnswer> | HttpAnswer;

export interface App {
  /** Every request, by the router. */
  readonly fetch: Hono<RouterEnv>['fetch'];
  /**
   * Answers a POST to one of the paths without parameters, which is what most callers send, by itself: the router
   * and the objects that it makes of a request cost as much as reading it. False if it is any other request.
   */
  take(incoming: IncomingMessage, outgoing: ServerResponse): boolean;
}

export function createApp(parts: AppParts): App {
  const router = new Hono<RouterEnv>({ strict: false });
  const direct = new Map<string, (call: Call) => Promise<HttpAnswer>>();
  const route: Route = (path, handlers) => {
    const byMethod = new Map<string, Handler>(Object.entries(handlers));
    const allow = Object.keys(handlers).join(', ');
    const answer = async (call: Call): Promise<HttpAnswer> => {
      try {
        const { method = '' } = call.incoming;
        const handler = byMethod.get(method === 'HEAD' ? 'GET' : method);
        if (handler === undefined) throw new ServiceError('method_not_allowed', { allow });
        parts.addressLimit?.check(call.incoming);
        return await handler(call);
      } catch (error) {
        return refuse(parts, call, { route: path, error: asServiceError(error) });
      }
    };
    if (byMethod.has('POST') && !path.includes(':')) direct.set(path, answer);
    // One handler for a path: with two, Hono would chain them at every request.
    router.all(path, async (context) =>
      sendAnswer(context.env.outgoing, await answer(callOf(context))),
    );
  };
  routeWebhooks(route, parts);
  routeDevices(route, parts.devices);
  routeHealth(router, parts);

  const fail = (context: RouterContext, error: ServiceError): Response => {
    const route = error.code === 'not_found' ? UNKNOWN_ROUTE : context.req.routePath;
    const answer = refuse(parts, callOf(context), { route, error });
    return sendAnswer(context.env.outgoing, answer);
  };
  router.notFound((context) => fail(context, new ServiceError('not_found')));
  router.onError((error, context) => fail(context, asServiceError(error)));
  return {
    fetch: router.fetch,
    take(incoming, outgoing) {
      const answer = incoming.method === 'POST' ? direct.get(pathOf(incoming)) : undefined;
      if (answer === undefined || !PLAIN_HOST.test(incoming.headers.host ?? '')) return false;
      answer(directCall(incoming, outgoing))
        .then((ready) => writeAnswer(outgoing, ready))
        .catch(() => outgoing.destroy());
      return true;
    },
  };
}

/** How a request is logged that was for nothing here, at whatever path. */
const UNKNOWN_ROUTE = '*';

/** The router refuses a Host of which no URL can be made; this is never one, and any other is for the router. */
const PLAIN_HOST =
  /^(?:127\.0\.0\.1|(?!.*xn--)[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*)(?::[1-5]?[0-9]{1,4})?$/;

function pathOf({ url = '' }: IncomingMessage): string {
  const mark = url.indexOf('?');
  return mark < 0 ? url : url.slice(0, mark);
}

function directCall(incoming: IncomingMessage, outgoing: ServerResponse): Call {
  const { url = '' } = incoming;
  return {
    incoming,
    outgoing,
    param: () => '',
    query: (name) => new URLSearchParams(url.slice(pathOf(incoming).length)).get(name) ?? undefined,
  };
}

interface RouterEnv {
  readonly Bindings: HttpBindings;
}

type RouterContext = Context<RouterEnv>;

function callOf(context: RouterContext): Call {
  const { incoming, outgoing } = context.env;
  return {
    incoming,
    outgoing,
    param: (name) => context.req.param(name) ?? '',
    query: (name) => context.req.query(name),
  };
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Route = (path: string, handlers: Readonly<Partial<Record<Method, Handler>>>) => void;

function routeWebhooks(route: Route, parts: AppParts): void {
  const notify: Handler = (call) => handleNotify(parts.notify, call);
  const notifyByHandle: Handler = (call) => handleNotifyByHandle(parts.notify, call);
  route('/api/v1/notify', { POST: notify });
  route('/notify', { POST: notify });
  route('/api/v1/notify/:handle', { POST: notifyByHandle });
  route('/n/:handle', { POST: notifyByHandle });
  route('/api/v1/response/:id', { POST: (call) => handleResponse(parts.exchange, call) });
  route('/api/v1/lsps5/:handle', { POST: (call) => handleLsps5(parts.webhooks, call) });
  route('/api/v1/webhooks/:source/:handle', {
    POST: (call) => handleWebhook(parts.webhooks, call),
  });
}

/** Nothing is refused here that would count against an address. */
function routeHealth(router: Hono<RouterEnv>, parts: AppParts): void {
  router.get('/healthz', ({ env }) => sendAnswer(env.outgoing, handleHealth()));
  router.get('/readyz', ({ env }) => sendAnswer(env.outgoing, handleReadiness(parts.readiness())));
  for (const path of ['/healthz', '/readyz']) {
    router.all(path, () => {
      throw new ServiceError('method_not_allowed', { allow: 'GET, HEAD' });
    });
  }
}

function routeDevices(route: Route, door: DevicesDoor): void {
  route('/api/v1/devices', {
    POST: (call) => handleRegister(door, call),
    GET: (call) => handleListDevices(door, call),
  });
  route('/api/v1/devices/:id', {
    GET: (call) => handleReadDevice(door, call),
    PATCH: (call) => handleChangeDevice(door, call),
    DELETE: (call) => handleDeleteDevice(door, call),
  });
  route('/api/v1/devices/:id/token', { PUT: (call) => handleRotateToken(door, call) });
  route('/api/v1/devices/:id/handles/:door', {
    POST: (call) => handleRenewHandle(door, call),
    DELETE: (call) => handleRevokeHandle(door, call),
  });
}

function asServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  return new ServiceError('internal', {}, { cause: error });
}

function refuse(
  parts: AppParts,
  call: Call,
  { route, error }: { readonly route: string; readonly error: ServiceError },
): HttpAnswer {
  const { incoming } = call;
  const requestId = parts.notify.requestIds.of(call);
  parts.addressLimit?.refused(incoming, error.code);
  parts.onRefused({
    requestId,
    method: incoming.method ?? '',
    route: error.code === 'not_found' ? UNKNOWN_ROUTE : route,
    error,
  });
  const { headers, ...answer } = problemAnswer(error, requestId);
  // What was not read of the body would otherwise be taken for the next request.
  const ending = hasUnreadBody(incoming) ? { connection: 'close' } : {};
  return { ...answer, headers: { ...headers, ...ending } };
}

function hasUnreadBody({ complete, headers }: IncomingMessage): boolean {
  const hasBody =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody && !complete;
}
