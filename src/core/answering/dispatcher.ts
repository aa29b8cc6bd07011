// Accept, push, answer. A notification for a target is checked in a fixed order (duplicate, quarantine, rate,
// room), its row is written beside the push, and the caller gets the truth within the answer deadline.

import { type Delivery, isRace, usefulUntilMs } from '../delivery.ts';
import { ServiceError } from '../errors.ts';
import type { Notification } from '../notification.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer } from '../ports/observer.ts';
import type { PreparedPush } from '../ports/provider.ts';
import type { Store } from '../ports/store.ts';
import type { SendEnd } from '../sending/endings.ts';
import type { Lane } from '../sending/lane.ts';
import type { Ledger } from '../sending/ledger.ts';
import { messageOf, type Sender } from '../sending/sender.ts';
import type { Skew } from '../sending/skew.ts';
import { providerFor, type Recipient, tokenKey } from '../target.ts';
import type { Duplicates, FirstCall } from '../tokens/duplicates.ts';
import type { Limits } from '../tokens/limits.ts';
import type { Quarantine } from '../tokens/quarantine.ts';
import { type Answer, answerOf, type Known, storeUnavailable, tokenThrottled } from './answers.ts';

/** A push under way: its first end, and whether its row is in the store. */
export interface Dispatch {
  readonly delivery: Delivery;
  readonly lane: Lane;
  readonly stored: Promise<boolean>;
  readonly end: Promise<SendEnd>;
}

export interface DispatcherParts {
  readonly owner: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly policy: Policy;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly sender: Sender;
  readonly quarantine: Quarantine;
  readonly duplicates: Duplicates;
  readonly limits: Limits;
  readonly skew: Skew;
  readonly lanes: Lanes;
  readonly observer: Observer;
  /** A delivery was given a new lifetime: the retrier may have to look at it earlier. */
  readonly onRenewed: (lane: Lane, dueAtMs: number) => void;
}

/** The lanes by app and provider, and what to say where there is none. */
export interface Lanes {
  /** Throws `unknown_app` or `provider_not_configured`. */
  find(app: string, provider: 'apns' | 'fcm'): Lane;
}

export class Dispatcher {
  readonly #parts: DispatcherParts;
  /** Ends the wait of each caller that still waits. */
  readonly #waiting = new Set<() => void>();
  #draining = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  /** From now on everything new is refused with `shutting_down`. */
  drain(): void {
    this.#draining = true;
  }

  /** Answers everybody who still waits, as at the answer deadline: the process is about to end. */
  hurry(): void {
    for (const over of this.#waiting) over();
  }

  /** Callers that wait for their answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a notification and answers as DESIGN says: delivered, queued, duplicate, or a `ServiceError`. */
  async accept(notification: Notification, recipient: Recipient): Promise<Answer> {
    const calledAtMs = this.#parts.clock.nowMs();
    const prepared = this.#prepare(notification, recipient);
    const key = duplicateKey(prepared.delivery, recipient);
    const stored =
      key !== undefined && this.#isStoredKey(notification)
        ? await this.#findStored(key)
        : undefined;
    this.#refuseWhileDraining();
    // Whoever took the key meanwhile is asked first: its end is what a repeat has to wait for.
    const first = this.#findHeld(key) ?? stored;
    if (first !== undefined) return this.#answerRepeat(prepared, first);
    const promise = { made: false };
    const dispatch = this.#admit(prepared, key, promise);
    const answer = this.#answer(dispatch, { calledAtMs, promise });
    this.#hold(key, dispatch, answer);
    return answer;
  }

  /** Sends a notification whose answer comes from elsewhere (a device's reply); no duplicates are looked for. */
  dispatch(notification: Notification, recipient: Recipient): Dispatch {
    return this.#admit(this.#prepare(notification, recipient), undefined, { made: false });
  }

  #prepare(notification: Notification, recipient: Recipient): Prepared {
    this.#refuseWhileDraining();
    const { clock, ids, lanes, skew } = this.#parts;
    const { target, deviceId, registeredAtMs } = recipient;
    const lane = lanes.find(target.app, providerFor(target.platform, target.token));
    const { subject } = notification;
    const delivery: Delivery = {
      id: ids.deliveryId(),
      target,
      ...(deviceId === undefined ? {} : { deviceId, registeredAtMs }),
      provider: lane.provider.name,
      notification,
      tokenHash: ids.fingerprint(tokenKey(target)),
      ...(subject === undefined ? {} : { subjectHash: ids.fingerprint(subject) }),
      receivedAtMs: clock.wallMs(),
      expiresAtMs: clock.nowMs() + notification.lifetimeMs,
      attempts: 0,
      unanswered: 0,
      interrupted: false,
    };
    const push = lane.provider.prepare(messageOf(delivery, clock, skew));
    if (push.excessBytes > 0) {
      const detail = `The push would be ${push.excessBytes} bytes larger than the provider takes.`;
      throw new ServiceError('push_too_large', { detail, excessBytes: push.excessBytes });
    }
    return { delivery, lane, push };
  }

  #refuseWhileDraining(): void {
    if (this.#draining) throw new ServiceError('shutting_down', { retryAfterSeconds: 1 });
  }

  #hold(key: string | undefined, dispatch: Dispatch, answer: Promise<Answer>): void {
    const { id, notification } = dispatch.delivery;
    if (key === undefined || notification.duplicateOf === undefined) return;
    const first = { deliveryId: id, end: answer };
    this.#parts.duplicates.hold(key, first, notification.duplicateOf.windowMs);
    answer.then(
      ({ status }) => {
        if (status === 'delivered') this.#parts.duplicates.confirm(id);
      },
      () => this.#reconsider(dispatch),
    );
  }

  /**
   * Whoever was refused may call again, unless it was for the store alone and the push went out, or was kept
   * for later, after all.
   */
  async #reconsider({ delivery, end, stored }: Dispatch): Promise<void> {
    const { duplicates } = this.#parts;
    const { status } = (await end).next;
    const isTaken = status === 'delivered' || (status === 'queued' && (await stored));
    if (isTaken) duplicates.confirm(delivery.id);
    else duplicates.release(delivery.id);
  }

  /** Must run right before the key is held: nothing may come between. */
  #findHeld(key: string | undefined): First | undefined {
    const first = key === undefined ? undefined : this.#parts.duplicates.find(key);
    return first === undefined ? undefined : { id: first.deliveryId, held: first };
  }

  /** Windows that outlast a restart are kept in the store. */
  #isStoredKey({ duplicateOf }: Notification): boolean {
    return (
      duplicateOf !== undefined && duplicateOf.windowMs >= this.#parts.policy.storedWindowFromMs
    );
  }

  /** Asks the store, unless memory knows the key. */
  async #findStored(key: string): Promise<First | undefined> {
    const { duplicates, ids } = this.#parts;
    if (duplicates.find(key) !== undefined) return undefined;
    const id = await this.#lookUp(ids.fingerprint(key));
    return id === undefined || duplicates.hasFailed(id) ? undefined : { id };
  }

  /** A store that is sick or slow must not stop a push; the worst is a second one for the same event. */
  async #lookUp(keyHash: string): Promise<string | undefined> {
    const { store, clock, policy } = this.#parts;
    const { promise: over, resolve } = Promise.withResolvers<undefined>();
    const timer = clock.after(policy.lookupTimeoutMs, () => resolve(undefined));
    const found = store.findDuplicate({ keyHash, nowMs: clock.nowMs() }).catch(() => undefined);
    const id = await Promise.race([found, over]);
    timer.cancel();
    return id;
  }

  /**
   * Waits for the first call: what it is refused, the repeat is refused, too. If its delivery is still queued,
   * the repeat gives it a new lifetime instead of making a second delivery.
   */
  async #answerRepeat(prepared: Prepared, first: First): Promise<Answer> {
    const { notification } = prepared.delivery;
    await first.held?.end;
    if (first.held?.isOpen !== false) await this.#renew(prepared, first.id);
    const { type } = notification;
    this.#parts.observer.observe({ name: 'duplicate_answered', deliveryId: first.id, type });
    return { id: first.id, status: 'duplicate' };
  }

  /** Refuses what may not be queued now; changes nothing if the delivery has ended meanwhile. */
  async #renew({ delivery, lane }: Prepared, deliveryId: string): Promise<void> {
    const { clock, ledger, sender, policy, onRenewed } = this.#parts;
    const { notification, expiresAtMs } = delivery;
    const dueAtMs = clock.nowMs() + policy.renewedDueMs;
    const renewed = lane.mayQueue(notification.lifetimeMs)
      ? await ledger.renew({
          deliveryId,
          expiresAtMs,
          usefulUntilMs: usefulUntilMs(expiresAtMs, notification.lifetimeMs),
          dueAtMs,
        })
      : 'refused';
    if (renewed === 'refused') {
      throw new ServiceError('provider_unavailable', { deliveryId, retryAfterSeconds: 1 });
    }
    if (renewed === 'unavailable') throw storeUnavailable();
    if (renewed === 'closed') return;
    sender.renew(deliveryId, expiresAtMs);
    onRenewed(lane, dueAtMs);
  }

  /** The checks that leave no row, then the row and the push at the same time. */
  #admit({ delivery, lane, push }: Prepared, key: string | undefined, promise: Promised): Dispatch {
    const { quarantine, limits, sender, observer } = this.#parts;
    this.#refuseQuarantined(delivery);
    this.#refuseHopeless(delivery, lane);
    limits.take(delivery.tokenHash);
    if (!lane.hasRoom(quarantine.trustOf(delivery.tokenHash))) {
      throw new ServiceError('overloaded', { retryAfterSeconds: 1 });
    }
    observer.observe({
      name: 'delivery_accepted',
      deliveryId: delivery.id,
      app: delivery.target.app,
      provider: delivery.provider,
      type: delivery.notification.type,
    });
    const stored = this.#insert(delivery, key);
    const isPromised = () => promise.made;
    const end = sender.send(delivery, lane, { stored, prepared: push, isPromised });
    return { delivery, lane, stored, end };
  }

  #refuseQuarantined(delivery: Delivery): void {
    const entry = this.#parts.quarantine.find(delivery.tokenHash);
    if (entry === undefined) return;
    const code = entry.kind === 'unregistered' ? 'token_unregistered' : 'token_rejected';
    throw new ServiceError(code, { reason: entry.reason });
  }

  /** No attempt could start within the useful life: the caller must not wait for one. */
  #refuseHopeless(delivery: Delivery, lane: Lane): void {
    const { clock, quarantine } = this.#parts;
    const { lifetimeMs } = delivery.notification;
    const hold = quarantine.findHold(delivery.tokenHash);
    if (hold !== undefined && hold.untilMs > usefulUntilMs(delivery.expiresAtMs, lifetimeMs)) {
      throw tokenThrottled(hold.untilMs - clock.nowMs(), { reason: hold.reason });
    }
    if (isRace(lifetimeMs) && !lane.mayQueue(lifetimeMs) && !lane.takesAttempts) {
      throw new ServiceError('provider_unavailable', { retryAfterSeconds: 1 });
    }
  }

  #insert(delivery: Delivery, key: string | undefined): Promise<boolean> {
    const { owner, clock, ids, ledger, policy } = this.#parts;
    const windowMs = delivery.notification.duplicateOf?.windowMs ?? 0;
    const isKept = key !== undefined && this.#isStoredKey(delivery.notification);
    return ledger.insert({
      delivery,
      owner,
      leaseUntilMs: clock.nowMs() + policy.leaseMs,
      ...(isKept
        ? { duplicateKey: { keyHash: ids.fingerprint(key), expiresAtMs: clock.nowMs() + windowMs } }
        : {}),
    });
  }

  /** As soon as the end of the push and its row, or the answer deadline, tell enough. */
  #answer(
    { delivery, end, stored }: Dispatch,
    { calledAtMs, promise }: { readonly calledAtMs: number; readonly promise: Promised },
  ): Promise<Answer> {
    const { clock, policy } = this.#parts;
    const { promise: answered, resolve, reject } = Promise.withResolvers<Answer>();
    const known: Known = { end: undefined, stored: undefined, over: false };
    // Called two or three times; what comes after the answer changes nothing.
    const decide = () => {
      const answer = answerOf(delivery, known);
      if (answer === undefined) return;
      leave();
      if (answer instanceof ServiceError) return reject(answer);
      promise.made ||= answer.status === 'queued';
      resolve(answer);
    };
    const hurry = () => {
      known.over = true;
      decide();
    };
    const passedMs = clock.nowMs() - calledAtMs;
    const timer = clock.after(Math.max(0, policy.answerDeadlineMs - passedMs), hurry);
    this.#waiting.add(hurry);
    const leave = () => {
      timer.cancel();
      this.#waiting.delete(hurry);
    };
    const fail = (cause: unknown) => {
      leave();
      reject(cause);
    };
    end.then((sent) => {
      known.end = sent;
      decide();
    }, fail);
    stored.then((isStored) => {
      known.stored = isStored;
      decide();
    }, fail);
    return answered;
  }
}

/** Whether the caller was answered `queued`. */
interface Promised {
  made: boolean;
}

/** The delivery that holds a duplicate key; known from the store alone if no call `held` it in this process. */
interface First {
  readonly id: string;
  readonly held?: FirstCall;
}

interface Prepared {
  readonly delivery: Delivery;
  readonly lane: Lane;
  readonly push: PreparedPush;
}

/**
 * Source, type and device belong to the key: the same payment for another device is another push. The token's
 * fingerprint stands for app and token, and is an eighth as long.
 */
function duplicateKey(delivery: Delivery, { source }: Recipient): string | undefined {
  const { notification, target, tokenHash, deviceId } = delivery;
  if (notification.duplicateOf === undefined) return undefined;
  const device = [tokenHash, target.platform, target.appData ?? null, deviceId ?? null];
  return JSON.stringify([source, notification.type, ...device, notification.duplicateOf.key]);
}
