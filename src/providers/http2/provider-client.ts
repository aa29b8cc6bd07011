// What both adapters share: sending over the connections that fit the token's trust, reading answers in time or
// late, and remembering what they say about the provider.

import type { Outcome } from '../../core/outcome.ts';
import type { ProviderHealth, SendOptions, Trust } from '../../core/ports/provider.ts';
import { type ClientOptions, type ClientsByTrust, createClients } from './clients-by-trust.ts';
import type { HttpRequest, HttpResponse } from './pending-request.ts';
import { Health, type HealthOptions } from './provider-health.ts';
import { assertUsableProxy } from './proxy.ts';
import { failureOutcome } from './transport-failures.ts';

export interface ProviderClientOptions extends Omit<ClientOptions, 'maxInFlight'> {
  /** How many pushes the caller has in flight at most; default 1000. */
  readonly maxInFlight?: number | undefined;
  readonly health: Omit<HealthOptions, 'clock'>;
}

const DEFAULT_MAX_IN_FLIGHT = 1_000;

export class ProviderClient {
  readonly #clients: ClientsByTrust;
  readonly #health: Health;

  /** @throws an error for the operator if the proxy cannot be used. */
  constructor({ health, ...options }: ProviderClientOptions) {
    assertUsableProxy(options);
    this.#clients = createClients({
      ...options,
      maxInFlight: options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT,
    });
    this.#health = new Health({ ...health, clock: options.clock });
  }

  get health(): ProviderHealth {
    return this.#health.current;
  }

  /** Sends once; `read` says what a response means. Never rejects. */
  async send(
    request: HttpRequest,
    read: (response: HttpResponse) => Outcome,
    { trust, waitMs, timeoutMs, onLate }: SendOptions,
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
