// Two keys of one team during a rotation: the first is used, and the second while Apple refuses the first. Each has
// connections of its own, because Apple ties a connection to the key that it began with (`UnrelatedKeyIdInToken`).

import type { Outcome } from '../../core/outcome.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type {
  PreparedPush,
  ProvableProvider,
  Prover,
  ProviderHealth,
  ProviderTraffic,
  PushMessage,
  PushOptions,
} from '../../core/ports/provider.ts';

/** Reasons that may be the key's alone; a key may be limited to some topics or to one environment. */
const KEY_REFUSED: ReadonlySet<string> = new Set([
  'InvalidProviderToken',
  'BadEnvironmentKeyIdInToken',
  'BadEnvironmentKeyInToken',
  'UnrelatedKeyIdInToken',
  'TopicDisallowed',
  'Forbidden',
]);
/** How long a refused key is left alone: as long as a verdict of readiness lasts. */
const LEFT_ALONE_MS = 10 * 60_000;

interface Key {
  readonly keyId: string;
  readonly provider: ProvableProvider;
  refusal?: { readonly reason: string; readonly atMs: number } | undefined;
}

export class TwoKeysProvider implements ProvableProvider {
  readonly name: ProvableProvider['name'];
  readonly provers: readonly Prover[];
  readonly #clock: Clock;
  readonly #first: Key;
  readonly #second: Key;

  constructor(
    clock: Clock,
    first: { readonly keyId: string; readonly provider: ProvableProvider },
    second: { readonly keyId: string; readonly provider: ProvableProvider },
  ) {
    this.name = first.provider.name;
    this.#clock = clock;
    this.#first = { ...first };
    this.#second = { ...second };
    this.provers = [this.#first, this.#second].flatMap((key) =>
      key.provider.provers.map((prover) => this.#noting(key, prover)),
    );
  }

  prepare(message: PushMessage): PreparedPush {
    const { excessBytes, lacksReceipt } = this.#first.provider.prepare(message);
    return { excessBytes, lacksReceipt, send: (options) => this.#send(message, options) };
  }

  warm(): Promise<ProviderHealth> {
    return this.#first.provider.warm();
  }

  health(): ProviderHealth {
    const { refusal, keyId } = this.#first;
    if (refusal === undefined || this.#isRefused(this.#second))
      return this.#first.provider.health();
    const { ready } = this.#second.provider.health();
    const detail = `${refusal.reason}: Apple refuses the first key (${keyId}); pushes go by the second (${this.#second.keyId}).`;
    return { ready, detail };
  }

  traffic(): ProviderTraffic {
    const [first, second] = [this.#first.provider.traffic(), this.#second.provider.traffic()];
    return {
      streams: first.streams + second.streams,
      connectionsOpened: first.connectionsOpened + second.connectionsOpened,
      connectionsFailed: first.connectionsFailed + second.connectionsFailed,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#first.provider.close(), this.#second.provider.close()]);
  }

  /** A refused push was not processed, so that the other key may send it at once, in the time that is left. */
  async #send(message: PushMessage, options: PushOptions): Promise<Outcome> {
    const endMs = this.#clock.nowMs() + options.waitMs + options.timeoutMs;
    const [key, other] = this.#inOrder();
    const outcome = await this.#sendBy(key, message, options);
    if (!isKeyRefused(outcome) || this.#isRefused(other)) return outcome;
    const leftMs = Math.max(0, endMs - this.#clock.nowMs());
    const timeoutMs = Math.min(options.timeoutMs, leftMs);
    return await this.#sendBy(other, message, {
      ...options,
      timeoutMs,
      waitMs: leftMs - timeoutMs,
    });
  }

  async #sendBy(key: Key, message: PushMessage, options: PushOptions): Promise<Outcome> {
    return this.#noted(key, await key.provider.prepare(message).send(options));
  }

  /** Records what a proof found out about a key, so that the next push does not have to. */
  #noting(key: Key, prover: Prover): Prover {
    return {
      prove: async () => this.#noted(key, await prover.prove()),
      recall: (outcome) => prover.recall(this.#noted(key, outcome)),
    };
  }

  #noted(key: Key, outcome: Outcome): Outcome {
    if (isKeyRefused(outcome)) {
      key.refusal = { reason: outcome.reason, atMs: this.#clock.nowMs() };
    } else if (outcome.kind !== 'retry') {
      key.refusal = undefined;
    }
    return outcome;
  }

  #inOrder(): readonly [Key, Key] {
    const isSecondsTurn = this.#isRefused(this.#first) && !this.#isRefused(this.#second);
    return isSecondsTurn ? [this.#second, this.#first] : [this.#first, this.#second];
  }

  #isRefused({ refusal }: Key): boolean {
    return refusal !== undefined && this.#clock.nowMs() - refusal.atMs < LEFT_ALONE_MS;
  }
}

function isKeyRefused(outcome: Outcome): outcome is Extract<Outcome, { kind: 'misconfigured' }> {
  return outcome.kind === 'misconfigured' && KEY_REFUSED.has(outcome.reason);
}
