// The routes: which door opens at which path, 405 at a known path, 404 elsewhere, and one way to fail.

import type { IncomingMessage } from 'node:http';
import { Hono } from 'hono';
import { ServiceError } from '../core/errors.ts';
import type { ReplyExchange } from '../core/replies.ts';
import type { AddressLimit } from './address-limit.ts';
import type { DoorContext, DoorEnv } from './door.ts';
import { handleHealth, handleReadiness, type Readiness } from './health.ts';
import { handleNotify, type NotifyDoor } from './notify.ts';
import { problemResponse } from './problem.ts';
import { handleResponse } from './response.ts';

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
  readonly exchange: ReplyExchange;
  readonly addressLimit: AddressLimit | undefined;
  readonly readiness: () => Readiness;
  readonly onRefused: (request: RefusedRequest) => void;
}

type Handler = (context: DoorContext) => Promise<Response> | Response;

export function createApp(parts: AppParts): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const notify: Handler = (context) => handleNotify(parts.notify, context);
  const guarded = (handler: Handler): Handler => {
    return async (context) => {
      parts.addressLimit?.check(context.env.incoming);
      return await handler(context);
    };
  };
  const post = (path: string, handler: Handler) => {
    app.post(path, guarded(handler));
    app.all(path, () => refuseMethod('POST'));
  };
  const get = (path: string, handler: Handler) => {
    app.get(path, handler);
    app.all(path, () => refuseMethod('GET, HEAD'));
  };
  post('/api/v1/notify', notify);
  post('/notify', notify);
  post('/api/v1/response/:id', (context) => handleResponse(parts.exchange, context));
  get('/healthz', () => handleHealth());
  get('/readyz', () => handleReadiness(parts.readiness()));

  app.notFound((context) => refuse(parts, context, new ServiceError('not_found')));
  app.onError((error, context) => refuse(parts, context, asServiceError(error)));
  return app;
}

function refuseMethod(allow: string): never {
  throw new ServiceError('method_not_allowed', { allow });
}

function asServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  return new ServiceError('internal', {}, { cause: error });
}

function refuse(parts: AppParts, context: DoorContext, error: ServiceError): Response {
  const { incoming } = context.env;
  const requestId = parts.notify.requestIds.of(context);
  parts.addressLimit?.refused(incoming, error.code);
  const route = error.code === 'not_found' ? '*' : context.req.routePath;
  parts.onRefused({ requestId, method: incoming.method ?? '', route, error });
  const response = problemResponse(error, requestId);
  // What was not read of the body would otherwise be taken for the next request.
  if (hasUnreadBody(incoming)) response.headers.set('connection', 'close');
  return response;
}

function hasUnreadBody({ complete, headers }: IncomingMessage): boolean {
  const hasBody =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody && !complete;
}
