// What the observer hears of every request: its route, how long its answer took, and what its caller was told.

import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { DOMAIN_SOURCE, LSPS5_SOURCE, NOTIFY_DOOR } from '../core/devices/doors.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Observer } from '../core/ports/observer.ts';
import type { HttpContext, HttpEnv } from './context.ts';

/** The doors of webhooks by the beginning of their path; that of a signed webhook is known when its source is. */
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
  '/api/v1/devices': 'devices',
};

/** All names of doors but those of signed sources. */
export const DOORS: readonly string[] = [
  ...new Set([...Object.values(CALL_DOORS), ...Object.values(OTHER_DOORS)]),
];

/** OpenTelemetry's name for a method that the server does not know. */
const UNSERVED_METHOD = '_OTHER';

export function observeRequests(parts: {
  readonly clock: Clock;
  readonly observer: Observer;
}): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const startMs = parts.clock.nowMs();
    await next();
    const code = c.get('refusal')?.code;
    const place = c.get('isUnrouted') === true ? undefined : doorOf(c);
    parts.observer.observe({
      name: 'request_answered',
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
    });
  };
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
  return other === undefined ? undefined : { door: OTHER_DOORS[other] ?? other, isCall: false };
}
