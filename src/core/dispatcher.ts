// Accept, push, answer. A notification for a target is checked in a fixed order (duplicate, quarantine,
// rate, room), its row is written beside the push, and the caller gets the truth within five seconds.

import type { Clock } from './clock.ts';
import { type Delivery, usefulUntilMs } from './delivery.ts';
import type { Duplicates } from './duplicates.ts';
import { ServiceError } from './errors.ts';
import type { Ids } from './ids.ts';
import type { Lane } from './lane.ts';
import type { Ledger } from './ledger.ts';
import type { Limits } from './limits.ts';
import type { Notification } from './notification.ts';
import type { Observer } from './observer.ts';
import type { Policy } from './policy.ts';
import type { PreparedPush } from './provider.ts';
import type { Quarantine } from './quarantine.ts';
import { messageOf, type SendEnd, type Sender } from './sender.ts';
import type { Store } from './store.ts';
import { providerFor, type Target, tokenKey } from './target.ts';

/** What the caller is told of a success. Refusals are `ServiceError`s. */
export interface Answer {
  readonly id: string;
  readonly status: 'delivered' | 'queued' | 'duplicate';
  /** Only where the store could not take the row of a push that was delivered all the same. */
  readonly logged?: false;
}

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
  readonly lanes: Lanes;
  readonly observer: Observer;
}

/** The lanes by app and provider, and what to say where there is none. */
export interface Lanes {
  /** Throws `unknown_app` or `provider_not_configured`. */
  find(app: string, provider: 'apns' | 'fcm'): Lane;
}

export class Dispatcher {
  readonly #parts: DispatcherParts;
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

  /** Takes a notification and answers as DESIGN says: delivered, queued, duplicate, or a `ServiceError`. */
  async accept(notification: Notification, target: Target): Promise<Answer> {
    const prepared = this.#prepare(notification, target);
    const key = duplicateKey(notification, target);
    const first = (await this.#findStored(notification, key)) ?? this.#findHeld(key);
    if (first !== undefined) return this.#answerRepeat(notification, first);
    const dispatch = this.#admit(prepared, key);
    const answer = this.#answer(dispatch);
    if (key !== undefined && notification.duplicateOf !== undefined) {
      const held = { deliveryId: dispatch.delivery.id, end: answer };
      this.#parts.duplicates.hold(key, held, notification.duplicateOf.windowMs);
    }
    return answer;
  }

  /** Sends a notification whose answer comes from elsewhere (a device's reply); no duplicates are looked for. */
  dispatch(notification: Notification, target: Target): Dispatch {
    return this.#admit(this.#prepare(notification, target), undefined);
  }

  #prepare(notification: Notification, target: Target): Prepared {
    if (this.#draining) throw new ServiceError('shutting_down', { retryAfterSeconds: 1 });
    const { clock, ids, lanes } = this.#parts;
    const lane = lanes.find(target.app, providerFor(target.platform, target.token));
    const { subject } = notification;
    const delivery: Delivery = {
      id: ids.deliveryId(),
      target,
      provider: lane.provider.name,
      notification,
      tokenHash: ids.fingerprint(tokenKey(target)),
      ...(subject === undefined ? {} : { subjectHash: ids.fingerprint(subject) }),
      receivedAtMs: clock.wallMs(),
      expiresAtMs: clock.nowMs() + notification.lifetimeMs,
      attempts: 0,
    };
    const push = lane.provider.prepare(messageOf(delivery, clock));
    if (push.excessBytes > 0) {
      const detail = `The push would be ${push.excessBytes} bytes larger than the provider takes.`;
      throw new ServiceError('push_too_large', { detail, excessBytes: push.excessBytes });
    }
    return { delivery, lane, push };
  }

  /** Must run right before the key is held: nothing may come between. */
  #findHeld(key: string | undefined): First | undefined {
    const first = key === undefined ? undefined : this.#parts.duplicates.find(key);
    return first === undefined ? undefined : { id: first.deliveryId, end: first.end };
  }

  /** Windows that outlast a restart are looked up in the store, unless memory knows the key. */
  async #findStored(
    notification: Notification,
    key: string | undefined,
  ): Promise<First | undefined> {
    const { duplicates, store, ids, clock, policy } = this.#parts;
    const windowMs = notification.duplicateOf?.windowMs ?? 0;
    if (key === undefined || windowMs < policy.storedWindowFromMs) return undefined;
    if (duplicates.find(key) !== undefined) return undefined;
    try {
      const keyHash = ids.fingerprint(key);
      const id = await store.findDuplicate({ keyHash, nowMs: clock.nowMs() });
      return id === undefined ? undefined : { id };
    } catch {
      // A sick store must not stop a push; the worst is a second one for the same event.
      return undefined;
    }
  }

  /** Waits for the first call: what it is refused, the repeat is refused, too. */
  async #answerRepeat(notification: Notification, first: First): Promise<Answer> {
    await first.end;
    const { type } = notification;
    this.#parts.observer.observe({ name: 'duplicate_answered', deliveryId: first.id, type });
    return { id: first.id, status: 'duplicate' };
  }

  /** The checks that leave no row, then the row and the push at the same time. */
  #admit({ delivery, lane, push }: Prepared, key: string | undefined): Dispatch {
    const { quarantine, limits, sender, observer } = this.#parts;
    this.#refuseQuarantined(delivery);
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
    const end = sender.send(delivery, lane, stored, push);
    return { delivery, lane, stored, end };
  }

  #refuseQuarantined(delivery: Delivery): void {
    const entry = this.#parts.quarantine.find(delivery.tokenHash);
    if (entry === undefined) return;
    const code = entry.kind === 'unregistered' ? 'token_unregistered' : 'token_rejected';
    throw new ServiceError(code, { reason: entry.reason });
  }

  #insert(delivery: Delivery, key: string | undefined): Promise<boolean> {
    const { owner, clock, ids, ledger, policy } = this.#parts;
    const windowMs = delivery.notification.duplicateOf?.windowMs ?? 0;
    const isKept = key !== undefined && windowMs >= policy.storedWindowFromMs;
    return ledger.insert({
      delivery,
      owner,
      leaseUntilMs: clock.nowMs() + policy.leaseMs,
      ...(isKept
        ? { duplicateKey: { keyHash: ids.fingerprint(key), expiresAtMs: clock.nowMs() + windowMs } }
        : {}),
    });
  }

  /** The first of: the end of the push, the answer deadline. */
  async #answer(dispatch: Dispatch): Promise<Answer> {
    const { delivery, stored } = dispatch;
    const deadline = this.#deadline();
    try {
      const end = await Promise.race([dispatch.end, deadline.over]);
      if (end === 'over') return await this.#answerQueued(dispatch, deadline.over);
      if (end.next.status === 'delivered') {
        const logged = await Promise.race([stored, deadline.over]);
        if (logged === true) return { id: delivery.id, status: 'delivered' };
        return { id: delivery.id, status: 'delivered', logged: false };
      }
      if (end.next.status === 'queued') return await this.#answerQueued(dispatch, deadline.over);
      throw refusalFor(dispatch, end);
    } finally {
      deadline.cancel();
    }
  }

  /** "Queued" is said only of what is in the store. */
  async #answerQueued({ delivery, stored }: Dispatch, over: Promise<'over'>): Promise<Answer> {
    if ((await Promise.race([stored, over])) === true) return { id: delivery.id, status: 'queued' };
    throw new ServiceError('store_unavailable', { retryAfterSeconds: 1 });
  }

  #deadline(): { readonly over: Promise<'over'>; cancel(): void } {
    const { promise, resolve } = Promise.withResolvers<'over'>();
    const { clock, policy } = this.#parts;
    const over = () => resolve('over');
    const timer = clock.after(policy.answerDeadlineMs, over);
    this.#waiting.add(over);
    const cancel = () => {
      timer.cancel();
      this.#waiting.delete(over);
    };
    return { over: promise, cancel };
  }
}

/** The call that holds a duplicate key; without an `end`, it is known from the store. */
interface First {
  readonly id: string;
  readonly end?: Promise<unknown>;
}

interface Prepared {
  readonly delivery: Delivery;
  readonly lane: Lane;
  readonly push: PreparedPush;
}

/** Type and device belong to the key: the same payment for another device is another push. */
function duplicateKey(notification: Notification, target: Target): string | undefined {
  if (notification.duplicateOf === undefined) return undefined;
  const { app, platform, token, appData } = target;
  const { key } = notification.duplicateOf;
  return JSON.stringify([notification.type, app, platform, token, appData ?? null, key]);
}

/** What the caller is told when the push ended undelivered. */
export function refusalFor(dispatch: Dispatch, { next, outcome }: SendEnd): ServiceError {
  const deliveryId = dispatch.delivery.id;
  const reason = next.status === 'queued' ? undefined : next.reason;
  const details = { deliveryId, ...(reason === undefined ? {} : { reason }) };
  switch (next.status) {
    case 'unregistered':
      return new ServiceError('token_unregistered', details);
    case 'rejected': {
      const isMessage = outcome?.kind === 'rejected' && outcome.blame === 'message';
      return new ServiceError(isMessage ? 'message_rejected' : 'token_rejected', details);
    }
    case 'misconfigured':
      return new ServiceError('provider_misconfigured', details);
    case 'expired':
      return new ServiceError('expired', { ...details, retryAfterSeconds: retryAfter(dispatch) });
    case 'queued':
    case 'delivered':
      throw new Error(`a delivery that is ${next.status} is no refusal`);
  }
}

/** A repeat makes sense once the provider may be back; the useful life of a fresh call starts anew. */
function retryAfter({ delivery }: Dispatch): number {
  const { expiresAtMs, notification } = delivery;
  const phoneNeedsMs = expiresAtMs - usefulUntilMs(expiresAtMs, notification.lifetimeMs);
  return Math.max(1, Math.round(phoneNeedsMs / 1_000));
}
