// Rules that must hold whenever a caller is answered. Each rule names what excuses an exception, such as the end of a
// process or a disk that failed. There are no other excuses.

import type { ErrorCode } from '../../src/core/errors.ts';
import { providerFor } from '../../src/core/target.ts';
import { tokenHashOf } from './ids.ts';
import { type CallRecord, type DeliveryRecord, isGhost, type Told } from './journal.ts';
import type { RulesParts } from './rules.ts';
import { hadDiskTrouble } from './weather.ts';

/** The caller is answered within five seconds; a question waits for the phone. */
const ANSWER_MS = 5_000;
const QUESTION_MS = 50_000;
/** Machines do not know the database's time more precisely. */
const CLOCKS_MS = 100;
/** While the store's answer that a delivery is open is on its way, another machine may end it. */
const CROSSING_MS = 5;
const STORED_WINDOW_FROM_MS = 10 * 60_000;
/** A race is refused only in an outage that is older than its useful life. */
const OLD_OUTAGE_MS = 52_000;

/** Refusals before anything was accepted: they leave neither row nor push. */
const WITHOUT_DELIVERY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'overloaded',
  'rate_limited',
  'shutting_down',
]);

export class AnswerRules {
  readonly #parts: RulesParts;
  /** Deliveries by the key of their calls (type, device and key), newest last. */
  readonly #byKey = new Map<string, DeliveryRecord[]>();

  constructor(parts: RulesParts) {
    this.#parts = parts;
  }

  /** A notification was accepted. `serviceMs` is the process's time. */
  accepted(delivery: DeliveryRecord, serviceMs: number): void {
    const { call } = delivery;
    if (call === undefined || call.isQuestion) return;
    const earlier = this.#byKey.get(call.key) ?? [];
    for (const first of earlier) this.#mustNotRepeat(first, delivery, serviceMs);
    earlier.push(delivery);
    this.#byKey.set(call.key, earlier);
  }

  /**
   * The same notification is accepted twice only if the first one failed, or arrived and its window is over, or this
   * process could not know about it. While the first one is open, its window does not matter: a repeat renews it.
   */
  #mustNotRepeat(first: DeliveryRecord, second: DeliveryRecord, serviceMs: number): void {
    const { timeline, weather, journal } = this.#parts;
    const windowMs = second.call?.windowMs ?? 0;
    const isOver = first.receivedMs + windowMs <= serviceMs;
    if (hasFailed(first) || wasNotKept(first)) return;
    // A delivery that went out unclaimed and has no row is known only to the machine that sent it, and that machine
    // asks the store.
    if (journal.fleet !== undefined && first.isUnclaimed === true && !first.isStored) return;
    // If another machine ended it, only the store knows that.
    const isEndedElsewhere = first.final !== undefined && first.final.life !== first.life;
    if (first.life === second.life && !isEndedElsewhere) {
      if (isOver && (first.final ?? first.seenEnd) !== undefined) return;
      this.#violate('a repeat is recognised', `${second.id} repeats ${first.id}`);
      return;
    }
    if (journal.fleet !== undefined) {
      this.#mustNotRepeatElsewhere(first, second);
      return;
    }
    if (isOver || windowMs < STORED_WINDOW_FROM_MS || !first.isStored) return;
    if (hadDiskTrouble(weather, (second.call?.startedAtMs ?? 0) - 1, timeline.nowMs)) return;
    this.#violate('a stored key outlasts a restart', `${second.id} repeats ${first.id}`);
  }

  /**
   * In a store that machines share, the key and its row are written before the push, except for a push that goes out
   * unclaimed.
   */
  #mustNotRepeatElsewhere(first: DeliveryRecord, second: DeliveryRecord): void {
    const { timeline } = this.#parts;
    if (first.isUnclaimed === true || second.isUnclaimed === true || !first.isStored) return;
    const isOver = first.receivedMs + (second.call?.windowMs ?? 0) <= timeline.nowMs + CLOCKS_MS;
    if (isOver && first.final !== undefined) return;
    this.#violate('a repeat is recognised at every machine', `${second.id} repeats ${first.id}`);
  }

  /** A process that stops in order answers every waiting caller, if its disk allows it. */
  cutAtStop(call: CallRecord): void {
    const { weather, timeline } = this.#parts;
    if (hadDiskTrouble(weather, call.startedAtMs, timeline.nowMs)) return;
    this.#violate('a request in flight is answered', `call ${call.number}`);
  }

  told(call: CallRecord, told: Told): void {
    const { timeline, journal } = this.#parts;
    const tookMs = timeline.nowMs - call.startedAtMs;
    const wasStopped = journal.fleet?.wasStopped(call.life, call.startedAtMs, timeline.nowMs);
    if (wasStopped !== true && tookMs > (call.isQuestion ? QUESTION_MS : ANSWER_MS) + 1) {
      this.#violate('callers are told in time', `call ${call.number} after ${tookMs} ms`);
    }
    const delivery = journal.deliveries.get(call.deliveryId ?? '');
    switch (told.status) {
      case 'duplicate':
        this.#mustStand(call, told.id);
        break;
      case 'delivered':
        if (delivery?.attempts.some(({ takenAtMs }) => takenAtMs !== undefined) !== true) {
          this.#violate('delivered means that the provider took it', told.id);
        }
        if (told.logged !== false && delivery?.isStored !== true) {
          this.#violate('delivered is in the database', told.id);
        }
        if (told.logged === false) this.#mustBeSick(call, 'logged: false');
        break;
      case 'queued':
        if (delivery?.isStored !== true) this.#violate('queued is in the database', told.id);
        break;
      case 'refused':
        this.#mustBeTrue(call, told.code, delivery ?? journal.deliveries.get(told.id ?? ''));
        break;
      case 'ignored':
      case 'replied':
        break;
    }
  }

  /** A call may be answered `duplicate` only while the first delivery is delivered or may still be. */
  #mustStand(call: CallRecord, id: string): void {
    const first = this.#parts.journal.deliveries.get(id);
    if (first === undefined) {
      // The delivery is stored for a process that was stopped meanwhile and sends nothing; the machine that takes it
      // over will send it.
      if (this.#parts.journal.claims.get(id)?.storedBy !== undefined) return;
      this.#violate('a duplicate names the first delivery', id);
      return;
    }
    const { timeline, journal } = this.#parts;
    const own = this.#hasWritten(first, call.life) ? first.seenEnd : undefined;
    // If another machine has proved it since, that counts for all machines.
    const end = journal.fleet === undefined ? (own ?? first.final) : (first.final ?? own);
    const isOver = first.acceptedAtMs + call.windowMs <= call.startedAtMs;
    if (first.life === call.life && isOver && (end?.atMs ?? Infinity) < call.startedAtMs) {
      this.#violate('a window ends', `call ${call.number} long after ${id}`);
    }
    // A delivery that a crash interrupted was perhaps pushed, so it keeps its key, whatever its end.
    const isArrived = end?.status === 'delivered' || first.final?.reason === 'interrupted';
    const isKept = first.isStored || isProven(first, timeline.nowMs);
    const stands = end === undefined ? isKept : isArrived;
    // If it ended at this very moment, the answer may have been decided before.
    if (stands || end?.atMs === timeline.nowMs) return;
    if (!this.#endedUnseen(call, first)) {
      this.#violate('a first try that failed blocks nobody', `call ${call.number}, ${id}`);
    }
  }

  /**
   * Whether this life ended the delivery and the store accepted that. If the store refused the end, the delivery is
   * open for all machines.
   */
  #hasWritten(first: DeliveryRecord, life: number): boolean {
    const { fleet } = this.#parts.journal;
    if (first.seenEnd?.life !== life) return false;
    const isRefused = isGhost(first) || fleet?.wasDeclaredDead(life, first.acceptedAtMs) === true;
    return fleet === undefined || !isRefused;
  }

  /**
   * Whether the delivery was open when the call came, and another machine ended it while this one could not read the
   * store, or stood still.
   */
  #endedUnseen({ life, startedAtMs }: CallRecord, { final }: DeliveryRecord): boolean {
    const { journal, weather, timeline } = this.#parts;
    if (journal.fleet === undefined || final === undefined || final.life === life) return false;
    const nowMs = timeline.nowMs;
    const wasStopped = journal.fleet.wasStopped(life, startedAtMs, nowMs);
    const isCrossing = nowMs - final.atMs < CROSSING_MS;
    const couldNotRead = isCrossing || wasStopped || hadDiskTrouble(weather, startedAtMs, nowMs);
    return final.atMs >= startedAtMs && couldNotRead;
  }

  #mustBeTrue(call: CallRecord, code: ErrorCode, delivery: DeliveryRecord | undefined): void {
    if (code === 'internal' && !this.#hasThrown(call, delivery)) {
      this.#violate('no mistakes of our own', `call ${call.number}`);
    }
    if (code === 'store_unavailable') this.#mustBeSick(call, code);
    if (code === 'provider_unavailable') this.#mustBeOld(call);
    if (code === 'token_throttled') this.#mustBeHeld(call);
    if (WITHOUT_DELIVERY.has(code) && delivery !== undefined && !call.isQuestion) {
      this.#violate('what is refused leaves no row', `call ${call.number}: ${code}`);
    }
  }

  /** Whether an adapter threw, for this call or for the one that it repeats. */
  #hasThrown({ key }: CallRecord, own: DeliveryRecord | undefined): boolean {
    const all = [...(this.#byKey.get(key) ?? []), ...(own === undefined ? [] : [own])];
    return all.some(({ attempts }) => attempts.some(({ hasThrown }) => hasThrown === true));
  }

  /** A young outage is no reason to refuse a call. */
  #mustBeOld(call: CallRecord): void {
    const { journal, timeline } = this.#parts;
    const provider = providerFor(call.platform, call.token);
    const heardAtMs = journal.lastHeardAtMs(call.life, provider) ?? 0;
    if (timeline.nowMs - heardAtMs >= OLD_OUTAGE_MS) return;
    // The provider was heard of while the store was asked whether the call is a repeat: a shared store is asked first,
    // whatever state the provider is in.
    if (journal.fleet !== undefined && heardAtMs >= call.startedAtMs) return;
    this.#violate('nobody is refused in a young outage', `call ${call.number}`);
  }

  #mustBeHeld(call: CallRecord): void {
    const { journal, timeline } = this.#parts;
    const tokenHash = tokenHashOf(call.token);
    const holds = journal.allHolds.filter((hold) => hold.tokenHash === tokenHash);
    if (holds.some(({ untilMs }) => untilMs > timeline.nowMs)) return;
    // After a restart a hold ends by the wall clock.
    if (holds.some(({ setAtMs }) => journal.hasJumped(setAtMs))) return;
    this.#violate('only a token that is held back is refused as such', `call ${call.number}`);
  }

  #mustBeSick(call: CallRecord, what: string): void {
    const { weather, timeline } = this.#parts;
    if (hadDiskTrouble(weather, call.startedAtMs, timeline.nowMs)) return;
    this.#violate(
      'only a failing store is answered store_unavailable',
      `call ${call.number}: ${what}`,
    );
  }

  #violate(rule: string, detail: string): void {
    this.#parts.journal.violate(rule, detail);
  }
}

/** Whether it ended without being delivered, according to its process or to the database. */
export function hasFailed({ final, seenEnd, call }: DeliveryRecord): boolean {
  if (final?.status === 'delivered') return false;
  const end = seenEnd ?? final;
  if (end !== undefined) return end.status !== 'delivered';
  return call?.told?.status === 'refused';
}

/** Its caller was told that a failing store could not keep it; a late answer may have proved it since. */
function wasNotKept({ call, isStored }: DeliveryRecord): boolean {
  return call?.told?.status === 'refused' && !isStored;
}

/** Its provider reported that it took the push, in time or late. */
function isProven({ attempts }: DeliveryRecord, nowMs: number): boolean {
  return attempts.some(({ outcome, late }) => {
    const isLate = late?.outcome.kind === 'delivered' && late.atMs <= nowMs;
    return isLate || outcome?.kind === 'delivered';
  });
}
