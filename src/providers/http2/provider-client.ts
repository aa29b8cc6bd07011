// What both adapters share: sending over the connections for the token's level of trust, reading timely and late
// answers, and remembering what they say about the provider.

import type { Outcome, RetryCertainty } from '../../core/outcome.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type {
  ProviderHealth,
  ProviderTraffic,
  PushOptions,
  Trust,
} from '../../core/ports/provider.ts';
import type { HttpRequest, HttpResponse } from './client.ts';
import { Http2Client } from './client.ts';
import type { PoolEvent, PoolOptions } from './pool.ts';
import { assertUsableProxy, type ProxyOptions } from './proxy.ts';
import { failureOutcome, isConnectFailure, TRANSPORT_FAILURES } from './transport-failures.ts';

export type ConnectionEvent = PoolEvent & { readonly trust: Trust };

interface ClientOptions extends Omit<PoolOptions, 'keepWarm' | 'maxConnections' | 'onEvent'> {
  readonly onEvent?: ((event: ConnectionEvent) => void) | undefined;
}

/** What every provider gets for its connections. */
export interface ProviderOptions extends ProxyOptions {
  /** PEM of an authority that is trusted beside the system's, also for the token endpoint. */
  readonly ca?: string | undefined;
  readonly clock: Clock;
  /** How many pushes the caller has in flight at most; default 1000. */
  readonly maxInFlight?: number | undefined;
  readonly onEvent?: ((event: ConnectionEvent) => void) | undefined;
}

export interface ProviderClientOptions extends Omit<ClientOptions, 'maxInFlight'> {
  /** How many pushes the caller has in flight at most; default 1000. */
  readonly maxInFlight?: number | undefined;
  readonly health: Omit<HealthOptions, 'clock'>;
}

const DEFAULT_MAX_IN_FLIGHT = 1_000;

export class ProviderClient {
  readonly #clients: ClientsByTrust;
  readonly #health: Health;
  #connectionsOpened = 0;
  #connectionsFailed = 0;

  /** @throws an error for the operator if the proxy cannot be used. */
  constructor({ health, ...options }: ProviderClientOptions) {
    assertUsableProxy(options);
    this.#clients = createClients({
      ...options,
      onEvent: (event) => {
        if (event.kind === 'connected') this.#connectionsOpened += 1;
        if (event.kind === 'connect_failed') this.#connectionsFailed += 1;
        options.onEvent?.(event);
      },
      maxInFlight: options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT,
    });
    this.#health = new Health({ ...health, clock: options.clock });
  }

  get health(): ProviderHealth {
    return this.#health.current;
  }

  get traffic(): ProviderTraffic {
    return {
      streams: this.#clients.streams(),
      connectionsOpened: this.#connectionsOpened,
      connectionsFailed: this.#connectionsFailed,
    };
  }

  /** Sends once; `read` says what a response means. Never rejects. */
  async send(
    request: HttpRequest,
    read: (response: HttpResponse) => Outcome,
    { trust, waitMs, timeoutMs, onLate }: PushOptions,
  ): Promise<Outcome> {
    const tellLate = onLate && ((response: HttpResponse) => onLate(this.observed(read(response))));
    const result = await this.#clients
      .of(trust)
      .request(request, { waitMs, timeoutMs, onLate: tellLate });
    if (result.kind === 'response') return this.observed(read(result));
    const outcome = failureOutcome(result.reason);
    // A request that could not be written says nothing about the provider.
    return outcome.kind === 'rejected' ? outcome : this.observed(outcome);
  }

  /** Opens a connection ahead of the first push and waits for the credentials; `undefined` is success. */
  async warm(credentials: Promise<Outcome | undefined>): Promise<ProviderHealth> {
    const [failure, refusal] = await Promise.all([this.#clients.of('proven').warm(), credentials]);
    if (failure !== undefined) this.#health.failed(failure);
    else if (refusal !== undefined) this.#health.observe(refusal);
    else this.#health.reached();
    return this.#health.current;
  }

  observed(outcome: Outcome): Outcome {
    this.#health.observe(outcome);
    return outcome;
  }

  /** The next pushes of this trust go over new connections. */
  retire(trust: Trust): void {
    this.#clients.of(trust).retire();
  }

  close(): Promise<void> {
    return this.#clients.close();
  }
}

/**
 * Two clients of one provider: tokens that never worked have connections of their own, because APNs closes a connection
 * that carries many bad tokens, and the proven tokens must not be on it.
 */
interface ClientsByTrust {
  /** The client for unproven tokens connects at its first use. */
  of(trust: Trust): Http2Client;
  /** Streams that are open. */
  streams(): number;
  close(): Promise<void>;
}

/**
 * Ten carry a thousand pushes at Google's 100 streams each; APNs takes as many on one or two. Unknown tokens get fewer:
 * invented tokens must not make the service open connections.
 */
const MAX_CONNECTIONS: Readonly<Record<Trust, number>> = { proven: 10, unproven: 2 };

function createClients({ onEvent, ...options }: ClientOptions): ClientsByTrust {
  const create = (trust: Trust): Http2Client =>
    new Http2Client({
      ...options,
      maxConnections: MAX_CONNECTIONS[trust],
      keepWarm: trust === 'proven',
      onEvent: (event) => onEvent?.({ ...event, trust }),
    });
  const proven = create('proven');
  let unproven: Http2Client | undefined;

  return {
    of(trust) {
      if (trust === 'proven') return proven;
      unproven ??= create('unproven');
      return unproven;
    },
    streams: () => proven.streams + (unproven?.streams ?? 0),
    async close() {
      await Promise.all([proven.close(), unproven?.close()]);
    },
  };
}

export interface HealthOptions {
  readonly clock: Clock;
  /** What to do about a reason that does not depend on the token; `undefined` for all others. */
  remedyFor(reason: string): string | undefined;
  /** Reasons of retries which mean that no push can succeed now, whatever its token. */
  isBlocking(reason: string): boolean;
  /**
   * Reasons, besides connect failures, that no longer apply once the provider was reached and credentials were
   * obtained.
   */
  endsWhenReached(reason: string): boolean;
}

type Verdict =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'working' }
  | {
      readonly kind: 'failing';
      readonly reason: string;
      readonly sinceMs: number;
      readonly wallMs: number;
    };

/** Without traffic a verdict expires: after a key was replaced, readiness must recover without a push. */
const MAX_VERDICT_AGE_MS = 10 * 60_000;
/** A single request may get no stream behind slow ones; three in a row without an answer between them are a fault. */
const MAX_WAITS_IN_VAIN = 3;
const WAITED_IN_VAIN = 'timeout_waiting';
const IS_ANSWER: Readonly<Record<RetryCertainty, boolean>> = {
  not_processed: false,
  uncertain: false,
  unanswered: false,
  answered: true,
  throttled_token: true,
  throttled_project: true,
  throttled: true,
  not_started: false,
};

/**
 * What the last answers of a provider say about our credentials and the connection to it.
 *
 * Any answer that is about the token or the message proves that the provider accepts our credentials.
 * A provider that is slow or says "later" proves nothing either way: the core's breaker judges that.
 */
export class Health {
  readonly #options: HealthOptions;
  #verdict: Verdict = { kind: 'unknown' };
  #waitsInVain = 0;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  get current(): ProviderHealth {
    const verdict = this.#verdict;
    if (verdict.kind === 'working') return { ready: true };
    if (verdict.kind === 'unknown') {
      return { ready: false, detail: 'No connection has been tried yet.' };
    }
    const { reason, sinceMs, wallMs } = verdict;
    if (this.#options.clock.nowMs() - sinceMs < MAX_VERDICT_AGE_MS) {
      return { ready: false, detail: `${reason}: ${this.#meaningOf(reason)}` };
    }
    const at = new Date(wallMs).toISOString();
    return {
      ready: true,
      detail: `Last failed at ${at} (${reason}); nothing was sent since then.`,
    };
  }

  /** The provider answered, or the request failed on the way to it. */
  observe(outcome: Outcome): void {
    this.#countWaits(outcome);
    switch (outcome.kind) {
      case 'delivered':
      case 'unregistered':
      case 'rejected':
        this.#verdict = { kind: 'working' };
        return;
      case 'misconfigured':
        if (
          this.#options.remedyFor(outcome.reason) !== undefined ||
          isConnectFailure(outcome.reason)
        ) {
          this.failed(outcome.reason);
        }
        return;
      case 'retry':
        if (isConnectFailure(outcome.reason) || this.#options.isBlocking(outcome.reason)) {
          this.failed(outcome.reason);
        }
        return;
    }
  }

  /** The provider was reached; only an answer shows whether it accepts our credentials. */
  reached(): void {
    const verdict = this.#verdict;
    if (verdict.kind === 'failing') {
      const { reason } = verdict;
      if (!isConnectFailure(reason) && !this.#options.endsWhenReached(reason)) return;
    }
    this.#verdict = { kind: 'working' };
  }

  failed(reason: string): void {
    const { clock } = this.#options;
    this.#verdict = { kind: 'failing', reason, sinceMs: clock.nowMs(), wallMs: clock.wallMs() };
  }

  #countWaits(outcome: Outcome): void {
    if (outcome.kind !== 'retry' || IS_ANSWER[outcome.certainty]) {
      this.#waitsInVain = 0;
      if (this.#verdict.kind === 'failing' && this.#verdict.reason === WAITED_IN_VAIN) {
        this.#verdict = { kind: 'working' };
      }
    } else if (outcome.certainty === 'not_started') {
      this.#waitsInVain += 1;
      if (this.#waitsInVain >= MAX_WAITS_IN_VAIN && this.#verdict.kind !== 'failing') {
        this.failed(WAITED_IN_VAIN);
      }
    }
  }

  #meaningOf(reason: string): string {
    if (reason === WAITED_IN_VAIN || isConnectFailure(reason)) {
      return TRANSPORT_FAILURES[reason].meaning;
    }
    return this.#options.remedyFor(reason) ?? 'The provider refuses our requests.';
  }
}
