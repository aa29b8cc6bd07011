// Asks a device and waits for its reply: pushes a notification that carries a reply address, holds the
// callers, and hands the device's bytes to each of them. No caller gets a status of our own.

import type { Delivery } from '../delivery.ts';
import { ServiceError } from '../errors.ts';
import type { Notification } from '../notification.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer } from '../ports/observer.ts';
import type { ReplyExchange } from '../ports/replies.ts';
import { BY_PHONE } from '../sending/attempts.ts';
import { Pending, type SendEnd } from '../sending/endings.ts';
import type { Ledger } from '../sending/ledger.ts';
import type { Sender } from '../sending/sender.ts';
import { type Recipient, tokenKey } from '../target.ts';
import { notKept, refusalFor } from './answers.ts';
import type { Dispatch, Dispatcher } from './dispatcher.ts';

export interface AskerOptions {
  /** Callers that may wait at once, in all and for one target. */
  readonly maxWaits: number;
  readonly maxWaitsPerTarget: number;
}

export interface Question {
  readonly recipient: Recipient;
  /** What makes a repeat the same question while one waits. */
  readonly key: string;
  /** How long the callers wait, from the first one on. */
  readonly deadlineMs: number;
  /** The notification for the id under which the device will reply. */
  notification(replyId: string): Notification;
}

export interface AskerParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly ledger: Ledger;
  readonly sender: Sender;
  readonly dispatcher: Dispatcher;
  readonly exchange: ReplyExchange;
  readonly observer: Observer;
  /** A reply is a sign of life as a receipt is. */
  readonly receipts?: { replied(delivery: Delivery): void } | undefined;
}

/** What the device sent, as it came, and the delivery that asked for it. */
export interface Reply {
  readonly body: Uint8Array;
  readonly deliveryId: string | undefined;
}

type Verdict = Reply | { readonly refusal: ServiceError };

interface Caller {
  settle(verdict: Verdict): void;
}

/** One question under way and all callers that wait for its answer. */
interface Wait {
  readonly key: string;
  readonly targetKey: string;
  readonly replyId: string;
  readonly callers: Set<Caller>;
  /** When the provider took the push, service time. */
  pushedAtMs?: number;
  dispatch?: Dispatch;
  release(): void;
}

export class Asker {
  readonly #parts: AskerParts;
  readonly #options: AskerOptions;
  readonly #waits = new Map<string, Wait>();
  readonly #callersByTarget = new Map<string, number>();
  readonly #recording = new Pending();
  #callers = 0;
  #draining = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(parts: AskerParts, options: AskerOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Callers that wait now. */
  get waiting(): number {
    return this.#callers;
  }

  /** Resolves when the replies so far are in the log. */
  recorded(): Promise<void> {
    return this.#recording.idle();
  }

  /** Answers every later caller with `shutting_down`. Resolves when no caller waits: at the last deadline. */
  async close(): Promise<void> {
    this.#draining = true;
    if (this.#callers === 0) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }

  /** Answers every caller with `shutting_down`, and every later one. */
  drain(): void {
    this.#draining = true;
    for (const wait of [...this.#waits.values()]) {
      this.#finish(wait, 'shut_down', {
        refusal: new ServiceError('shutting_down', { retryAfterSeconds: 1 }),
      });
    }
  }

  /**
   * The device's reply. Rejects with a `ServiceError`: `no_reply` at the deadline, what the
   * push was refused with, `overloaded` or `rate_limited` beyond the bounds. When `hungUp` is aborted the
   * caller's place is free at once; the push continues.
   */
  async ask(question: Question, hungUp: AbortSignal): Promise<Reply> {
    const { origin: _, ...recipient } = question.recipient;
    const targetKey = tokenKey(recipient.target);
    const key = JSON.stringify([recipient, question.key]);
    this.#refuseBeyondBounds(targetKey);
    const pending = this.#waits.get(key);
    const wait = pending ?? this.#open(key, targetKey, question.deadlineMs);
    const reply = this.#join(wait, hungUp);
    if (pending === undefined) void this.#push(wait, question);
    return await reply;
  }

  #refuseBeyondBounds(targetKey: string): void {
    if (this.#draining) throw new ServiceError('shutting_down', { retryAfterSeconds: 1 });
    if (this.#callers >= this.#options.maxWaits) {
      throw new ServiceError('overloaded', { limit: 'reply_waits', retryAfterSeconds: 1 });
    }
    if ((this.#callersByTarget.get(targetKey) ?? 0) >= this.#options.maxWaitsPerTarget) {
      const detail = `${this.#options.maxWaitsPerTarget} callers already wait for a reply of this device.`;
      const limit = 'reply_waits_of_device';
      throw new ServiceError('rate_limited', { detail, limit, retryAfterSeconds: 1 });
    }
  }

  #open(key: string, targetKey: string, deadlineMs: number): Wait {
    const timer = this.#parts.clock.after(deadlineMs, () =>
      this.#finish(wait, 'silent', { refusal: noReply(wait) }),
    );
    const replyId = this.#parts.exchange.newId();
    const release = () => timer.cancel();
    const wait: Wait = { key, targetKey, replyId, callers: new Set(), release };
    this.#waits.set(key, wait);
    return wait;
  }

  /** Opens the reply address before the push leaves: a quick phone replies before the provider has answered. */
  async #push(wait: Wait, question: Question): Promise<void> {
    const { exchange, dispatcher } = this.#parts;
    try {
      await exchange.open(wait.replyId, (body) =>
        this.#finish(wait, 'answered', { body, deliveryId: wait.dispatch?.delivery.id }),
      );
      if (this.#waits.get(wait.key) !== wait) return exchange.close(wait.replyId);
      const notification = question.notification(wait.replyId);
      wait.dispatch = dispatcher.dispatch(notification, question.recipient);
      await this.#follow(wait, wait.dispatch);
    } catch (error) {
      const refusal =
        error instanceof ServiceError ? error : new ServiceError('internal', {}, { cause: error });
      this.#finish(wait, 'failed', { refusal });
    }
  }

  #join(wait: Wait, hungUp: AbortSignal): Promise<Reply> {
    if (hungUp.aborted) {
      this.#leaveIfLast(wait);
      return Promise.reject(noReply(wait));
    }
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const onHangUp = () => {
      caller.settle({ refusal: noReply(wait) });
      this.#leaveIfLast(wait);
    };
    const caller: Caller = {
      settle: (verdict) => {
        if (!wait.callers.delete(caller)) return;
        this.#count(wait.targetKey, -1);
        hungUp.removeEventListener('abort', onHangUp);
        if ('body' in verdict) resolve(verdict);
        else reject(verdict.refusal);
      },
    };
    wait.callers.add(caller);
    this.#count(wait.targetKey, 1);
    hungUp.addEventListener('abort', onHangUp, { once: true });
    return promise;
  }

  /** Waits until the push is taken or has failed for good; retries happen meanwhile. */
  async #follow(wait: Wait, dispatch: Dispatch): Promise<void> {
    const settled = (end: SendEnd) => {
      if (end.next.status === 'delivered') {
        wait.pushedAtMs ??= this.#parts.clock.nowMs();
        return;
      }
      if (end.next.status === 'queued') return;
      this.#finish(wait, 'failed', { refusal: refusalFor(dispatch.delivery, end) });
    };
    const unwatch = this.#parts.sender.watch(dispatch.delivery.id, settled);
    const release = wait.release;
    wait.release = () => {
      release();
      unwatch();
    };
    const end = await dispatch.end;
    // It ended before it could be watched: its time was already over, or its token already dead.
    settled(end);
    if (end.next.status !== 'queued') return;
    // A delivery that is not in the store is never tried again.
    const row = await dispatch.row;
    if (row !== 'stored') this.#finish(wait, 'failed', { refusal: notKept(row) });
  }

  #finish(wait: Wait, end: 'answered' | 'silent' | 'failed' | 'shut_down', verdict: Verdict): void {
    if (this.#waits.get(wait.key) !== wait) return;
    this.#drop(wait);
    this.#log(wait, end);
    for (const caller of [...wait.callers]) caller.settle(verdict);
  }

  #leaveIfLast(wait: Wait): void {
    if (wait.callers.size > 0 || this.#waits.get(wait.key) !== wait) return;
    this.#drop(wait);
    this.#log(wait, 'hung_up');
  }

  #drop(wait: Wait): void {
    this.#waits.delete(wait.key);
    this.#parts.exchange.close(wait.replyId);
    wait.release();
  }

  #log(wait: Wait, end: 'answered' | 'silent' | 'failed' | 'hung_up' | 'shut_down'): void {
    const { clock, ledger, sender, observer } = this.#parts;
    const { dispatch, pushedAtMs } = wait;
    if (dispatch === undefined) return;
    const deliveryId = dispatch.delivery.id;
    if (end === 'answered') {
      this.#parts.receipts?.replied(dispatch.delivery);
      if (pushedAtMs === undefined) sender.prove(dispatch.delivery, BY_PHONE);
      const answeredAtMs = clock.wallMs();
      const recorded = dispatch.stored.then((stored) =>
        stored ? ledger.recordReply({ deliveryId, answeredAtMs }) : undefined,
      );
      void this.#recording.add(recorded);
    }
    observer.observe({
      name: 'reply_waited',
      deliveryId,
      end,
      ...(pushedAtMs === undefined
        ? {}
        : { sincePushMs: Math.max(0, Math.round(clock.nowMs() - pushedAtMs)) }),
    });
  }

  #count(targetKey: string, change: 1 | -1): void {
    this.#callers += change;
    if (this.#callers === 0) this.#idle?.resolve();
    const callers = (this.#callersByTarget.get(targetKey) ?? 0) + change;
    if (callers === 0) this.#callersByTarget.delete(targetKey);
    else this.#callersByTarget.set(targetKey, callers);
  }
}

function noReply({ dispatch, pushedAtMs }: Wait): ServiceError {
  const deliveryId = dispatch?.delivery.id;
  const detail = pushedAtMs === undefined ? { detail: NOT_ACCEPTED } : {};
  return new ServiceError('no_reply', { deliveryId, ...detail });
}

const NOT_ACCEPTED =
  'The provider did not accept the push in time, and no reply came. Repeat the call to push again.';
