// What is reported to the observer about every request: its id and route, how long its answer took, what its caller was
// told, and what it named if nothing was delivered for it.

import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { DOMAIN_SOURCE, LSPS5_SOURCE, NOTIFY_DOOR } from '../core/devices/doors.ts';
import type { ServiceError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { EventNamed, Observer } from '../core/ports/observer.ts';
import { OPERATOR_SOURCE, REPEATED } from '../core/ports/records.ts';
import type { EndedDelivery, HttpContext, HttpEnv } from './context.ts';
import { type NamingParts, refusedDeliveries } from './named-call.ts';

/** The doors of webhooks by the beginning of their path; for signed webhooks the source decides. */
const CALL_DOORS: Readonly<Record<string, string>> = {
  '/api/v1/notify': NOTIFY_DOOR,
  '/notify': NOTIFY_DOOR,
  '/n': NOTIFY_DOOR,
  '/api/v1/lsps5': LSPS5_SOURCE,
  [`/api/v1/webhooks/${DOMAIN_SOURCE}`]: DOMAIN_SOURCE,
  '/api/v1/webhooks': 'webhooks',
};
const OTHER_DOORS: Readonly<Record<string, string>> = {
  '/api/v1/response': 'response',
  '/r': 'receipts',
  '/api/v1/devices': 'devices',
  '/api/v1': OPERATOR_SOURCE,
  '/admin': OPERATOR_SOURCE,
};

/** All names of doors except those of signed sources. */
export const DOORS: readonly string[] = [
  ...new Set([...Object.values(CALL_DOORS), ...Object.values(OTHER_DOORS)]),
];

/** OpenTelemetry's name for a method that the server does not know. */
const UNSERVED_METHOD = '_OTHER';

export interface ObservingParts extends NamingParts {
  readonly clock: Clock;
  readonly observer: Observer;
}

export function observeRequests(parts: ObservingParts): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const startMs = parts.clock.nowMs();
    const requestId = parts.ids.deliveryId();
    c.set('requestId', requestId);
    c.header('Request-Id', requestId);
    await next();
    const refusal = c.get('refusal');
    const code = refusal?.code;
    const place = c.get('isUnrouted') === true ? undefined : doorOf(c);
    parts.observer.observe({
      name: 'request_answered',
      requestId,
      method:
        code === 'not_found' || code === 'method_not_allowed' ? UNSERVED_METHOD : c.req.method,
      route: routeOf(c),
      status: c.res.status,
      durationMs: parts.clock.nowMs() - startMs,
      door: place?.door,
      isCall: place?.isCall ?? false,
      app: c.get('app'),
      type: c.get('type'),
      told: c.get('told'),
      code,
      ...fates(parts, c, refusal),
    });
  };
}

/** The result of each part of the call. */
function fates(
  parts: NamingParts,
  c: HttpContext,
  refusal: ServiceError | undefined,
): Pick<EventNamed<'request_answered'>, 'deliveries' | 'refused'> {
  const ended = c.get('deliveries') ?? deliveryOf(refusal);
  const ignoredFor = c.get('ignoredFor');
  const deliveries = ended.flatMap(({ id, status, code }) =>
    id === undefined || status === REPEATED ? [] : [{ id, told: code ?? status }],
  );
  if (refusal === undefined && ignoredFor === undefined && deliveries.length === ended.length) {
    return { deliveries };
  }
  return { deliveries, refused: refusedDeliveries(parts, c, { refusal, ended }) };
}

/** A refused repeat says nothing about the delivery that it repeated. */
function deliveryOf(refusal: ServiceError | undefined): readonly EndedDelivery[] {
  const { deliveryId: id, isRepeat } = refusal?.details ?? {};
  if (refusal === undefined || id === undefined || isRepeat === true) return [];
  return [{ id, status: 'refused', code: refusal.code }];
}

/** The pattern of the route that was reached. */
export function routeOf(c: HttpContext): string {
  return c.get('isUnrouted') === true ? '*' : routePath(c);
}

function doorOf(c: HttpContext): { readonly door: string; readonly isCall: boolean } | undefined {
  const route = routePath(c);
  const isBelow = (beginning: string) => route === beginning || route.startsWith(`${beginning}/`);
  const call = Object.keys(CALL_DOORS).find(isBelow);
  if (call !== undefined) {
    return { door: c.get('source') ?? CALL_DOORS[call] ?? call, isCall: true };
  }
  const other = Object.keys(OTHER_DOORS).find(isBelow);
  if (other === undefined) return undefined;
  // Every caller at the socket is an operator, also at the routes that a backend calls.
  const isOperator = c.env.principal !== undefined;
  const door = isOperator ? OPERATOR_SOURCE : (OTHER_DOORS[other] ?? other);
  return { door, isCall: false };
}
