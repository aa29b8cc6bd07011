// The FCM provider: has the message checked and encoded, sends it over our own HTTP/2 transport with an
// access token of our own, and reads the answer.

import type { SecureContext } from 'node:tls';
import type { Outcome } from '../../core/outcome.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Provider, PushMessage, Trust } from '../../core/ports/provider.ts';
import { parseOrigin, trustAlso } from '../transport/connect.ts';
import type { TransportResult } from '../transport/exchange.ts';
import { failureOutcome, isConnectFailure } from '../transport/failure.ts';
import { Health } from '../transport/health.ts';
import { createLanes, type LaneEvent, type Lanes } from '../transport/lanes.ts';
import { FcmCredential, isTokenFailure } from './credential.ts';
import { checkFcmProjectId, type FcmCredentials, readCredentials } from './credential-file.ts';
import { createEncoder, type EncodedMessage, type Encoder } from './encoder.ts';
import type { AccessToken } from './oauth.ts';
import { buildFcmPayload, type FcmPayload } from './payload.ts';
import { explainFcmReason, readFcmAnswer } from './response.ts';

export interface FcmOptions {
  readonly credentials: FcmCredentials;
  /** Default: the credential's `project_id`. */
  readonly projectId?: string;
  /** `https://fcm.googleapis.com` unless a test says otherwise. */
  readonly endpoint: string;
  /** PEM of an authority trusted beside the system's, for FCM and for the token endpoint. */
  readonly ca?: string;
  readonly clock: Clock;
  /**
   * How many pushes the caller has in flight at most; default 1000. There are as many connections as these
   * need, each with as many streams as FCM allows.
   */
  readonly maxInFlight?: number;
  readonly onEvent?: (event: LaneEvent) => void;
}

const DEFAULT_MAX_IN_FLIGHT = 1_000;
/** How long a start waits for the first access token. */
const WARM_TIMEOUT_MS = 3_000;

/** Rejects with an error for the operator if the configuration cannot work; it never contains the key. */
export async function createFcmProvider(options: FcmOptions): Promise<Provider> {
  const { credentials, clock } = options;
  const json = credentials === 'default' ? credentials : await readCredentials(credentials);
  const projectId = options.projectId ?? (json === 'default' ? undefined : json.project_id);
  if (projectId === undefined) {
    throw new Error('FCM project id is missing: the credential names none, so configure it');
  }
  const fault = checkFcmProjectId(projectId);
  if (fault !== undefined) throw new Error(`FCM project id ${fault}`);
  const origin = parseOrigin(options.endpoint);
  const authorities = trustAlso(options.ca);
  const encoder = await createEncoder(projectId);
  const credential = new FcmCredential({ json, clock, authorities });
  return new FcmProvider(options, { origin, authorities, encoder, credential });
}

interface Parts {
  readonly origin: URL;
  readonly authorities: SecureContext | undefined;
  readonly encoder: Encoder;
  readonly credential: FcmCredential;
}

class FcmProvider implements Provider {
  readonly name = 'fcm';
  readonly #clock: Clock;
  readonly #encoder: Encoder;
  readonly #credential: FcmCredential;
  readonly #lanes: Lanes;
  readonly #health = new Health({
    isUnreachable: (reason) => isConnectFailure(reason) || isTokenFailure(reason),
    explain: explainFcmReason,
  });
  #closing: Promise<void> | undefined;

  constructor(options: FcmOptions, { origin, authorities, encoder, credential }: Parts) {
    this.#clock = options.clock;
    this.#encoder = encoder;
    this.#credential = credential;
    this.#lanes = createLanes({
      origin,
      clock: options.clock,
      maxInFlight: options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT,
      authorities,
      ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    });
  }

  prepare(message: PushMessage) {
    const payload = buildFcmPayload(message);
    return {
      excessBytes: payload.excessBytes,
      send: (options: { readonly timeoutMs: number; readonly trust: Trust }) =>
        this.#send(payload, options),
    };
  }

  async warm() {
    const [failure, token] = await Promise.all([
      this.#lanes.of('proven').warm(),
      this.#credential.wait(WARM_TIMEOUT_MS),
    ]);
    if (failure !== undefined) this.#health.failed(failure);
    else if (token.kind === 'token') this.#health.reached();
    else this.#health.observe(token.outcome);
    return this.#health.current;
  }

  health() {
    return this.#health.current;
  }

  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#lanes.close();
    this.#credential.close();
    await this.#encoder.close();
  }

  async #send(
    { message }: FcmPayload,
    { timeoutMs, trust }: { readonly timeoutMs: number; readonly trust: Trust },
  ): Promise<Outcome> {
    const startedAtMs = this.#clock.nowMs();
    let encoded: EncodedMessage;
    try {
      encoded = await this.#encoder.encode(message);
    } catch {
      // Refused here, by firebase-admin: it says nothing of the provider.
      return { kind: 'rejected', reason: 'message_invalid', blame: 'message' };
    }
    let token = this.#credential.current;
    if (token === undefined) {
      const waited = await this.#credential.wait(timeoutMs);
      if (waited.kind === 'failure') return this.#observed(waited.outcome);
      token = waited.token;
    }
    const leftMs = Math.max(0, timeoutMs - (this.#clock.nowMs() - startedAtMs));
    const result = await this.#lanes.of(trust).request(
      {
        headers: {
          ':path': encoded.path,
          'content-type': 'application/json',
          ...token.headers,
        },
        body: encoded.body,
      },
      leftMs,
    );
    return this.#observed(this.#read(result, token));
  }

  #observed(outcome: Outcome): Outcome {
    this.#health.observe(outcome);
    return outcome;
  }

  #read(result: TransportResult, token: AccessToken): Outcome {
    if (result.kind === 'failure') return failureOutcome(result.reason);
    const outcome = readFcmAnswer(result, this.#clock.wallMs());
    if (outcome.kind !== 'misconfigured' || outcome.reason !== 'UNAUTHENTICATED') return outcome;
    // Not processed, and with a new token the next try succeeds; unless the credential is bad.
    return this.#credential.replaceRefused(token)
      ? { kind: 'retry', reason: outcome.reason, certainty: 'not_processed' }
      : outcome;
  }
}
