// Accept, push, answer. A notification for a target is checked in a fixed order (duplicate, quarantine, rate,
// place in flight), its row is written while the push is sent, and the caller is answered within the answer deadline.

import type { Delivery } from '../delivery.ts';
import { ServiceError } from '../errors.ts';
import { isRace, type Notification, usefulUntilMs } from '../notification.ts';
import type { PreparedPush } from '../ports/provider.ts';
import type { SendEnd } from '../sending/endings.ts';
import type { Lane } from '../sending/lane.ts';
import type { Inserted } from '../sending/ledger.ts';
import { subjectHashOf } from '../subject.ts';
import { providerFor, type Recipient, type Target, tokenKey } from '../target.ts';
import type { Limits } from '../tokens/limits.ts';
import type { Quarantine } from '../tokens/quarantine.ts';
import { type Answer, notKept, refusalFor, tokenThrottled } from './answers.ts';
import { duplicateKey, Repeats, type RepeatsParts } from './repeats.ts';

/** A push under way: its first end, and what becomes of its row. */
export interface Dispatch {
  readonly delivery: Delivery;
  readonly lane: Lane;
  readonly row: Promise<Inserted>;
  readonly stored: Promise<boolean>;
  readonly end: Promise<SendEnd>;
}

export interface DispatcherParts extends RepeatsParts {
  readonly owner: string;
  readonly quarantine: Quarantine;
  readonly limits: Limits;
  readonly lanes: Lanes;
}

/** The lanes of all apps, and what to say where there is none. */
export interface Lanes {
  /** By `laneKey`. */
  readonly byKey: ReadonlyMap<string, Lane>;
  /** `unknown_app` or `provider_not_configured`. */
  missing(target: Target): ServiceError;
}

/** Which lane a token goes by; without an environment the app's own, or production where it has both. */
export function laneKey(app: string, provider: 'apns' | 'fcm', environment = ''): string {
  return `${app}\n${provider}\n${environment}`;
}

/**
 * The lane by which a push to this target would go. Throws `unknown_app` or `provider_not_configured`. A token of one
 * environment of APNs is never tried at the other: BadDeviceToken there would say nothing of it.
 */
export function findLane(lanes: Lanes, target: Target): Lane {
  const { app, platform, token, environment } = target;
  const lane = lanes.byKey.get(laneKey(app, providerFor(platform, token), environment));
  if (lane === undefined) throw lanes.missing(target);
  return lane;
}

export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #repeats: Repeats;
  /** Ends the wait of each caller that still waits. */
  readonly #waiting = new Set<() => void>();
  #draining = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#repeats = new Repeats(parts);
  }

  /** From now on everything new is refused with `shutting_down`. */
  drain(): void {
    this.#draining = true;
  }

  /** Answers all callers that still wait, as at the answer deadline: the process is about to end. */
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
      key !== undefined && this.#repeats.isStoredKey(notification)
        ? await this.#repeats.findStored(key)
        : undefined;
    this.#refuseWhileDraining();
    // A call that took the key meanwhile comes first: the repeat has to wait for its end.
    const first = this.#repeats.findHeld(key) ?? stored;
    if (first !== undefined) {
      const answer = await this.#repeats.answer({ ...prepared, calledAtMs }, first);
      return answer ?? (await this.accept(notification, recipient));
    }
    const promise = { made: false };
    const dispatch = this.#admit(prepared, key, promise);
    const answer = this.#answer(dispatch, { calledAtMs, promise });
    if (key !== undefined) this.#repeats.hold(key, dispatch.delivery, { ...dispatch, answer });
    return answer;
  }

  /** Sends a notification whose answer comes from elsewhere (a device's reply); no duplicates are looked for. */
  dispatch(notification: Notification, recipient: Recipient): Dispatch {
    return this.#admit(this.#prepare(notification, recipient), undefined, { made: false });
  }

  #prepare(notification: Notification, recipient: Recipient): Prepared {
    this.#refuseWhileDraining();
    const { clock, ids, lanes } = this.#parts;
    const { target, deviceId, registrar, registeredAtMs, origin } = recipient;
    const lane = findLane(lanes, target);
    const { subject } = notification;
    const delivery: Delivery = {
      id: ids.deliveryId(),
      target,
      deviceId,
      registrar,
      registeredAtMs,
      provider: lane.provider.name,
      origin,
      notification,
      tokenHash: ids.fingerprint(tokenKey(target)),
      subjectHash: subject === undefined ? undefined : subjectHashOf(ids.fingerprint, subject),
      receivedAtMs: clock.wallMs(),
      expiresAtMs: clock.nowMs() + notification.lifetimeMs,
      attempts: 0,
      unanswered: 0,
      interrupted: false,
    };
    const push = this.#build(delivery, lane);
    const { excessBytes } = push;
    if (excessBytes > 0) {
      const detail = `The push would be ${excessBytes} bytes larger than the provider takes.`;
      throw new ServiceError('push_too_large', { detail, excessBytes });
    }
    return { delivery, lane, push };
  }

  #build(delivery: Delivery, lane: Lane): PreparedPush {
    try {
      return lane.provider.prepare(this.#parts.sender.messageOf(delivery));
    } catch (cause) {
      const fault = { where: 'provider', deliveryId: delivery.id, cause } as const;
      this.#parts.observer.observe({ name: 'internal_fault', ...fault });
      throw new ServiceError('internal', {}, { cause });
    }
  }

  #refuseWhileDraining(): void {
    if (this.#draining) throw new ServiceError('shutting_down', { retryAfterSeconds: 1 });
  }

  /** The checks that leave no row, then the row and the push at the same time. */
  #admit({ delivery, lane, push }: Prepared, key: string | undefined, promise: Promised): Dispatch {
    const { quarantine, limits, sender, observer } = this.#parts;
    this.#refuseQuarantined(delivery);
    this.#refuseHopeless(delivery, lane);
    limits.take(delivery.target.app, delivery.tokenHash);
    if (!lane.hasRoom(quarantine.trustOf(delivery.tokenHash))) {
      throw new ServiceError('overloaded', { limit: 'in_flight', retryAfterSeconds: 1 });
    }
    observer.observe({
      name: 'delivery_accepted',
      deliveryId: delivery.id,
      app: delivery.target.app,
      provider: delivery.provider,
      type: delivery.notification.type,
    });
    const row = this.#insert(delivery, key);
    const stored = row.then((inserted) => inserted === 'stored');
    const isPromised = () => promise.made;
    const end = sender.send(delivery, lane, { stored, prepared: push, isPromised });
    return { delivery, lane, row, stored, end };
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

  #insert(delivery: Delivery, key: string | undefined): Promise<Inserted> {
    const { owner, clock, ids, ledger, policy } = this.#parts;
    const windowMs = delivery.notification.duplicateOf?.windowMs ?? 0;
    const isKept = key !== undefined && this.#repeats.isStoredKey(delivery.notification);
    return ledger.insert({
      delivery,
      owner,
      leaseUntilMs: clock.nowMs() + policy.leaseMs,
      ...(isKept
        ? { duplicateKey: { keyHash: ids.fingerprint(key), expiresAtMs: clock.nowMs() + windowMs } }
        : {}),
    });
  }

  /** As soon as the end of the push and its row, or the answer deadline, allow an answer. */
  #answer(
    { delivery, end, row }: Dispatch,
    { calledAtMs, promise }: { readonly calledAtMs: number; readonly promise: Promised },
  ): Promise<Answer> {
    const { clock, policy } = this.#parts;
    const { promise: answered, resolve, reject } = Promise.withResolvers<Answer>();
    const known: Known = { end: undefined, row: undefined, over: false };
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
    row.then((inserted) => {
      known.row = inserted;
      decide();
    }, fail);
    return answered;
  }
}

/** Whether the caller was answered `queued`. */
interface Promised {
  made: boolean;
}

interface Prepared {
  readonly delivery: Delivery;
  readonly lane: Lane;
  readonly push: PreparedPush;
}

/** What is known of a push while its caller waits. */
interface Known {
  end: SendEnd | undefined;
  /** What became of its row. */
  row: Inserted | undefined;
  /** The answer deadline has passed. */
  over: boolean;
}

/** Nothing while what is missing may still come. "Queued" is answered only for what is in the store. */
function answerOf(delivery: Delivery, known: Known): Answer | ServiceError | undefined {
  const { id } = delivery;
  const { end, row, over } = known;
  if (end === undefined) {
    if (!over) return undefined;
    return row === 'stored' ? { id, status: 'queued' } : notKept(row);
  }
  const isKnown = row !== undefined || over;
  switch (end.next.status) {
    case 'delivered':
      if (row === 'stored') return { id, status: 'delivered' };
      return isKnown ? { id, status: 'delivered', logged: false } : undefined;
    case 'queued':
      if (row === 'stored') return { id, status: 'queued' };
      return isKnown ? notKept(row) : undefined;
    default:
      return refusalFor(delivery, end);
  }
}
