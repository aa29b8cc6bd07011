// What all signed webhooks have in common: the call as its source reads it, the check of its signature, and
// the statuses that differ by source.

import { ServiceError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Observer } from '../core/ports/observer.ts';
import type { Source, SourceCredentials, SourceRequest } from '../core/ports/source.ts';
import { readBody } from './body.ts';
import type { HttpContext } from './context.ts';
import type { ClientAddressOf } from './limits/client-address.ts';
import type { Forgeries } from './limits/forgeries.ts';
import type { SignatureGate } from './limits/signature-gate.ts';

export interface SignedCallParts {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly sources: ReadonlyMap<string, Source>;
  /** Absent if no proxy is trusted. */
  readonly clientAddressOf: ClientAddressOf | undefined;
  readonly forgeries: Forgeries;
  /** The Lightning node that made a refused signature, if a limit leaves time to find out. */
  readonly signerOf: (source: Source, request: SourceRequest) => string | undefined;
  readonly signatureGate: SignatureGate;
}

export async function readSignedCall(
  { clock }: SignedCallParts,
  c: HttpContext,
): Promise<SourceRequest> {
  const body = await readBody(c);
  return { headers: c.req.header(), body, receivedAtMs: clock.wallMs() };
}

export interface SignatureToCheck {
  readonly source: Source;
  readonly request: SourceRequest;
  readonly credentials: SourceCredentials;
  /** The app whose device or domain it is. */
  readonly app: string;
  /** The device or domain that the URL means, in any spelling of the URL: forgeries are counted by it. */
  readonly url: string;
}

/**
 * Throws `bad_signature` or `stale_timestamp`. HMAC and Ed25519 take microseconds and are always verified; a
 * costly signature may wait for its turn, and throws `rate_limited` if it finds none.
 */
export async function authenticate(
  parts: SignedCallParts,
  c: HttpContext,
  { source, request, credentials, app, url }: SignatureToCheck,
): Promise<void> {
  try {
    if (source.precheck !== undefined) {
      source.precheck(request);
      const { incoming } = c.env;
      const address = parts.clientAddressOf?.(incoming) ?? incoming.socket.remoteAddress ?? '';
      await parts.signatureGate.admit({ url, address });
    }
    source.authenticate(request, credentials);
  } catch (error) {
    if (error instanceof ServiceError && error.status === 401) {
      const { code } = error;
      c.set('nodeId', parts.signerOf(source, request));
      const repeated = parts.forgeries.count(url);
      const { name } = source;
      parts.observer.observe({ name: 'signature_refused', source: name, app, code, repeated });
    }
    throw error;
  }
}

/** Some callers need another status for the same refusal; each source has a table of them. */
export async function withStatusesOf(
  source: Source,
  work: () => Promise<Response>,
): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const status = source.statuses[error.code];
    if (status === undefined) throw error;
    throw new ServiceError(error.code, { ...error.details, status }, { cause: error.cause });
  }
}
