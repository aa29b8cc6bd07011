// The APNs provider: signs, sends, and reads the answer.

import { randomBytes, randomUUID } from 'node:crypto';
import type { Outcome } from '../../core/outcome.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type {
  ProvableProvider,
  Prover,
  PushMessage,
  PushOptions,
  Trust,
} from '../../core/ports/provider.ts';
import type { PushFormat } from '../../core/push-format.ts';
import type { HttpResponse } from '../http2/client.ts';
import { parseOrigin, trustAlso } from '../http2/connect.ts';
import { ProviderClient, type ProviderOptions } from '../http2/provider-client.ts';
import { type ApnsPayload, buildApnsPayload, buildApnsProof } from './payload.ts';
import {
  type ApnsKey,
  checkApnsKey,
  checkApnsKeyId,
  checkApnsTeamId,
  checkApnsTopic,
  ProviderToken,
} from './provider-token.ts';
import { apnsRemedyFor, isApnsBlocked, readApnsAnswer } from './response.ts';
import { TwoKeysProvider } from './two-keys.ts';

export interface ApnsOptions extends ApnsKey, ProviderOptions {
  /** `apns_sandbox` where an app has both environments. */
  readonly name?: 'apns' | 'apns_sandbox' | undefined;
  /** During a rotation: another key of the same team, used while Apple refuses the first. */
  readonly secondKey?: Pick<ApnsKey, 'key' | 'keyId'> | undefined;
  /** The app's bundle id. */
  readonly topic: string;
  /**
   * `https://api.push.apple.com`, or `https://api.sandbox.push.apple.com` for development builds
   * ("Sending notification requests to APNs", section "Establish a connection to APNs").
   */
  readonly endpoint: string;
  /** The format of the app's pushes; that of the Breez plugins unless the app sets another. */
  readonly format?: PushFormat | undefined;
}

const HEX_TOKEN = /^(?:[0-9a-f]{2}){1,100}$/i;
/**
 * APNs ties some refusals to the connection ("Establishing a token-based connection": a bundle id added
 * later, a key that was changed), so only a new one shows whether they were fixed. Rarely, because
 * Apple takes frequent reconnecting for an attack.
 */
const MIN_RETIRE_GAP_MS = 60_000;
/** The size of today's tokens: a random token of this size belongs to no phone. */
const PROOF_TOKEN_BYTES = 32;
/** Not awaited. The connection is not kept open, as one for proven tokens would be. */
const PROOF_OPTIONS = { waitMs: 5_000, timeoutMs: 5_000, trust: 'unproven' } as const;
const EXPIRED = 'ExpiredProviderToken';
/** An old connection cannot recover from these (Apple says so of the first; forums thread 675879 of the second). */
const TIED_TO_CONNECTION = new Set(['IdleTimeout', 'TooManyProviderTokenUpdates']);

/** @throws an error for the operator if the configuration cannot work; it never contains the key. */
export function createApnsProvider(options: ApnsOptions): ProvableProvider {
  const { secondKey, keyId, clock } = options;
  assertUsable(options);
  if (secondKey === undefined) return new ApnsProvider(options);
  const second = { ...options, ...secondKey };
  assertUsable(second, 'second ');
  return new TwoKeysProvider(
    clock,
    { keyId, provider: new ApnsProvider(options) },
    { keyId: secondKey.keyId, provider: new ApnsProvider(second) },
  );
}

class ApnsProvider implements ProvableProvider, Prover {
  readonly name: 'apns' | 'apns_sandbox';
  readonly provers: readonly Prover[] = [this];
  readonly #clock: Clock;
  readonly #topic: string;
  readonly #format: PushFormat | undefined;
  readonly #token: ProviderToken;
  readonly #client: ProviderClient;
  readonly #openClient: () => ProviderClient;
  #retiredAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ApnsOptions) {
    this.name = options.name ?? 'apns';
    this.#clock = options.clock;
    this.#topic = options.topic;
    this.#format = options.format;
    this.#token = new ProviderToken(options, options.clock);
    const { clock, maxInFlight, onEvent, proxy, noProxy } = options;
    const origin = parseOrigin(options.endpoint);
    const authorities = trustAlso(options.ca);
    this.#openClient = () =>
      new ProviderClient({
        ...{ clock, maxInFlight, onEvent, proxy, noProxy, origin, authorities },
        health: {
          remedyFor: apnsRemedyFor,
          isBlocking: isApnsBlocked,
          endsWhenReached: () => false,
        },
      });
    this.#client = this.#openClient();
  }

  prepare(message: PushMessage) {
    const payload = buildApnsPayload(message, this.#topic, this.#format);
    return {
      excessBytes: payload.excessBytes,
      lacksReceipt: payload.lacksReceipt,
      send: (options: PushOptions) => this.#send(message.token, payload, options),
    };
  }

  health() {
    return this.#client.health;
  }

  close() {
    return this.#client.close();
  }

  warm() {
    return this.#client.warm(Promise.resolve(undefined));
  }

  traffic() {
    return this.#client.traffic;
  }

  /** Apple closes connections that carry bad tokens, so a proof does not use the connections of pushes. */
  async prove(): Promise<Outcome> {
    const jwt = this.#token.current;
    const { headers, body } = buildApnsProof({ id: randomUUID(), topic: this.#topic });
    const request = {
      headers: {
        ':path': `/3/device/${randomBytes(PROOF_TOKEN_BYTES).toString('hex')}`,
        authorization: `bearer ${jwt}`,
        ...headers,
      },
      body,
    };
    const client = this.#openClient();
    const outcome = await client.send(request, (answer) => this.#read(answer, jwt), PROOF_OPTIONS);
    await client.close();
    return this.#client.observed(outcome);
  }

  recall(outcome: Outcome): void {
    this.#client.observed(outcome);
  }

  async #send(token: string, payload: ApnsPayload, options: PushOptions): Promise<Outcome> {
    // It becomes part of the path.
    if (!HEX_TOKEN.test(token)) {
      return { kind: 'rejected', reason: 'token_not_hex', blame: 'token' };
    }
    const jwt = this.#token.current;
    const headers = {
      ':path': `/3/device/${token}`,
      authorization: `bearer ${jwt}`,
      ...payload.headers,
    };
    const read = (response: HttpResponse) => this.#read(response, jwt);
    const outcome = await this.#client.send({ headers, body: payload.body }, read, options);
    if (needsNewConnection(outcome)) this.#retire(options.trust);
    return outcome;
  }

  #read(response: HttpResponse, jwt: string): Outcome {
    const outcome = readApnsAnswer(response, this.#clock.wallMs());
    if (outcome.kind !== 'misconfigured' || outcome.reason !== EXPIRED) return outcome;
    // Not processed; with the new token the next try succeeds, unless the clock is wrong.
    return this.#token.replaceExpired(jwt)
      ? { kind: 'retry', reason: EXPIRED, certainty: 'not_processed' }
      : outcome;
  }

  #retire(trust: Trust): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#retiredAtMs < MIN_RETIRE_GAP_MS) return;
    this.#retiredAtMs = nowMs;
    this.#client.retire(trust);
  }
}

function needsNewConnection(outcome: Outcome): boolean {
  if (outcome.kind === 'misconfigured') return true;
  return outcome.kind === 'retry' && TIED_TO_CONNECTION.has(outcome.reason);
}

function assertUsable({ key, keyId, teamId, topic }: ApnsOptions, which = ''): void {
  const faults = [
    [`${which}APNs key`, checkApnsKey(key)],
    [`${which}APNs key id`, checkApnsKeyId(keyId)],
    ['APNs team id', checkApnsTeamId(teamId)],
    ['APNs topic', checkApnsTopic(topic)],
  ].flatMap(([name, fault]) => (fault === undefined ? [] : [`${name} ${fault}`]));
  if (faults.length > 0) throw new Error(faults.join('; '));
}
