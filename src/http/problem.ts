// Failures as RFC 9457 problem JSON: a stable code, the fields at fault, never their values.

import { ERRORS, type ServiceError } from '../core/errors.ts';
import { type HttpAnswer, json } from './http-answer.ts';

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

function problemHeaders(error: ServiceError): Record<string, string> {
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
export function problemAnswer(error: ServiceError, requestId: string): HttpAnswer {
  if (error.status === 200) return acknowledgement(error, requestId);
  return {
    status: error.status,
    headers: problemHeaders(error),
    body: problemBody(error, requestId),
  };
}

function acknowledgement({ code, details }: ServiceError, requestId: string): HttpAnswer {
  const id = details.deliveryId ?? requestId;
  return json({ id, status: 'acknowledged', code });
}
