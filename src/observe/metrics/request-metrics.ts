// What callers asked and what they were told: requests by route, calls of webhooks by result, refusals by code.

import { Counter, Histogram, type Registry } from '@prometheus-io/client';
import type { ErrorCode } from '../../core/errors.ts';
import type { EventNamed } from '../../core/ports/observer.ts';
import { type KnownNames, limitTo, NO_DOOR } from './names.ts';

type RequestAnswered = EventNamed<'request_answered'>;

/** OpenTelemetry's semantic conventions for HTTP metrics, `http.server.request.duration`. */
const HTTP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const OTHER_METHOD = '_OTHER';
/** Refusals for reasons of this side: they are 0 from the start, so that the first one is seen as an increase. */
const OWN_REFUSALS: readonly ErrorCode[] = [
  'overloaded',
  'provider_unavailable',
  'store_unavailable',
];
const SIGNATURE_CODES: readonly ErrorCode[] = ['bad_signature', 'stale_timestamp'];

export function createRequestMetrics(registry: Registry, known: KnownNames) {
  const registers = [registry];
  const requests = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Requests by route and class of status, from the parsed head to the answer.',
    labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: HTTP_BUCKETS,
    registers,
  });
  const calls = new Counter({
    name: 'nds_calls_total',
    help: 'Webhooks by what their caller was told: delivered, queued, duplicate, ignored, replied, no_reply, refused (its fault), failed (ours or the provider’s).',
    labelNames: ['app', 'source', 'type', 'result'],
    registers,
  });
  const refusals = new Counter({
    name: 'nds_refusals_total',
    help: 'Refused requests by door and code; docs/errors.md explains the codes.',
    labelNames: ['door', 'code'],
    registers,
  });
  const signatureFailures = new Counter({
    name: 'nds_signature_failures_total',
    help: 'Calls whose signature or timestamp was refused.',
    labelNames: ['source', 'cause'],
    registers,
  });
  const appOf = limitTo(known.apps);
  const typeOf = limitTo(known.types);
  const sourceOf = limitTo(known.sources);
  for (const door of known.doors) {
    for (const code of OWN_REFUSALS) refusals.inc({ door, code }, 0);
  }
  for (const source of known.sources) {
    for (const cause of SIGNATURE_CODES) signatureFailures.inc({ source, cause }, 0);
  }

  return {
    request(event: RequestAnswered): void {
      const { method, route, status, durationMs, door = NO_DOOR, code } = event;
      const labels = {
        http_request_method: METHODS.includes(method) ? method : OTHER_METHOD,
        http_route: route,
        http_response_status_code: `${Math.floor(status / 100)}xx`,
      };
      requests.observe(labels, durationMs / 1_000);
      if (code !== undefined) refusals.inc({ door, code });
      if (!event.isCall) return;
      const result = resultOf(event);
      calls.inc({ app: appOf(event.app), source: door, type: typeOf(event.type), result });
    },
    signatureRefused({ source, code }: EventNamed<'signature_refused'>): void {
      signatureFailures.inc({ source: sourceOf(source), cause: code });
    },
  };
}

function resultOf({ told, code, status }: RequestAnswered): string {
  if (code === undefined) return told ?? 'ignored';
  if (code === 'no_reply') return code;
  return status >= 500 ? 'failed' : 'refused';
}
