// Failures as RFC 9457 problem JSON: a stable code, the fields at fault, never their values.

import { ERRORS, type ServiceError } from '../core/errors.ts';

/** The codes are explained in docs/errors.md. */
const TYPE = 'urn:nds:error:';

/** `requestId` becomes `instance`, by which the operator finds the request in the log. */
export function problemBody(error: ServiceError, requestId: string): string {
  const { code, details } = error;
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
    errors: details.faults,
  });
}

export function problemHeaders(error: ServiceError): Record<string, string> {
  const { retryAfterSeconds, allow } = error.details;
  return {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    ...(allow === undefined ? {} : { allow }),
  };
}

/**
 * Some callers must be told 200 of what can never work, or they would repeat it for months: they get a
 * success that names the code.
 */
export function problemResponse(error: ServiceError, requestId: string): Response {
  if (error.status === 200) return acknowledgement(error, requestId);
  return new Response(problemBody(error, requestId), {
    status: error.status,
    headers: problemHeaders(error),
  });
}

function acknowledgement({ code, details }: ServiceError, requestId: string): Response {
  const id = details.deliveryId ?? requestId;
  return new Response(JSON.stringify({ id, status: 'acknowledged', code }), {
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  });
}
