// The ways in which a request can end without a response, and what each of them means to a delivery.

import type { Outcome, RetryCertainty } from '../../core/outcome.ts';

interface FailureKind {
  readonly certainty: RetryCertainty;
  /** For the operator: what happened and where to look. */
  readonly meaning: string;
}

export const TRANSPORT_FAILURES = {
  dns_failed: {
    certainty: 'not_processed',
    meaning: 'The host name of the provider cannot be resolved.',
  },
  connection_refused: {
    certainty: 'not_processed',
    meaning: 'The provider refused the connection.',
  },
  connect_failed: {
    certainty: 'not_processed',
    meaning: 'No connection to the provider could be opened.',
  },
  connect_timeout: {
    certainty: 'not_processed',
    meaning: 'Opening a connection to the provider took too long.',
  },
  proxy_refused: {
    certainty: 'not_processed',
    meaning:
      'The proxy did not open a tunnel: check its rules and the user and password in HTTPS_PROXY.',
  },
  tls_untrusted: {
    certainty: 'not_processed',
    meaning:
      'The certificate of the provider is not trusted: check the clock of this machine, its certificate authorities, the endpoint, and any firewall that inspects TLS.',
  },
  tls_failed: { certainty: 'not_processed', meaning: 'The TLS handshake failed.' },
  not_http2: {
    certainty: 'not_processed',
    meaning: 'The server does not speak HTTP/2: check the endpoint and any proxy in between.',
  },
  refused_stream: { certainty: 'not_processed', meaning: 'The provider refused the stream.' },
  goaway: {
    certainty: 'not_processed',
    meaning: 'The provider closed the connection before it read this request.',
  },
  timeout_waiting: {
    certainty: 'not_started',
    meaning: 'No connection and no free stream became available in time.',
  },
  too_many_waiting: {
    certainty: 'not_started',
    meaning: 'Too many requests wait for the provider.',
  },
  closed: { certainty: 'not_started', meaning: 'The service is stopping.' },
  request_invalid: {
    certainty: 'not_processed',
    meaning: 'The request cannot be written as HTTP/2. This is a bug of the service.',
  },
  timeout: {
    certainty: 'unanswered',
    meaning: 'The provider did not answer before the deadline, but its connection works.',
  },
  stream_reset: { certainty: 'unanswered', meaning: 'The provider reset the stream.' },
  connection_dead: {
    certainty: 'uncertain',
    meaning: 'The connection fell silent and was replaced.',
  },
  connection_lost: {
    certainty: 'uncertain',
    meaning: 'The connection broke before the answer.',
  },
} as const satisfies Record<string, FailureKind>;

export type FailureReason = keyof typeof TRANSPORT_FAILURES;

/** Failures that mean that the provider cannot be reached at all. */
const CONNECT_FAILURES = [
  'dns_failed',
  'connection_refused',
  'connect_failed',
  'connect_timeout',
  'proxy_refused',
  'tls_untrusted',
  'tls_failed',
  'not_http2',
  'closed',
] as const satisfies readonly FailureReason[];

export type ConnectFailure = (typeof CONNECT_FAILURES)[number];

export function isConnectFailure(reason: string): reason is ConnectFailure {
  return CONNECT_FAILURES.some((failure) => failure === reason);
}

/** An untrusted certificate stays untrusted until an operator acts; all other failures may be temporary. */
export function failureOutcome(reason: FailureReason): Outcome {
  if (reason === 'tls_untrusted') return { kind: 'misconfigured', reason };
  if (reason === 'request_invalid') return { kind: 'rejected', reason, blame: 'message' };
  return { kind: 'retry', reason, certainty: TRANSPORT_FAILURES[reason].certainty };
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
