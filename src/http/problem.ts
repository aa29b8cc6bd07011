// Failures as RFC 9457 problem JSON: a stable code, the fields at fault, never their values.

import { ERRORS, type ServiceError } from '../core/errors.ts';
import type { Fault } from '../core/fault.ts';
import type { HttpContext } from './context.ts';
import { succeed } from './deliver.ts';

/** The codes are explained in docs/errors.md. */
const TYPE = 'urn:nds:error:';
const PROBLEM_TYPE = 'application/problem+json';

/** lspd reads 1,000 bytes of a refusal and cuts off the rest. */
const MAX_BYTES = 999;
const MAX_FAULTS = 8;

/** `requestId` becomes `instance`, by which the operator finds the request in the log. */
export function problemBody(error: ServiceError, requestId: string): string {
  const faults = error.details.faults ?? [];
  for (let shown = Math.min(faults.length, MAX_FAULTS); shown > 0; shown -= 1) {
    const body = bodyWith(error, requestId, faults.slice(0, shown));
    if (Buffer.byteLength(body) <= MAX_BYTES) return body;
  }
  return bodyWith(error, requestId, []);
}

function bodyWith(error: ServiceError, requestId: string, shown: readonly Fault[]): string {
  const { code, details } = error;
  const all = details.faults?.length ?? 0;
  return JSON.stringify({
    type: `${TYPE}${code}`,
    title: ERRORS[code].title,
    status: error.status,
    code,
    detail: details.detail ?? ERRORS[code].remedy,
    instance: `urn:uuid:${requestId}`,
    id: details.deliveryId,
    reason: details.reason,
    excess_bytes: details.excessBytes,
    errors: all > 0 ? shown : undefined,
    more_errors: all > shown.length ? all - shown.length : undefined,
  });
}

/** The headers that every answer with this problem has. */
export function problemHeaders({ code, details }: ServiceError): Record<string, string> {
  const headers: Record<string, string> = {
    'Content-Type': PROBLEM_TYPE,
    'Cache-Control': 'no-store',
  };
  if (details.retryAfterSeconds !== undefined) {
    headers['Retry-After'] = String(details.retryAfterSeconds);
  }
  if (details.allow !== undefined) headers.Allow = details.allow;
  // RFC 9110 section 15.5.16.
  if (code === 'unsupported_encoding') headers['Accept-Encoding'] = 'identity';
  return headers;
}

/**
 * The answer to a refused call. Some callers must get 200 for a call that can never succeed, because they would repeat
 * it for months: they get a success whose JSON names the code.
 */
export function refuse(c: HttpContext, error: ServiceError, requestId: string): Response {
  const { code, details, status } = error;
  if (status === 200) {
    const acknowledged = { id: details.deliveryId ?? requestId, status: 'acknowledged', code };
    return succeed(c, acknowledged);
  }
  const headers = problemHeaders(error);
  // The unread rest of the body would be taken for the next request.
  if (hasUnreadBody(c)) headers.Connection = 'close';
  return c.body(problemBody(error, requestId), status, headers);
}

function hasUnreadBody({ env }: HttpContext): boolean {
  const { complete, headers } = env.incoming;
  const hasBody =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody && !complete;
}
