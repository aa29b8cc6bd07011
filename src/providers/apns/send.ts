// The APNs provider: signs, sends over our own HTTP/2 transport, and reads the answer.

import type { Outcome } from '../../core/outcome.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Provider, PushMessage, Trust } from '../../core/ports/provider.ts';
import { parseOrigin, trustAlso } from '../transport/connect.ts';
import type { TransportResult } from '../transport/exchange.ts';
import { failureOutcome, isConnectFailure } from '../transport/failure.ts';
import { Health } from '../transport/health.ts';
import { createLanes, type LaneEvent, type Lanes } from '../transport/lanes.ts';
import {
  type ApnsKey,
  checkApnsKey,
  checkApnsKeyId,
  checkApnsTeamId,
  checkApnsTopic,
  ProviderToken,
} from './credential.ts';
import { type ApnsPayload, buildApnsPayload } from './payload.ts';
import { explainApnsReason, readApnsAnswer } from './response.ts';

export interface ApnsOptions extends ApnsKey {
  /** The app's bundle id. */
  readonly topic: string;
  /**
   * `https://api.push.apple.com`, or `https://api.sandbox.push.apple.com` for development builds
   * ("Sending notification requests to APNs", section "Establish a connection to APNs").
   */
  readonly endpoint: string;
  /** PEM of an authority trusted beside the system's. */
  readonly ca?: string;
  readonly clock: Clock;
  /**
   * How many pushes the caller has in flight at most; default 1000. There are as many connections as these
   * need, each with as many streams as APNs allows.
   */
  readonly maxInFlight?: number;
  readonly onEvent?: (event: LaneEvent) => void;
}

const DEFAULT_MAX_IN_FLIGHT = 1_000;
const HEX_TOKEN = /^(?:[0-9a-f]{2}){1,100}$/i;
/**
 * APNs ties some refusals to the connection ("Establishing a token-based connection": a bundle id added
 * later, a key that was changed), so that only a new one shows whether they are mended. Rarely, because
 * Apple takes frequent reconnecting for an attack.
 */
const MIN_RETIRE_GAP_MS = 60_000;
const EXPIRED = 'ExpiredProviderToken';
/** An old connection cannot recover from these (Apple says so of the first; forums thread 675879 of the second). */
const TIED_TO_CONNECTION = new Set(['IdleTimeout', 'TooManyProviderTokenUpdates']);

/** @throws an error for the operator if the configuration cannot work; it never contains the key. */
export function createApnsProvider(options: ApnsOptions): Provider {
  assertUsable(options);
  return new ApnsProvider(options);
}

class ApnsProvider implements Provider {
  readonly name = 'apns';
  readonly #clock: Clock;
  readonly #topic: string;
  readonly #token: ProviderToken;
  readonly #lanes: Lanes;
  readonly #health = new Health({
    isUnreachable: isConnectFailure,
    explain: explainApnsReason,
  });
  #retiredAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ApnsOptions) {
    this.#clock = options.clock;
    this.#topic = options.topic;
    this.#token = new ProviderToken(options, options.clock);
    this.#lanes = createLanes({
      origin: parseOrigin(options.endpoint),
      clock: options.clock,
      maxInFlight: options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT,
      authorities: trustAlso(options.ca),
      ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    });
  }

  prepare(message: PushMessage) {
    const payload = buildApnsPayload(message, this.#topic);
    return {
      excessBytes: payload.excessBytes,
      send: (options: { readonly timeoutMs: number; readonly trust: Trust }) =>
        this.#send(message.token, payload, options),
    };
  }

  async warm() {
    const failure = await this.#lanes.of('proven').warm();
    if (failure === undefined) this.#health.reached();
    else this.#health.failed(failure);
    return this.#health.current;
  }

  health() {
    return this.#health.current;
  }

  close() {
    return this.#lanes.close();
  }

  async #send(
    token: string,
    payload: ApnsPayload,
    { timeoutMs, trust }: { readonly timeoutMs: number; readonly trust: Trust },
  ): Promise<Outcome> {
    // It becomes part of the path.
    if (!HEX_TOKEN.test(token))
      return { kind: 'rejected', reason: 'token_not_hex', blame: 'token' };
    const jwt = this.#token.current;
    const headers = payload.headers;
    const result = await this.#lanes.of(trust).request(
      {
        headers: {
          ':path': `/3/device/${token}`,
          authorization: `bearer ${jwt}`,
          ...headers,
        },
        body: payload.body,
      },
      timeoutMs,
    );
    const outcome = this.#read(result, jwt);
    this.#health.observe(outcome);
    if (needsFreshConnection(outcome)) this.#retire(trust);
    return outcome;
  }

  #read(result: TransportResult, jwt: string): Outcome {
    if (result.kind === 'failure') return failureOutcome(result.reason);
    const outcome = readApnsAnswer(result, this.#clock.wallMs());
    if (outcome.kind !== 'misconfigured' || outcome.reason !== EXPIRED) return outcome;
    // Not processed, and with the new token the next try succeeds; unless the clock is wrong.
    return this.#token.replaceExpired(jwt)
      ? { kind: 'retry', reason: EXPIRED, certainty: 'not_processed' }
      : outcome;
  }

  #retire(trust: Trust): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#retiredAtMs < MIN_RETIRE_GAP_MS) return;
    this.#retiredAtMs = nowMs;
    this.#lanes.of(trust).retire();
  }
}

function needsFreshConnection(outcome: Outcome): boolean {
  if (outcome.kind === 'misconfigured') return true;
  return outcome.kind === 'retry' && TIED_TO_CONNECTION.has(outcome.reason);
}

function assertUsable({ key, keyId, teamId, topic }: ApnsOptions): void {
  const faults = [
    ['APNs key', checkApnsKey(key)],
    ['APNs key id', checkApnsKeyId(keyId)],
    ['APNs team id', checkApnsTeamId(teamId)],
    ['APNs topic', checkApnsTopic(topic)],
  ].flatMap(([name, fault]) => (fault === undefined ? [] : [`${name} ${fault}`]));
  if (faults.length > 0) throw new Error(faults.join('; '));
}
