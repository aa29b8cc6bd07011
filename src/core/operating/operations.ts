// What an operator can do to deliveries, tokens and users, whichever way he asks: by the API or by a command.

import { userKey } from '../devices/registry.ts';
import { ServiceError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { ForgetResult, Forgotten, OperatingStore } from '../ports/operating.ts';
import type { Store } from '../ports/store.ts';
import type { Lane } from '../sending/lane.ts';
import type { Retrier } from '../sending/retrier.ts';
import type { Quarantine } from '../tokens/quarantine.ts';

export interface OperationsParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly operating: OperatingStore;
  readonly store: Pick<Store, 'releaseQuarantine'>;
  readonly quarantine: Quarantine;
  readonly lanes: { readonly all: readonly Lane[] };
  readonly retrier: Retrier;
  /** Resolves when the refusals so far are in the log: none may be written after it was forgotten. */
  readonly refusalsWritten: () => Promise<void>;
}

/**
 * What happens to a delivery that should be tried at once: an attempt starts, one is under way already, or the provider
 * is failing and the delivery may be chosen as its next probe.
 */
export type Retried = 'starts' | 'under_way' | 'waits_for_provider';

export class Operations {
  readonly #parts: OperationsParts;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
  }

  /**
   * Makes a queued delivery due now; the retrier claims and sends it like all others. Throws `unknown_delivery`,
   * `content_erased` if it has ended, `held_back`, or `provider_not_configured` if its app has left the configuration.
   */
  async retry(deliveryId: string): Promise<Retried> {
    const { clock, operating, lanes, retrier } = this.#parts;
    const nowMs = clock.nowMs();
    const hurried = await operating.hurry({ deliveryId, nowMs });
    switch (hurried.kind) {
      case 'unknown':
        throw new ServiceError('unknown_delivery');
      case 'ended':
        throw new ServiceError('content_erased', { deliveryId });
      case 'held': {
        const retryAfterSeconds = Math.max(1, Math.ceil((hurried.untilMs - nowMs) / 1_000));
        throw new ServiceError('held_back', { deliveryId, retryAfterSeconds });
      }
      case 'under_way':
        return 'under_way';
      case 'due': {
        const { app, provider } = hurried;
        const lane = lanes.all.find((one) => one.app === app && one.provider.name === provider);
        if (lane === undefined) {
          const detail = 'The app or the provider of this delivery has left the configuration.';
          throw new ServiceError('provider_not_configured', { deliveryId, detail });
        }
        retrier.expect(lane, nowMs);
        return lane.isOpen ? 'waits_for_provider' : 'starts';
      }
    }
  }

  /** Throws `unknown_user` if no device is registered for the user in any of these apps. */
  async forgetUser(user: string, apps: readonly string[]): Promise<ForgetResult> {
    const { ids } = this.#parts;
    const userHashes = apps.map((app) => ids.fingerprint(userKey(app, user)));
    const result = await this.#forget({ userHashes, tokenHashes: [] });
    if (result.devices === 0) throw new ServiceError('unknown_user');
    return result;
  }

  /** Throws `unknown_token` if neither registry, log nor quarantine know the fingerprint. */
  async forgetToken(tokenHash: string): Promise<ForgetResult> {
    const wasQuarantined = await this.#release(tokenHash);
    const result = await this.#forget({ userHashes: [], tokenHashes: [tokenHash] });
    if (!wasQuarantined && result.devices + result.deliveries === 0) {
      throw new ServiceError('unknown_token');
    }
    return result;
  }

  /** Ends the quarantine or the hold of a token. Throws `unknown_token` if there was none. */
  async releaseQuarantine(tokenHash: string): Promise<void> {
    if (!(await this.#release(tokenHash))) throw new ServiceError('unknown_token');
  }

  /** The log first, because a confirmed release must survive a restart. */
  async #release(tokenHash: string): Promise<boolean> {
    const { store, quarantine } = this.#parts;
    const wasStored = await store.releaseQuarantine(tokenHash);
    return quarantine.release(tokenHash) || wasStored;
  }

  async #forget(forgotten: Forgotten): Promise<ForgetResult> {
    const { operating, quarantine, clock, refusalsWritten } = this.#parts;
    await refusalsWritten();
    const result = await operating.forget({ ...forgotten, wallMs: clock.wallMs() });
    for (const tokenHash of result.tokenHashes) quarantine.forget(tokenHash);
    return result;
  }
}
