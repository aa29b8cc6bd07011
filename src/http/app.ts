// The routes: which door opens at which path, 405 at a known path, 404 elsewhere, and one way to fail.

import type { IncomingMessage } from 'node:http';
import { Hono } from 'hono';
import { ServiceError } from '../core/errors.ts';
import type { ReplyExchange } from '../core/replies.ts';
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
import type { DoorContext, DoorEnv } from './door.ts';
import { handleHealth, handleReadiness, type Readiness } from './health.ts';
import { type HttpAnswer, sendAnswer } from './http-answer.ts';
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

type Handler = (context: DoorContext) => Promise<HttpAnswer> | HttpAnswer;

export function createApp(parts: AppParts): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const route = (path: string, handlers: Readonly<Partial<Record<Method, Handler>>>) => {
    const byMethod = new Map<string, Handler>(Object.entries(handlers));
    const allow = Object.keys(handlers).join(', ');
    // One handler for a path: with two, Hono would chain them at every request.
    app.all(path, async (context) => {
      const { method } = context.req;
      const handler = byMethod.get(method === 'HEAD' ? 'GET' : method);
      if (handler === undefined) throw new ServiceError('method_not_allowed', { allow });
      parts.addressLimit?.check(context.env.incoming);
      return sendAnswer(context.env.outgoing, await handler(context));
    });
  };
  const notify: Handler = (context) => handleNotify(parts.notify, context);
  const notifyByHandle: Handler = (context) => handleNotifyByHandle(parts.notify, context);
  route('/api/v1/notify', { POST: notify });
  route('/notify', { POST: notify });
  route('/api/v1/notify/:handle', { POST: notifyByHandle });
  route('/n/:handle', { POST: notifyByHandle });
  route('/api/v1/response/:id', { POST: (context) => handleResponse(parts.exchange, context) });
  route('/api/v1/lsps5/:handle', { POST: (context) => handleLsps5(parts.webhooks, context) });
  route('/api/v1/webhooks/:source/:handle', {
    POST: (context) => handleWebhook(parts.webhooks, context),
  });
  routeDevices(route, parts.devices);
  app.get('/healthz', ({ env }) => sendAnswer(env.outgoing, handleHealth()));
  app.get('/readyz', ({ env }) => sendAnswer(env.outgoing, handleReadiness(parts.readiness())));
  for (const path of ['/healthz', '/readyz']) {
    app.all(path, () => {
      throw new ServiceError('method_not_allowed', { allow: 'GET, HEAD' });
    });
  }

  app.notFound((context) => refuse(parts, context, new ServiceError('not_found')));
  app.onError((error, context) => refuse(parts, context, asServiceError(error)));
  return app;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

function routeDevices(
  route: (path: string, handlers: Readonly<Partial<Record<Method, Handler>>>) => void,
  door: DevicesDoor,
): void {
  route('/api/v1/devices', {
    POST: (context) => handleRegister(door, context),
    GET: (context) => handleListDevices(door, context),
  });
  route('/api/v1/devices/:id', {
    GET: (context) => handleReadDevice(door, context),
    PATCH: (context) => handleChangeDevice(door, context),
    DELETE: (context) => handleDeleteDevice(door, context),
  });
  route('/api/v1/devices/:id/token', { PUT: (context) => handleRotateToken(door, context) });
  route('/api/v1/devices/:id/handles/:door', {
    POST: (context) => handleRenewHandle(door, context),
    DELETE: (context) => handleRevokeHandle(door, context),
  });
}

function asServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  return new ServiceError('internal', {}, { cause: error });
}

function refuse(parts: AppParts, context: DoorContext, error: ServiceError): Response {
  const { incoming, outgoing } = context.env;
  const requestId = parts.notify.requestIds.of(context);
  parts.addressLimit?.refused(incoming, error.code);
  const route = error.code === 'not_found' ? '*' : context.req.routePath;
  parts.onRefused({ requestId, method: incoming.method ?? '', route, error });
  const { headers, ...answer } = problemAnswer(error, requestId);
  // What was not read of the body would otherwise be taken for the next request.
  const ending = hasUnreadBody(incoming) ? { connection: 'close' } : {};
  return sendAnswer(outgoing, { ...answer, headers: { ...headers, ...ending } });
}

function hasUnreadBody({ complete, headers }: IncomingMessage): boolean {
  const hasBody =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody && !complete;
}
