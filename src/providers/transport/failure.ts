// The ways in which a request can end without an answer, and what each of them means to a delivery.

import type { Outcome, RetryCertainty } from '../../core/outcome.ts';

/** `processed` tells whether the provider can have acted on the request. */
interface FailureKind {
  readonly processed: 'no' | 'perhaps';
  /** For the operator: what it is and where to look. */
  readonly meaning: string;
}

export const TRANSPORT_FAILURES = {
  dns_failed: { processed: 'no', meaning: 'The provider’s host name could not be resolved.' },
  connection_refused: { processed: 'no', meaning: 'The provider’s port refused the connection.' },
  connect_failed: { processed: 'no', meaning: 'No connection to the provider could be opened.' },
  connect_timeout: { processed: 'no', meaning: 'Opening a connection took too long.' },
  tls_untrusted: {
    processed: 'no',
    meaning:
      'The provider’s certificate is not trusted: check the machine’s clock, its certificate authorities, the endpoint and whatever inspects TLS on the way.',
  },
  tls_failed: { processed: 'no', meaning: 'The TLS handshake failed.' },
  not_http2: { processed: 'no', meaning: 'The peer does not speak HTTP/2: is a proxy in between?' },
  timeout_waiting: {
    processed: 'no',
    meaning: 'The deadline passed while the request waited for a connection or a free stream.',
  },
  refused_stream: { processed: 'no', meaning: 'The provider refused the stream unseen.' },
  goaway: { processed: 'no', meaning: 'The provider closed the connection before this stream.' },
  too_many_waiting: { processed: 'no', meaning: 'Too many requests wait for the provider.' },
  closed: { processed: 'no', meaning: 'The service is stopping.' },
  request_invalid: {
    processed: 'no',
    meaning: 'The request cannot be written as HTTP/2: a mistake of this service.',
  },
  timeout: { processed: 'perhaps', meaning: 'The provider did not answer before the deadline.' },
  connection_dead: {
    processed: 'perhaps',
    meaning: 'The connection went silent and was replaced.',
  },
  connection_lost: { processed: 'perhaps', meaning: 'The connection broke before the answer.' },
  stream_reset: { processed: 'perhaps', meaning: 'The provider reset the stream.' },
} as const satisfies Record<string, FailureKind>;

export type FailureReason = keyof typeof TRANSPORT_FAILURES;

/** Failures that mean that the provider cannot be reached at all. */
const CONNECT_FAILURES = [
  'dns_failed',
  'connection_refused',
  'connect_failed',
  'connect_timeout',
  'tls_untrusted',
  'tls_failed',
  'not_http2',
  'closed',
] as const satisfies readonly FailureReason[];

export type ConnectFailure = (typeof CONNECT_FAILURES)[number];

export function isConnectFailure(reason: string): reason is ConnectFailure {
  return CONNECT_FAILURES.some((failure) => failure === reason);
}

/** A certificate that is not trusted stays so until somebody acts; all else may pass by itself. */
export function failureOutcome(reason: FailureReason): Outcome {
  if (reason === 'tls_untrusted') return { kind: 'misconfigured', reason };
  if (reason === 'request_invalid') return { kind: 'rejected', reason, blame: 'message' };
  if (reason === 'timeout_waiting') return { kind: 'retry', reason, certainty: 'not_started' };
  if (reason === 'timeout' || reason === 'stream_reset') return { kind: 'retry', reason, certainty: 'unanswered' };
  const certainty: RetryCertainty =
    TRANSPORT_FAILURES[reason].processed === 'no' ? 'not_processed' : 'uncertain';
  return { kind: 'retry', reason, certainty };
}

/** OpenSSL's verdicts on a certificate as Node names them (documentation of `tls`, "X509 certificate error codes"). */
const UNTRUSTED = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  'ERROR_IN_CERT_NOT_BEFORE_FIELD',
  'ERROR_IN_CERT_NOT_AFTER_FIELD',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'INVALID_CA',
  'PATH_LENGTH_EXCEEDED',
  'INVALID_PURPOSE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'HOSTNAME_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** Names why a connection could not be opened, from the error code alone. */
export function connectFailureOf(error: unknown): ConnectFailure {
  const code = errorCode(error);
  if (UNTRUSTED.has(code)) return 'tls_untrusted';
  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) return 'dns_failed';
  if (code === 'ECONNREFUSED') return 'connection_refused';
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) {
    return 'tls_failed';
  }
  return 'connect_failed';
}

export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
