// The FCM provider: gets an access token, sends, and reads the answer.

import type { Outcome } from '../../core/outcome.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type {
  ProvableProvider,
  Prover,
  PushMessage,
  PushOptions,
} from '../../core/ports/provider.ts';
import type { PushFormat } from '../../core/push-format.ts';
import type { HttpResponse } from '../http2/client.ts';
import { parseOrigin, trustAlso } from '../http2/connect.ts';
import { ProviderClient, type ProviderOptions } from '../http2/provider-client.ts';
import { parseHttpDate } from '../http2/retry-after.ts';
import { AccessTokenCache, isTokenFailure } from './access-token-cache.ts';
import {
  type CredentialJson,
  checkFcmProjectId,
  type FcmCredentials,
  readCredentials,
} from './credential-file.ts';
import { type AccessToken, findProjectId } from './google-token.ts';
import { buildFcmPayload, buildFcmProof } from './payload.ts';
import { fcmRemedyFor, readFcmAnswer } from './response.ts';

export interface FcmOptions extends ProviderOptions {
  readonly credentials: FcmCredentials;
  /** Default: the credential's `project_id`, or with `default` what Google's libraries find. */
  readonly projectId?: string | undefined;
  /** `https://fcm.googleapis.com` unless a test says otherwise. */
  readonly endpoint: string;
  /** The format of the app's pushes; that of the Breez plugins unless the app sets another. */
  readonly format?: PushFormat | undefined;
  /**
   * The `Date` of FCM's answers that came within 2 s, in whole seconds: the wall clock is compared with it.
   * After a pause of this process an answer may be read long after it was given.
   */
  readonly onServerDate?: ((unixMs: number) => void) | undefined;
}

const MAX_DATE_AGE_MS = 2_000;
/** How often the date is read: a clock drifts slowly. */
const DATE_EVERY_MS = 10_000;
/** How long a start waits for the first access token. */
const WARM_TIMEOUT_MS = 3_000;
/** No caller waits for a proof. */
const PROOF_OPTIONS = { waitMs: 5_000, timeoutMs: 5_000, trust: 'proven' } as const;
const UNAUTHENTICATED = 'UNAUTHENTICATED';

/** Rejects with an error for the operator if the configuration cannot work; it never contains the key. */
export async function createFcmProvider(options: FcmOptions): Promise<ProvableProvider> {
  const { credentials, clock, proxy, noProxy } = options;
  const json = credentials === 'default' ? credentials : await readCredentials(credentials);
  const projectId = options.projectId ?? (await projectIdOf(json));
  const fault = checkFcmProjectId(projectId);
  if (fault !== undefined) throw new Error(`FCM project id ${fault}`);
  const origin = parseOrigin(options.endpoint);
  const authorities = trustAlso(options.ca);
  const client = new ProviderClient({
    ...{ clock, proxy, noProxy, origin, authorities },
    maxInFlight: options.maxInFlight,
    onEvent: options.onEvent,
    health: {
      remedyFor: fcmRemedyFor,
      isBlocking: isTokenFailure,
      endsWhenReached: isTokenFailure,
    },
  });
  const tokens = new AccessTokenCache({ json, projectId, clock, authorities, proxy, noProxy });
  return new FcmProvider(options, {
    path: `/v1/projects/${projectId}/messages:send`,
    client,
    tokens,
  });
}

async function projectIdOf(json: CredentialJson | 'default'): Promise<string> {
  const found = json === 'default' ? await findProjectId() : json.project_id;
  if (found !== undefined) return found;
  throw new Error(
    'FCM project id is missing: the credential names none, so set GOOGLE_CLOUD_PROJECT',
  );
}

interface Parts {
  readonly path: string;
  readonly client: ProviderClient;
  readonly tokens: AccessTokenCache;
}

class FcmProvider implements ProvableProvider, Prover {
  readonly name = 'fcm';
  readonly provers: readonly Prover[] = [this];
  readonly #clock: Clock;
  readonly #path: string;
  readonly #client: ProviderClient;
  readonly #tokens: AccessTokenCache;
  readonly #onServerDate: FcmOptions['onServerDate'];
  #dateDueAtMs = 0;
  readonly #format: PushFormat | undefined;

  constructor({ clock, onServerDate, format }: FcmOptions, { path, client, tokens }: Parts) {
    this.#clock = clock;
    this.#path = path;
    this.#client = client;
    this.#tokens = tokens;
    this.#onServerDate = onServerDate;
    this.#format = format;
  }

  prepare(message: PushMessage) {
    const payload = buildFcmPayload(message, this.#format);
    return {
      excessBytes: payload.excessBytes,
      lacksReceipt: payload.lacksReceipt,
      send: (options: PushOptions) => this.#sendTo(message.token, payload.body, options),
    };
  }

  warm() {
    return this.#client.warm(
      this.#tokens
        .wait(WARM_TIMEOUT_MS)
        .then((result) => (result.kind === 'failure' ? result.outcome : undefined)),
    );
  }

  health() {
    return this.#client.health;
  }

  traffic() {
    return this.#client.traffic;
  }

  async close(): Promise<void> {
    await this.#client.close();
    this.#tokens.close();
  }

  async prove(): Promise<Outcome> {
    const body = buildFcmProof();
    const outcome = await this.#send(body, PROOF_OPTIONS);
    // The access token was replaced: the proof is whether Google accepts the new one.
    const isRenewed = outcome.kind === 'retry' && outcome.reason === UNAUTHENTICATED;
    return isRenewed ? this.#send(body, PROOF_OPTIONS) : outcome;
  }

  recall(outcome: Outcome): void {
    this.#client.observed(outcome);
  }

  #sendTo(deviceToken: string, body: string, options: PushOptions): Promise<Outcome> {
    // Google would answer a message without a recipient like a malformed message.
    return deviceToken === ''
      ? Promise.resolve({ kind: 'rejected', reason: 'token_empty', blame: 'token' })
      : this.#send(body, options);
  }

  async #send(body: string, options: PushOptions): Promise<Outcome> {
    const startedAtMs = this.#clock.nowMs();
    let token = this.#tokens.current;
    if (token === undefined) {
      const waited = await this.#tokens.wait(options.waitMs);
      if (waited.kind === 'failure') return this.#client.observed(waited.outcome);
      token = waited.token;
    }
    const usedToken = token;
    const headers = { ':path': this.#path, 'content-type': 'application/json', ...token.headers };
    const waitMs = Math.max(0, options.waitMs - (this.#clock.nowMs() - startedAtMs));
    const read = (response: HttpResponse) => {
      if (this.#clock.nowMs() - startedAtMs <= MAX_DATE_AGE_MS) this.#tellDate(response);
      return this.#read(response, usedToken);
    };
    return this.#client.send({ headers, body }, read, { ...options, waitMs });
  }

  #tellDate({ headers }: HttpResponse): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#dateDueAtMs) return;
    this.#dateDueAtMs = nowMs + DATE_EVERY_MS;
    const serverMs = parseHttpDate(headers.date);
    if (serverMs !== undefined) this.#onServerDate?.(serverMs);
  }

  #read(response: HttpResponse, token: AccessToken): Outcome {
    const outcome = readFcmAnswer(response, this.#clock.wallMs());
    if (outcome.kind !== 'misconfigured' || outcome.reason !== UNAUTHENTICATED) return outcome;
    // Not processed; with a new token the next try succeeds, unless the credential is bad.
    return this.#tokens.replaceRefused(token)
      ? { kind: 'retry', reason: outcome.reason, certainty: 'not_processed' }
      : outcome;
  }
}
