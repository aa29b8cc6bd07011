// Accept, push, answer. A notification for a target is checked in a fixed order (duplicate, quarantine, rate,
// place in flight), its row is written while the push is sent, and the caller is answered within the answer deadline.

import type { Delivery } from '../delivery.ts';
import { ServiceError } from '../errors.ts';
import { isRace, type Notification, usefulUntilMs } from '../notification.ts';
import type { PreparedPush } from '../ports/provider.ts';
import type { AcceptedDelivery, KeyedDelivery } from '../ports/store.ts';
import type { SendEnd } from '../sending/endings.ts';
import type { Lane } from '../sending/lane.ts';
import type { Inserted } from '../sending/ledger.ts';
import { subjectHashOf } from '../subject.ts';
import { type Recipient, tokenKey } from '../target.ts';
import type { Limits } from '../tokens/limits.ts';
import type { Quarantine } from '../tokens/quarantine.ts';
import { type Answer, type Promised, tokenThrottled, Waits } from './answers.ts';
import { findLane, type Lanes } from './find-lane.ts';
import { type Claimed, KeyClaims } from './key-claims.ts';
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

export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #repeats: Repeats;
  readonly #claims: KeyClaims;
  readonly #waits: Waits;
  #draining = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#repeats = new Repeats(parts);
    this.#claims = new KeyClaims(parts);
    this.#waits = new Waits(parts);
  }

  /** From now on everything new is refused with `shutting_down`. */
  drain(): void {
    this.#draining = true;
  }

  /** Answers all callers that still wait, as at the answer deadline: the process is about to end. */
  hurry(): void {
    this.#waits.hurry();
    this.#claims.hurry();
  }

  /** Callers that wait for their answer. */
  get waiting(): number {
    return this.#waits.size;
  }

  /** Takes a notification and answers as docs/errors.md says: delivered, queued, duplicate, or a `ServiceError`. */
  async accept(notification: Notification, recipient: Recipient, asked?: Asked): Promise<Answer> {
    const { calledAtMs, failedFirst } = asked ?? { calledAtMs: this.#parts.clock.nowMs() };
    const prepared = this.#prepare(notification, recipient, asked);
    const key = duplicateKey(prepared.delivery, recipient);
    if (key !== undefined && this.#mustClaim(key)) {
      const claiming = this.#claims.underWay(key);
      if (claiming !== undefined) {
        // That call may go out unclaimed, and then only memory knows about it.
        await claiming;
        return await this.accept(notification, recipient, { calledAtMs, failedFirst });
      }
      const answer = await this.#acceptShared({ ...prepared, calledAtMs }, key, failedFirst);
      if (typeof answer !== 'string') return answer;
      return await this.accept(notification, recipient, { calledAtMs, failedFirst: answer });
    }
    const stored =
      key !== undefined && this.#repeats.isStoredKey(notification)
        ? await this.#repeats.findStored(key)
        : undefined;
    this.#refuseWhileDraining();
    // A call that took the key meanwhile comes first: the repeat has to wait for its end.
    const first = this.#repeats.findHeld(key) ?? stored;
    if (first !== undefined) {
      const answer = await this.#repeats.answer({ ...prepared, calledAtMs }, first);
      return answer ?? (await this.accept(notification, recipient, { calledAtMs }));
    }
    const promise = { made: false };
    const dispatch = this.#admit(prepared, key, promise);
    const answer = this.#waits.answer(dispatch, { calledAtMs, promise });
    if (key !== undefined) this.#repeats.hold(key, dispatch.delivery, { ...dispatch, answer });
    return answer;
  }

  /**
   * A first call that is under way here answers its repeats, and memory has to suffice while the store fails. About all
   * other calls the store that machines share knows more.
   */
  #mustClaim(key: string): boolean {
    const { duplicates, ledger } = this.#parts;
    const held = duplicates.find(key);
    const isKnown = held !== undefined && (held.end !== undefined || ledger.trouble !== undefined);
    return this.#claims.isNeeded && !isKnown;
  }

  /**
   * The id of the first call if that call failed or ended meanwhile: this call is then the first, and claims the key
   * again.
   */
  async #acceptShared(
    call: Prepared & { readonly calledAtMs: number },
    key: string,
    failedFirst: string | undefined,
  ): Promise<Answer | string> {
    const { delivery, lane, push, calledAtMs } = call;
    const { answerDeadlineMs, claimTimeoutMs, lookupTimeoutMs } = this.#parts.policy;
    const answerByMs = calledAtMs + answerDeadlineMs;
    let claimed: Claimed;
    let isCounted = false;
    try {
      this.#refuseUnfit(delivery, lane);
      isCounted = true;
      claimed = await this.#claims.claim(key, this.#keyed(delivery, key), answerByMs);
    } catch (error) {
      // A repeat is answered as a repeat, whatever its token and its limits say.
      const deliveryId = await this.#repeats.findShared(key);
      if (deliveryId === undefined) throw error;
      claimed = { kind: 'held', deliveryId };
    }
    if (claimed.kind === 'held') {
      const { deliveryId } = claimed;
      if (isCounted) this.#parts.limits.giveBack(delivery.target.app, delivery.tokenHash);
      // If the first call fails, this call claims the key, perhaps after yet another call, and reads who has it.
      const untilMs = answerByMs - 2 * claimTimeoutMs - lookupTimeoutMs;
      const end = await this.#claims.follow(deliveryId, untilMs);
      if (end === 'failed' && deliveryId !== failedFirst) return deliveryId;
      const keepsKey = deliveryId === failedFirst;
      const first = { id: deliveryId, end, keepsKey };
      return (await this.#repeats.answerShared(call, first)) ?? deliveryId;
    }
    if (!claimed.isClaimed) {
      const known = this.#repeats.findHeld(key);
      if (known !== undefined) {
        this.#claims.giveUp(delivery, claimed.row);
        return (await this.#repeats.answer(call, known)) ?? known.id;
      }
      this.#claims.tellUnclaimed(delivery);
    }
    const promise = { made: false };
    const dispatch = this.#send({ delivery, lane, push }, claimed.row, promise);
    const answer = this.#waits.answer(dispatch, { calledAtMs, promise });
    this.#repeats.hold(key, delivery, { ...dispatch, answer });
    return await answer;
  }

  /** Sends a notification whose answer comes from elsewhere (a device's reply); no duplicates are looked for. */
  dispatch(notification: Notification, recipient: Recipient): Dispatch {
    return this.#admit(this.#prepare(notification, recipient), undefined, { made: false });
  }

  #prepare(notification: Notification, recipient: Recipient, asked?: Asked): Prepared {
    this.#refuseWhileDraining();
    const { clock, ids, lanes } = this.#parts;
    const { target, deviceId, registrar, registeredAtMs, origin } = recipient;
    const lane = findLane(lanes, target);
    const { subject } = notification;
    // If a call is checked again, the row of its first check may still reach the store, so it needs another id.
    const hasOwnId = asked !== undefined || origin?.isBroadcast === true;
    const delivery: Delivery = {
      id: hasOwnId || origin === undefined ? ids.deliveryId() : origin.requestId,
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
    this.#refuseQuarantined(delivery);
    this.#refuseUnfit(delivery, lane);
    return this.#send({ delivery, lane, push }, this.#insert(delivery, key), promise);
  }

  #refuseUnfit(delivery: Delivery, lane: Lane): void {
    const { quarantine, limits } = this.#parts;
    this.#refuseHopeless(delivery, lane);
    limits.take(delivery.target.app, delivery.tokenHash);
    if (!lane.hasRoom(quarantine.trustOf(delivery.tokenHash))) {
      throw new ServiceError('overloaded', { limit: 'in_flight', retryAfterSeconds: 1 });
    }
  }

  #send({ delivery, lane, push }: Prepared, row: Promise<Inserted>, promise: Promised): Dispatch {
    const { sender, observer } = this.#parts;
    observer.observe({
      name: 'delivery_accepted',
      deliveryId: delivery.id,
      app: delivery.target.app,
      provider: delivery.provider,
      type: delivery.notification.type,
    });
    const stored = row.then((inserted) => inserted === 'stored');
    const isPromised = () => promise.made;
    const end = sender.send(delivery, lane, { stored, prepared: push, isPromised });
    return { delivery, lane, row, stored, end };
  }

  #refuseQuarantined(delivery: Delivery): void {
    // Another machine may have changed what this one remembers; the provider knows.
    const doubted = this.#claims.isNeeded ? this.#claims.doubted(delivery.tokenHash) : undefined;
    if (doubted !== undefined) this.#parts.quarantine.absolve(doubted);
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
    if (hold !== undefined && hold.endsAtMs > usefulUntilMs(delivery.expiresAtMs, lifetimeMs)) {
      throw tokenThrottled(hold.endsAtMs - clock.nowMs(), { reason: hold.entry.reason });
    }
    if (isRace(lifetimeMs) && !lane.mayQueue(lifetimeMs) && !lane.takesAttempts) {
      throw new ServiceError('provider_unavailable', { retryAfterSeconds: 1 });
    }
  }

  #insert(delivery: Delivery, key: string | undefined): Promise<Inserted> {
    const { ledger } = this.#parts;
    const isKept = key !== undefined && this.#repeats.isStoredKey(delivery.notification);
    if (isKept) return ledger.insert(this.#keyed(delivery, key));
    return ledger.insert(this.#leased(delivery));
  }

  #leased(delivery: Delivery): AcceptedDelivery {
    const { owner, clock, policy } = this.#parts;
    return { delivery, owner, leaseUntilMs: clock.nowMs() + policy.leaseMs };
  }

  #keyed(delivery: Delivery, key: string): KeyedDelivery {
    const { clock, ids } = this.#parts;
    const expiresAtMs = clock.nowMs() + (delivery.notification.duplicateOf?.windowMs ?? 0);
    const duplicateKey = { keyHash: ids.fingerprint(key), expiresAtMs };
    return { ...this.#leased(delivery), duplicateKey };
  }
}

/** A call that is checked again keeps its deadline. */
interface Asked {
  readonly calledAtMs: number;
  /** The delivery that had its key and failed. */
  readonly failedFirst?: string | undefined;
}

interface Prepared {
  readonly delivery: Delivery;
  readonly lane: Lane;
  readonly push: PreparedPush;
}
