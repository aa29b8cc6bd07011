// Calls that repeat an accepted one: they wait for the first one, and give a delivery that is still queued a new
// lifetime instead of making a second one.

import type { Delivery } from '../delivery.ts';
import { ServiceError } from '../errors.ts';
import { type Notification, usefulUntilMs } from '../notification.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer } from '../ports/observer.ts';
import { type Store, StoreUnavailableError } from '../ports/store.ts';
import type { SendEnd } from '../sending/endings.ts';
import { findEnd } from '../sending/find-end.ts';
import type { Lane } from '../sending/lane.ts';
import type { Ledger } from '../sending/ledger.ts';
import type { Sender } from '../sending/sender.ts';
import type { Recipient } from '../target.ts';
import type { Duplicates, FirstCall } from '../tokens/duplicates.ts';
import { type Answer, storeUnavailable } from './answers.ts';
import type { FirstEnd } from './key-claims.ts';

export interface RepeatsParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly policy: Policy;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly sender: Sender;
  readonly duplicates: Duplicates;
  readonly observer: Observer;
  /** Called when a delivery got a new lifetime: the retrier may have to check it earlier. */
  readonly onRenewed: (lane: Lane, dueAtMs: number) => void;
}

/** The delivery that holds a duplicate key; known only from the store if no call `held` it in this process. */
export interface First {
  readonly id: string;
  readonly held?: FirstCall;
  /** The store that machines share said during this call that it is open. */
  readonly isFromStore?: true;
}

/** The delivery that a call would make if it were not a repeat. */
export interface Repeat {
  readonly delivery: Delivery;
  readonly lane: Lane;
  readonly calledAtMs: number;
}

type Renewed = 'renewed' | 'closed';

interface SharedFirst {
  readonly id: string;
  readonly end: FirstEnd;
  /** It ended, and the store says that it still holds the key: only a delivery that may have arrived keeps its key. */
  readonly keepsKey: boolean;
}

export class Repeats {
  readonly #parts: RepeatsParts;

  constructor(parts: RepeatsParts) {
    this.#parts = parts;
  }

  /** Other machines end deliveries, too. */
  get #isShared(): boolean {
    return this.#parts.store.claimKey !== undefined;
  }

  /** Windows that outlast a restart are kept in the store. */
  isStoredKey({ duplicateOf }: Notification): boolean {
    return (
      duplicateOf !== undefined && duplicateOf.windowMs >= this.#parts.policy.storedWindowFromMs
    );
  }

  /** Must run right before the key is held, with no `await` between. */
  findHeld(key: string | undefined): First | undefined {
    const held = key === undefined ? undefined : this.#parts.duplicates.find(key);
    return held === undefined ? undefined : { id: held.deliveryId, held };
  }

  /** Reads the store, unless the key is in memory. */
  async findStored(key: string): Promise<First | undefined> {
    const { duplicates, ids } = this.#parts;
    if (duplicates.find(key) !== undefined) return undefined;
    const id = await this.#lookUp(ids.fingerprint(key));
    return id === undefined || duplicates.hasFailed(id) ? undefined : { id };
  }

  /** The delivery that holds a key in a store that several machines share. */
  findShared(key: string): Promise<string | undefined> {
    return this.#lookUp(this.#parts.ids.fingerprint(key));
  }

  /**
   * A delivery that is still open gets a new lifetime. Returns nothing if it has just ended. If this process gave it up but
   * the store has it open, the store is right, because a row can be written although the store seemed to fail; unless the
   * end of the delivery is still being written.
   */
  async answerShared(
    repeat: Repeat,
    { id, end, keepsKey }: SharedFirst,
  ): Promise<Answer | undefined> {
    const { type } = repeat.delivery.notification;
    if (end === 'open') {
      const wasEnding = this.#isEnding(id);
      const held = { deliveryId: id, isOpen: true };
      const renewal = await this.#renewInTime(repeat, { id, held, isFromStore: true });
      const isEnding = wasEnding || this.#isEnding(id);
      const hasFailed = isEnding && this.#parts.duplicates.hasFailed(id);
      if (hasFailed || (renewal === 'closed' && !keepsKey)) return undefined;
    }
    this.#parts.observer.observe({ name: 'duplicate_answered', deliveryId: id, type });
    return { id, status: 'duplicate' };
  }

  #isEnding(deliveryId: string): boolean {
    const { sender, ledger } = this.#parts;
    return sender.isSending(deliveryId) || ledger.awaitsSettling(deliveryId);
  }

  /** Remembers the first call of a key. */
  hold(
    key: string,
    { id, notification }: Delivery,
    first: {
      readonly answer: Promise<Answer>;
      readonly end: Promise<SendEnd>;
      readonly stored: Promise<boolean>;
    },
  ): void {
    if (notification.duplicateOf === undefined) return;
    const { duplicates } = this.#parts;
    const { answer } = first;
    duplicates.hold(key, { deliveryId: id, end: answer }, notification.duplicateOf.windowMs);
    answer.then(
      ({ status }) => {
        if (status === 'delivered' || this.#isShared) duplicates.confirm(id);
      },
      () => this.#reconsider(id, first),
    );
  }

  /**
   * Waits for the first call: if it is refused, the repeat is refused for the same reason. Undefined if the delivery
   * failed while the repeat waited for the store: this call is then the first.
   */
  async answer(repeat: Repeat, first: First): Promise<Answer | undefined> {
    const { type } = repeat.delivery.notification;
    try {
      await first.held?.end;
      if (first.held?.isOpen !== false) await this.#renewInTime(repeat, first);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const details = { ...error.details, isRepeat: true };
      throw new ServiceError(error.code, details, { cause: error.cause });
    }
    if (this.#parts.duplicates.hasFailed(first.id)) return undefined;
    this.#parts.observer.observe({ name: 'duplicate_answered', deliveryId: first.id, type });
    return { id: first.id, status: 'duplicate' };
  }

  /**
   * The caller does not wait beyond its deadline. By then it is known that the first call was taken, unless only the
   * store can say what became of it.
   */
  async #renewInTime(repeat: Repeat, first: First): Promise<Renewed | undefined> {
    const { clock, policy } = this.#parts;
    const { promise: over, resolve, reject } = Promise.withResolvers<undefined>();
    const passedMs = clock.nowMs() - repeat.calledAtMs;
    const timer = clock.after(Math.max(0, policy.answerDeadlineMs - passedMs), () =>
      this.#isKnownToStand(first) ? resolve(undefined) : reject(storeUnavailable()),
    );
    try {
      const renewed = this.#renew(repeat, first);
      renewed.catch(() => {});
      return await Promise.race([renewed, over]);
    } finally {
      timer.cancel();
    }
  }

  /**
   * True if the delivery is certainly open. With a shared store that is certain only if the store said so during this
   * call, or if this machine is sending it: another machine may have ended any other delivery.
   */
  #isKnownToStand({ id, held, isFromStore }: First): boolean {
    if (held === undefined) return false;
    return !this.#isShared || isFromStore === true || this.#parts.sender.isSending(id);
  }

  /** Refuses a delivery that may not be queued now; changes nothing if the delivery has ended meanwhile. */
  async #renew({ delivery, lane }: Repeat, first: First): Promise<Renewed> {
    const { id: deliveryId } = first;
    const { clock, ledger, sender, policy, onRenewed } = this.#parts;
    const { notification, expiresAtMs } = delivery;
    if (!lane.mayQueue(notification.lifetimeMs)) {
      // Of a key from before a restart only the log knows whether its delivery has ended.
      const end = first.held === undefined ? await findEnd(this.#parts, deliveryId) : undefined;
      if (end !== undefined) return 'closed';
      const details = { deliveryId, isRepeat: true, retryAfterSeconds: 1 };
      throw new ServiceError('provider_unavailable', details);
    }
    const dueAtMs = clock.nowMs() + policy.renewedDueMs;
    const renewed = await ledger.renew({
      deliveryId,
      expiresAtMs,
      usefulUntilMs: usefulUntilMs(expiresAtMs, notification.lifetimeMs),
      dueAtMs,
      wallMs: clock.wallMs(),
    });
    if (renewed === 'unavailable') throw storeUnavailable();
    if (renewed === 'closed') {
      await this.#noteClosed(first);
      return renewed;
    }
    sender.renew(deliveryId, expiresAtMs);
    onRenewed(lane, dueAtMs);
    return renewed;
  }

  /**
   * The store says that the delivery has ended. Another machine may have ended it, and then the store is asked again who
   * has the key; or it ended with its device, and this call is the first. A key that only the store has is still held.
   */
  async #noteClosed({ id, held }: First): Promise<void> {
    const { duplicates } = this.#parts;
    if (duplicates.hasArrived(id)) return;
    if (!this.#isShared) {
      if (held === undefined || duplicates.hasFailed(id)) return;
      const end = await findEnd(this.#parts, id);
      if (end?.status === 'delivered') return duplicates.close(id);
    }
    duplicates.release(id);
  }

  /**
   * A caller that was refused may call again, unless only the store had failed and the push was delivered or kept
   * for later.
   */
  async #reconsider(
    deliveryId: string,
    { end, stored }: { readonly end: Promise<SendEnd>; readonly stored: Promise<boolean> },
  ): Promise<void> {
    const { duplicates } = this.#parts;
    const { status } = (await end).next;
    const isTaken = status === 'delivered' || (status === 'queued' && (await stored));
    if (isTaken) duplicates.confirm(deliveryId);
    else duplicates.release(deliveryId);
  }

  /** A store that fails or is slow must not stop a push; at worst a second one is sent for the same event. */
  async #lookUp(keyHash: string): Promise<string | undefined> {
    const { store, clock, policy, observer } = this.#parts;
    const { promise: over, resolve } = Promise.withResolvers<undefined>();
    const timer = clock.after(policy.lookupTimeoutMs, () => resolve(undefined));
    const found = store
      .findDuplicate({ keyHash, nowMs: clock.nowMs() })
      .catch((cause: unknown): undefined => {
        if (cause instanceof StoreUnavailableError) return;
        observer.observe({ name: 'internal_fault', where: 'store.find_duplicate', cause });
      });
    const id = await Promise.race([found, over]);
    timer.cancel();
    return id;
  }
}

/**
 * Source, type and device belong to the key: the same payment for another device is another push. The token's
 * fingerprint includes the app.
 */
export function duplicateKey(delivery: Delivery, { source }: Recipient): string | undefined {
  const { notification, target, tokenHash, deviceId } = delivery;
  if (notification.duplicateOf === undefined) return undefined;
  const device = [tokenHash, target.platform, target.appData ?? null, deviceId ?? null];
  return JSON.stringify([source, notification.type, ...device, notification.duplicateOf.key]);
}
