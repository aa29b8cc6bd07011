// One access token for FCM from Google, or from the provider that the credential names. google-auth-library signs
// and knows the kinds of credentials; its caches and retries are not used, because they keep no deadline.

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { SecureContext } from 'node:tls';
import { GoogleAuth, type GoogleAuthOptions, gaxios, gcpMetadata } from 'google-auth-library';
import { z } from 'zod';
import type { Outcome, RetryCertainty } from '../../core/outcome.ts';
import type { Clock } from '../../core/ports/clock.ts';
import { withoutUndefined } from '../../core/without-undefined.ts';
import { type ProxyOptions, proxyFor } from '../http2/proxy.ts';
import { connectFailureOf, errorCode } from '../http2/transport-failures.ts';
import type { CredentialJson } from './credential-file.ts';

export interface AccessToken {
  /** `authorization`, and `x-goog-user-project` where the credential asks for it; lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAtMs: number;
}

export type TokenResult =
  | { readonly kind: 'token'; readonly token: AccessToken }
  | { readonly kind: 'failure'; readonly outcome: Outcome };

export interface TokenOptions extends ProxyOptions {
  /** `default`: Google's Application Default Credentials, from the environment or the metadata server. */
  readonly json: CredentialJson | 'default';
  /** Passed on, so that the library does not ask `gcloud` or the metadata server for it. */
  readonly projectId: string;
  /** Made by `trustAlso`; `undefined` is Node's default. */
  readonly authorities: SecureContext | undefined;
  readonly clock: Clock;
}

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
/** google-auth-library sends service accounts there, whatever their `token_uri` says. */
const GOOGLE_TOKEN_URL = 'https://oauth2.googleapis.com/token';
const DEFAULT_LIFETIME_MS = 3_600_000;
/** Bounds against a token endpoint or a wall clock with wrong values. */
const MIN_LIFETIME_MS = 60_000;
const MAX_LIFETIME_MS = 12 * 3_600_000;

/** Never rejects; ends early when `signal` aborts. */
export async function requestToken(
  options: TokenOptions,
  signal: AbortSignal,
): Promise<TokenResult> {
  try {
    return await fetchToken(options, signal);
  } catch (error) {
    return signal.aborted ? tokenUnavailable('oauth_timeout') : failureOf(error, options);
  }
}

/** No usable answer in time: nothing was sent to FCM. */
export function tokenUnavailable(
  reason: string,
  certainty: RetryCertainty = 'not_processed',
): TokenResult {
  return { kind: 'failure', outcome: { kind: 'retry', reason, certainty } };
}

/** The project of the Application Default Credentials: from their file, or from the metadata server. */
export function findProjectId(): Promise<string | undefined> {
  return new GoogleAuth({ scopes: [SCOPE] }).getProjectId().catch(() => undefined);
}

async function fetchToken(options: TokenOptions, signal: AbortSignal): Promise<TokenResult> {
  // Otherwise one unanswered request to the metadata server would make the library never ask it again.
  gcpMetadata.resetIsAvailableCache();
  // A new client for each token, so that no cache of the library answers in place of Google.
  const auth = new GoogleAuth(authOptions(options, signal));
  // Not passed as an option, because the library would then warn on stderr about untrusted files each time.
  if (options.json !== 'default') auth.jsonContent = options.json;
  const client = await auth.getClient();
  const headers = await client.getRequestHeaders();
  const authorization = headers.get('authorization');
  // An answer without a token leaves the library with the word "undefined".
  if (authorization === null || !/^Bearer (?!undefined$)\S+$/.test(authorization)) {
    return tokenUnavailable('oauth_unavailable');
  }
  const expiresAtWallMs = client.credentials.expiry_date;
  // The library computes it from whatever the endpoint said, which may be no number.
  const lifetimeMs =
    typeof expiresAtWallMs === 'number' && Number.isFinite(expiresAtWallMs)
      ? expiresAtWallMs - options.clock.wallMs()
      : DEFAULT_LIFETIME_MS;
  const boundedMs = Math.min(Math.max(lifetimeMs, MIN_LIFETIME_MS), MAX_LIFETIME_MS);
  const token: AccessToken = {
    headers: Object.fromEntries(headers.entries()),
    expiresAtMs: options.clock.nowMs() + boundedMs,
  };
  return { kind: 'token', token };
}

function authOptions(options: TokenOptions, signal: AbortSignal): GoogleAuthOptions {
  const { json, projectId } = options;
  const tokenUri = json === 'default' ? undefined : json.token_uri;
  const isServiceAccount = json !== 'default' && 'type' in json && json.type === 'service_account';
  return {
    scopes: [SCOPE],
    projectId,
    clientOptions: {
      transporter: createTransporter(options, signal),
      // A token endpoint expects its own URL as audience.
      ...(isServiceAccount && tokenUri !== undefined
        ? { additionalClaims: { aud: tokenUri } }
        : {}),
    },
  };
}

function createTransporter(options: TokenOptions, signal: AbortSignal): gaxios.Gaxios {
  const { json } = options;
  const tokenUri = json === 'default' ? undefined : json.token_uri;
  const transporter = new gaxios.Gaxios({
    agent: PLACEHOLDER,
    retryConfig: { retry: 0, noResponseRetries: 0 },
  });
  transporter.interceptors.request.add({
    resolved: async (request) => {
      if (tokenUri !== undefined && request.url.href === GOOGLE_TOKEN_URL) {
        request.url = new URL(tokenUri);
      }
      request.agent = agentFor(request.url, options);
      // The library's fetch, given a signal that aborts before it has begun, throws where it cannot be caught. Between
      // this check and its start there are only microtasks.
      await loadLibrary();
      signal.throwIfAborted();
      request.signal = abortInLaterTurn(signal);
      return request;
    },
  });
  return transporter;
}

/**
 * Each request gets an agent of its own. Without one before, the library makes one for a proxy of the environment: of
 * `http_proxy`, too, which is not a setting of this service, and it throws if that has no scheme.
 */
const PLACEHOLDER = new HttpAgent();

/** Always ours: the library would read the proxy from the environment by rules of its own. */
function agentFor(url: URL, options: TokenOptions): HttpAgent {
  // Only metadata servers of clouds speak plain HTTP; they are on the same machine or link.
  if (url.protocol === 'http:') return new HttpAgent();
  const proxy = proxyFor(url, options);
  const proxyEnv = proxy && { HTTPS_PROXY: proxy.href };
  return new HttpsAgent(withoutUndefined({ secureContext: options.authorities, proxyEnv }));
}

function abortInLaterTurn(signal: AbortSignal): AbortSignal {
  const later = new AbortController();
  signal.addEventListener('abort', () => setImmediate(() => later.abort()), { once: true });
  return later.signal;
}

let loading: Promise<unknown> | undefined;

/** The library imports its fetch with its first request, so a first request to `data:,` loads it. */
function loadLibrary(): Promise<unknown> {
  loading ??= new gaxios.Gaxios({ agent: PLACEHOLDER }).request({ url: 'data:,' });
  return loading;
}

function misconfigured(reason: string): TokenResult {
  return { kind: 'failure', outcome: { kind: 'misconfigured', reason } };
}

/** What the library's errors carry when there was an answer; there are several copies of its classes. */
const answered = z.object({ response: z.object({ status: z.number(), data: z.unknown() }) });
/** RFC 6749 section 5.2 names the errors of a token endpoint. */
const refusal = z.object({ error: z.string() });

function failureOf(error: unknown, { json }: TokenOptions): TokenResult {
  const response = answered.safeParse(error).data?.response;
  if (response !== undefined) {
    const { status, data } = response;
    if (status >= 500 || status === 408 || status === 429) {
      return tokenUnavailable('oauth_unavailable');
    }
    return misconfigured(reasonOf(refusal.safeParse(data).data?.error));
  }
  if (error instanceof gaxios.GaxiosError || errorCode(error) !== '') {
    return connectFailureOf(error) === 'tls_untrusted'
      ? misconfigured('oauth_tls_untrusted')
      : tokenUnavailable('oauth_unavailable');
  }
  return misconfigured(json === 'default' ? 'oauth_no_credentials' : 'credential_unusable');
}

function reasonOf(error: string | undefined): string {
  if (error === 'invalid_grant') return 'oauth_invalid_grant';
  if (error === 'invalid_client' || error === 'unauthorized_client') return 'oauth_invalid_client';
  return 'oauth_refused';
}
