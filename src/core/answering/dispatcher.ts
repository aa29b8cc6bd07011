// Accept, push, answer. A notification for a target is checked in a fixed order (duplicate, quarantine,
// rate, room), its row is written beside the push, and the caller gets the truth within five seconds.

import { type Delivery, usefulUntilMs } from '../delivery.ts';
import { ServiceError } from '../errors.ts';
import type { Notification } from '../notification.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer } from '../ports/observer.ts';
import type { PreparedPush } from '../ports/provider.ts';
import type { Store } from '../ports/store.ts';
import { Roster } from '../roster.ts';
import type { Lane } from '../sending/lane.ts';
import type { Ledger } from '../sending/ledger.ts';
import { messageOf, type SendEnd, type Sender } from '../sending/sender.ts';
import { providerFor, type Recipient, tokenKey } from '../target.ts';
import type { Duplicates } from '../tokens/duplicates.ts';
import type { Limits } from '../tokens/limits.ts';
import type { Quarantine } from '../tokens/quarantine.ts';

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
  readonly #waiting = new Roster<() => void>();
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
    if (first !== undefined) return this.#answerRepeat(notification, first);
    const dispatch = this.#admit(prepared, key);
    const answer = this.#answer(dispatch, calledAtMs);
    this.#hold(key, dispatch, answer);
    return answer;
  }

  /** Sends a notification whose answer comes from elsewhere (a device's reply); no duplicates are looked for. */
  dispatch(notification: Notification, recipient: Recipient): Dispatch {
    return this.#admit(this.#prepare(notification, recipient), undefined);
  }

  #prepare(notification: Notification, { target, deviceId }: Recipient): Prepared {
    this.#refuseWhileDraining();
    const { clock, ids, lanes } = this.#parts;
    const lane = lanes.find(target.app, providerFor(target.platform, target.token));
    const { subject } = notification;
    const delivery: Delivery = {
      id: ids.deliveryId(),
      target,
      ...(deviceId === undefined ? {} : { deviceId }),
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
        if (status === 'delivered') this.#parts.duplicates.complete(id);
      },
      () => this.#reconsider(dispatch),
    );
  }

  /**
   * Whoever was refused may try again, unless it was for the store alone and the push went out, or was
   * kept for later, after all.
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
    return first === undefined ? undefined : { id: first.deliveryId, end: first.end };
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
    const end = sender.send(delivery, lane, { stored, prepared: push });
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
  #answer(dispatch: Dispatch, calledAtMs: number): Promise<Answer> {
    const { clock, policy } = this.#parts;
    return new Promise((resolve, reject) => {
      const seen: Seen = { end: undefined, stored: undefined, over: false };
      // Called two or three times; what comes after the answer changes nothing.
      const decide = () => {
        const answer = answerOf(dispatch, seen);
        if (answer === undefined) return;
        leave();
        if (answer instanceof ServiceError) reject(answer);
        else resolve(answer);
      };
      const hurry = () => {
        seen.over = true;
        decide();
      };
      const passedMs = clock.nowMs() - calledAtMs;
      const timer = clock.after(Math.max(0, policy.answerDeadlineMs - passedMs), hurry);
      const place = this.#waiting.add(hurry);
      const leave = () => {
        timer.cancel();
        this.#waiting.remove(place);
      };
      const fail = (cause: unknown) => {
        leave();
        reject(cause);
      };
      dispatch.end.then((end) => {
        seen.end = end;
        decide();
      }, fail);
      dispatch.stored.then((stored) => {
        seen.stored = stored;
        decide();
      }, fail);
    });
  }
}

/** What is known of a push while its caller waits. */
interface Seen {
  end: SendEnd | undefined;
  /** Whether its row is in the store. */
  stored: boolean | undefined;
  /** The answer deadline has passed. */
  over: boolean;
}

/** Nothing while what is missing may still come. "Queued" is said only of what is in the store. */
function answerOf(dispatch: Dispatch, seen: Seen): Answer | ServiceError | undefined {
  const { id } = dispatch.delivery;
  const { end, stored, over } = seen;
  if (end === undefined) {
    if (!over) return undefined;
    return stored === true ? { id, status: 'queued' } : storeUnavailable();
  }
  const isKnown = stored !== undefined || over;
  switch (end.next.status) {
    case 'delivered':
      if (stored === true) return { id, status: 'delivered' };
      return isKnown ? { id, status: 'delivered', logged: false } : undefined;
    case 'queued':
      if (stored === true) return { id, status: 'queued' };
      return isKnown ? storeUnavailable() : undefined;
    default:
      return refusalFor(dispatch, end);
  }
}

function storeUnavailable(): ServiceError {
  return new ServiceError('store_unavailable', { retryAfterSeconds: 1 });
}

/** The call that holds a duplicate key; without an `end`, it is known from the store. */
interface First {
  readonly id: string;
  readonly end?: Promise<unknown> | undefined;
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
