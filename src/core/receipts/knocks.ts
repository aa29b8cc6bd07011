// The second knock: one more push of a race whose phone should have sent a receipt by now. Its plan is kept in memory,
// so a restart forgets it. It is recorded before it leaves, so that no delivery is knocked twice.

import type { CurrentRules } from '../app-rules.ts';
import type { Delivery } from '../delivery.ts';
import { usefulUntilMs } from '../notification.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer } from '../ports/observer.ts';
import type { PreparedPush, PushMessage, ReceiptKey } from '../ports/provider.ts';
import { NOT_SENT, type PushRecord, type ReceiptStore } from '../ports/receipts.ts';
import { Attempts, type AttemptsParts } from '../sending/attempts.ts';
import type { Lane } from '../sending/lane.ts';
import type { Ledger } from '../sending/ledger.ts';
import { Recent } from '../tokens/recent.ts';
import { answeredOf, knockRefusal, overdueAfterMs } from './history.ts';
import type { Pulse } from './pulse.ts';

/** A phone that replied, or got a push, this recently may still be at work. */
const QUIET_MS = 30_000;
const MAX_WATCHED = 20_000;
const MAX_PHONES = 50_000;

export interface KnocksParts extends AttemptsParts {
  readonly rules: CurrentRules;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly ledger: Ledger;
  readonly store: ReceiptStore;
  readonly pulse: Pulse;
  readonly observer: Observer;
}

/** A race that the provider took, until its lifetime is over. */
interface Watch {
  readonly delivery: Delivery;
  readonly lane: Lane;
  readonly receipt: ReceiptKey;
  readonly acceptedAtMs: number;
  /** The timers of the knock and of the end of the lifetime. */
  timer: Timer | undefined;
  endTimer: Timer | undefined;
  isWoken: boolean;
  isKnocked: boolean;
}

/** When this process last got a sign of life from a phone, and the newest races that it sent there. Service time. */
interface Phone {
  heardAtMs: number;
  races: readonly { readonly deliveryId: string; readonly atMs: number }[];
}

export class Knocks {
  readonly #parts: KnocksParts;
  readonly #attempts: Attempts;
  readonly #watches = new Map<string, Watch>();
  readonly #phones = new Recent<Phone>(MAX_PHONES);
  #stopped = false;

  constructor(parts: KnocksParts) {
    this.#parts = parts;
    this.#attempts = new Attempts(parts);
  }

  /** Races that are watched now. */
  get watching(): number {
    return this.#watches.size;
  }

  /** The provider took a race. Must be called before its receipt can be processed: a phone may be quick. */
  watch(delivery: Delivery, lane: Lane, receipt: ReceiptKey): void {
    if (this.#stopped || this.#watches.size >= MAX_WATCHED) return;
    const acceptedAtMs = this.#parts.clock.nowMs();
    this.notePush(delivery);
    this.#watches.set(delivery.id, {
      ...{ delivery, lane, receipt, acceptedAtMs },
      ...{ timer: undefined, endTimer: undefined, isWoken: false, isKnocked: false },
    });
  }

  /** The log knows the push and the phone's history: a knock is planned if it may be needed. */
  plan(deliveryId: string, { history, isAnswered, isKnocked }: PushRecord): void {
    const watch = this.#watches.get(deliveryId);
    if (watch === undefined) return;
    watch.isWoken ||= isAnswered;
    watch.isKnocked ||= isKnocked;
    const { clock } = this.#parts;
    const { answered, pushes } = answeredOf(history);
    const endsInMs = Math.max(0, watch.delivery.expiresAtMs - clock.nowMs());
    const expected = history.hasStarted && pushes > 0 ? answered / pushes : 0;
    watch.endTimer = clock.after(endsInMs, () => void this.#end(watch, expected));
    const isRefused = knockRefusal(history, clock.wallMs()) !== undefined;
    if (!this.#isAllowed(watch) || watch.isWoken || watch.isKnocked || isRefused) return;
    this.#wakeAt(watch, watch.acceptedAtMs + overdueAfterMs(history));
  }

  /** No receipt is expected for this delivery. */
  forget(deliveryId: string): void {
    const watch = this.#watches.get(deliveryId);
    watch?.timer?.cancel();
    watch?.endTimer?.cancel();
    this.#watches.delete(deliveryId);
  }

  /** A receipt or a reply came for this delivery. */
  woke(deliveryId: string): void {
    const watch = this.#watches.get(deliveryId);
    if (watch === undefined) return;
    watch.isWoken = true;
    watch.timer?.cancel();
    this.heard(watch.delivery.tokenHash);
  }

  /** The phone gave a sign of life. */
  heard(tokenHash: string): void {
    const races = this.#phones.get(tokenHash)?.races ?? [];
    this.#phones.use(tokenHash, { heardAtMs: this.#parts.clock.nowMs(), races });
  }

  stop(): void {
    this.#stopped = true;
    for (const deliveryId of [...this.#watches.keys()]) this.forget(deliveryId);
  }

  /** Whether a second knock of this delivery has left; undefined if it is not watched. */
  hasKnocked(deliveryId: string): boolean | undefined {
    return this.#watches.get(deliveryId)?.isKnocked;
  }

  /** A race leaves for this phone, or the provider took it. */
  notePush({ id, tokenHash }: Delivery): void {
    const atMs = this.#parts.clock.nowMs();
    const phone = this.#phones.get(tokenHash);
    const others = (phone?.races ?? []).filter(({ deliveryId }) => deliveryId !== id);
    // Two are enough to find one that is not this delivery.
    const races = [...others.slice(-1), { deliveryId: id, atMs }];
    const heardAtMs = phone?.heardAtMs ?? Number.NEGATIVE_INFINITY;
    this.#phones.use(tokenHash, { heardAtMs, races });
  }

  #wakeAt(watch: Watch, atMs: number): void {
    if (atMs > usefulEndOf(watch)) return;
    const delayMs = Math.max(0, atMs - this.#parts.clock.nowMs());
    watch.timer = this.#parts.clock.after(delayMs, () => this.#consider(watch));
  }

  #consider(watch: Watch): void {
    if (!this.#mayKnock(watch)) return;
    const quietAtMs = this.#quietAtMs(watch.delivery);
    if (quietAtMs > this.#parts.clock.nowMs()) this.#wakeAt(watch, quietAtMs);
    else void this.#tryKnock(watch);
  }

  #mayKnock(watch: Watch): boolean {
    const { clock, quarantine, pulse } = this.#parts;
    const { tokenHash } = watch.delivery;
    const nowMs = clock.nowMs();
    // A reload may have forbidden it since it was planned.
    const isOver =
      this.#stopped || !this.#isAllowed(watch) || watch.isWoken || nowMs > usefulEndOf(watch);
    const isRefused =
      quarantine.find(tokenHash) !== undefined || quarantine.findHold(tokenHash) !== undefined;
    return !isOver && !isRefused && !watch.lane.isOpen && !pulse.hasFallen(nowMs);
  }

  #isAllowed({ delivery }: Watch): boolean {
    const { hasReceipts, hasSecondKnock } = this.#parts.rules.of(delivery.target.app);
    return hasReceipts && hasSecondKnock;
  }

  /** When the phone has had enough quiet time for a second knock. */
  #quietAtMs({ id, tokenHash }: Delivery): number {
    const phone = this.#phones.get(tokenHash);
    if (phone === undefined) return Number.NEGATIVE_INFINITY;
    const others = phone.races.filter(({ deliveryId }) => deliveryId !== id);
    return Math.max(phone.heardAtMs, ...others.map(({ atMs }) => atMs)) + QUIET_MS;
  }

  /** Never rejects: an adapter that throws ends this knock as a fault of ours. */
  async #tryKnock(watch: Watch): Promise<void> {
    try {
      await this.#knock(watch);
    } catch (cause) {
      const { id: deliveryId } = watch.delivery;
      this.#parts.observer.observe({
        name: 'internal_fault',
        where: 'receipts',
        deliveryId,
        cause,
      });
    }
  }

  async #knock(watch: Watch): Promise<void> {
    const { clock, ids, ledger, store, observer } = this.#parts;
    const { delivery, lane, receipt } = watch;
    const { id: deliveryId } = delivery;
    const message: PushMessage = {
      ...this.#attempts.messageOf(delivery),
      id: ids.deliveryId(),
      collapseId: deliveryId,
      receipt: { ...receipt, n: 2 },
    };
    const push = lane.provider.prepare(message);
    if (push.lacksReceipt === true) return;
    const record = () => store.recordKnock({ deliveryId, atMs: clock.wallMs() });
    if ((await ledger.beside('record_knock', record, deliveryId)) !== true) return;
    const outcome = await this.#push(watch, push);
    const { app, platform } = delivery.target;
    if (outcome !== NOT_SENT) {
      observer.observe({ name: 'knock_sent', deliveryId, app, platform, outcome });
    }
    const recordEnd = () => store.recordKnockOutcome({ deliveryId, outcome });
    await ledger.beside('record_knock', recordEnd, deliveryId);
  }

  /** Sends the knock and returns the outcome. Writing to the log took time, so all conditions are checked again. */
  async #push(watch: Watch, push: PreparedPush): Promise<string> {
    const { clock, quarantine } = this.#parts;
    const { delivery, lane } = watch;
    const isQuiet = this.#quietAtMs(delivery) <= clock.nowMs();
    if (!isQuiet || !this.#mayKnock(watch)) return NOT_SENT;
    const trust = quarantine.trustOf(delivery.tokenHash);
    const ticket = await lane.enter(trust, { waitMs: 0 });
    if (ticket === undefined) return NOT_SENT;
    if (watch.isWoken) {
      lane.abandon(ticket);
      return NOT_SENT;
    }
    watch.isKnocked = true;
    this.notePush(delivery);
    const options = { ticket, push, onProof: () => {} };
    const attempt = await this.#attempts.try(delivery, lane, options);
    return attempt.outcome.kind;
  }

  /** The lifetime is over. Never rejects. */
  async #end(watch: Watch, expected: number): Promise<void> {
    const { clock, ledger, store, pulse, observer } = this.#parts;
    const { id: deliveryId, target, tokenHash } = watch.delivery;
    if (this.#watches.get(deliveryId) === watch) this.forget(deliveryId);
    const came = watch.isWoken || (expected > 0 && (await this.#hasCome(deliveryId)));
    if (came !== undefined) pulse.note(tokenHash, { atMs: clock.nowMs(), expected, came });
    if (!watch.isKnocked || watch.isWoken) return;
    const isHeld = !pulse.hasFallen(clock.nowMs());
    const record = () => store.recordUselessKnock({ deliveryId, atMs: clock.wallMs(), isHeld });
    const isUseless = await ledger.beside('record_knock', record, deliveryId);
    if (isUseless !== true) return;
    const { app, platform } = target;
    observer.observe({ name: 'knock_judged', deliveryId, app, platform, result: 'useless' });
  }

  /** Whether a receipt or a reply came to another machine; undefined if the log does not say. */
  async #hasCome(deliveryId: string): Promise<boolean | undefined> {
    try {
      const wake = await this.#parts.store.findWake(deliveryId);
      return wake !== undefined && (wake.receipts.length > 0 || wake.answeredAtMs !== undefined);
    } catch {
      // An unknown result is not counted.
      return undefined;
    }
  }
}

function usefulEndOf({ delivery }: Watch): number {
  return usefulUntilMs(delivery.expiresAtMs, delivery.notification.lifetimeMs);
}
