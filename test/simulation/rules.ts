// What must hold at every moment of a run. Each rule names what excuses an exception: the end of a process,
// an end that nobody can be sure of, a disk that failed. Nothing else does.

import { usefulUntilMs } from '../../src/core/delivery.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import { type ProviderName, providerFor } from '../../src/core/target.ts';
import {
  type AttemptRecord,
  type CallRecord,
  type DeliveryRecord,
  isGhost,
  isPermanent,
  isUncertain,
  type Journal,
  type Told,
} from './journal.ts';
import type { Life } from './life.ts';
import type { Timeline } from './timeline.ts';
import { hadDiskTrouble, type Weather, wasCalm } from './weather.ts';

/** The caller is told within five seconds; a question waits for the phone. */
const ANSWER_MS = 5_000;
const QUESTION_MS = 50_000;
/** A claim, a commit, a place; after an outage everything wants one at once. */
const LATE_MS = 4_000;
const TAKE_UP_MS = 5_000;
const FLOOD_AFTERMATH_MS = 30_000;
/** How long an orderly stop may take. */
const STOP_MS = 6_000;
const STORED_WINDOW_FROM_MS = 10 * 60_000;

/** Refusals before anything was accepted: they leave neither row nor push. */
const WITHOUT_DELIVERY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'overloaded',
  'rate_limited',
  'shutting_down',
]);

export interface RulesParts {
  readonly timeline: Timeline;
  readonly weather: Weather;
  readonly journal: Journal;
}

export class Rules {
  readonly #parts: RulesParts;
  /** Deliveries by type, device and key, newest last. */
  readonly #byKey = new Map<string, DeliveryRecord[]>();

  constructor(parts: RulesParts) {
    this.#parts = parts;
  }

  /** A notification was let in. `serviceMs` is the process's time. */
  accepted(delivery: DeliveryRecord, serviceMs: number): void {
    const { call } = delivery;
    if (call === undefined || call.isQuestion) return;
    const earlier = this.#byKey.get(call.key) ?? [];
    for (const first of earlier) this.#mustNotRepeat(first, delivery, serviceMs);
    earlier.push(delivery);
    this.#byKey.set(call.key, earlier);
  }

  /** The same notification is let in twice only if the first one failed, or nobody could know of it. */
  #mustNotRepeat(first: DeliveryRecord, second: DeliveryRecord, serviceMs: number): void {
    const { timeline, weather } = this.#parts;
    const windowMs = second.call?.windowMs ?? 0;
    if (first.receivedMs + windowMs <= serviceMs) return;
    if (hasFailed(first)) return;
    if (first.life === second.life) {
      this.#violate('a repeat is recognised', `${second.id} repeats ${first.id}`);
      return;
    }
    if (windowMs < STORED_WINDOW_FROM_MS || !first.isStored) return;
    if (hadDiskTrouble(weather, (second.call?.startedAtMs ?? 0) - 1, timeline.nowMs)) return;
    this.#violate('a stored key outlasts a restart', `${second.id} repeats ${first.id}`);
  }

  /** A try begins. `serviceMs` is the process's time, `inFlight` what else it has at this provider. */
  started(attempt: AttemptRecord, serviceMs: number, inFlight: readonly AttemptRecord[]): void {
    const { delivery } = attempt;
    const { id, final } = delivery;
    if (final !== undefined) {
      this.#violate('nothing is sent after its end', `${id} was ${final.status}`);
    }
    const until = usefulUntilMs(delivery.expiresMs, delivery.lifetimeMs);
    if (serviceMs > until) {
      this.#violate('nothing is sent after its useful life', `${id} by ${serviceMs - until} ms`);
    }
    this.#mustNotBelie(attempt);
    this.#mustBePunctual(attempt);
    for (const earlier of delivery.attempts) this.#mayFollow(earlier, attempt);
    const { probeOf } = attempt;
    if (probeOf !== undefined && inFlight.some((other) => other.probeOf === probeOf)) {
      this.#violate('an open breaker lets one probe through', id);
    }
    if (inFlight.some((other) => other.delivery === delivery)) {
      this.#violate('a delivery is sent once at a time', id);
    }
  }

  /** Who was refused may have let go of the payment: no push follows, but where the store was to blame. */
  #mustNotBelie({ delivery, life }: AttemptRecord): void {
    const { call } = delivery;
    if (call === undefined || call.isQuestion || call.told?.status !== 'refused') return;
    if (life !== delivery.life || isGhost(delivery)) return;
    if (call.told.code === 'store_unavailable') return;
    this.#violate('a refusal hides no later push', `${delivery.id} after ${call.told.code}`);
  }

  /** In good weather what is due goes out within seconds, and what an earlier life left at once. */
  #mustBePunctual({ delivery, life, provider }: AttemptRecord): void {
    const { due } = delivery;
    if (due === undefined || due.life !== life) return;
    this.#mustNotWait(delivery, { provider, life, dueAtMs: due.atMs });
  }

  #mustNotWait(
    delivery: DeliveryRecord,
    wait: { readonly provider: ProviderName; readonly life: number; readonly dueAtMs: number },
  ): void {
    const { timeline, weather, journal } = this.#parts;
    const { provider, life } = wait;
    const change = journal.lastBreakerChange(life, provider);
    if (change?.state === 'open') return;
    const dueAtMs = Math.max(wait.dueAtMs, change?.atMs ?? 0);
    const lateMs = timeline.nowMs - dueAtMs;
    if (lateMs <= LATE_MS || !wasCalm(weather.skies[provider], dueAtMs, timeline.nowMs)) return;
    if (hadDiskTrouble(weather, dueAtMs, timeline.nowMs)) return;
    if (weather.floodsAtMs.some((atMs) => Math.abs(atMs - dueAtMs) < FLOOD_AFTERMATH_MS)) return;
    this.#violate('what is due goes out', `${delivery.id}: ${lateMs} ms late`);
  }

  /** A life serves: what was open must be under way soon. */
  tookUp(life: Life): void {
    const { timeline, journal } = this.#parts;
    const beganAtMs = timeline.nowMs;
    const open = [...journal.deliveries.values()].filter(
      ({ isStored, final }) => isStored && final === undefined,
    );
    timeline.after(TAKE_UP_MS, () => {
      if (!life.isServing || journal.ends.has(life.number)) return;
      for (const delivery of open) {
        if (delivery.final !== undefined) continue;
        if (delivery.attempts.some((attempt) => attempt.life === life.number)) continue;
        if (delivery.due?.life === life.number) continue;
        const provider = providerFor(delivery.platform, delivery.token);
        this.#mustNotWait(delivery, { provider, life: life.number, dueAtMs: beganAtMs });
      }
    });
  }

  /**
   * Another life may repeat what died with an earlier one; what a life heard the end of before it stopped
   * in order, it has written.
   */
  #mayRepeat(earlier: AttemptRecord): boolean {
    const { journal, weather } = this.#parts;
    const end = journal.ends.get(earlier.life);
    if (end === undefined || end.kind === 'crash' || earlier.endedAtMs === undefined) return true;
    return hadDiskTrouble(weather, earlier.endedAtMs, end.atMs + STOP_MS);
  }

  #mayFollow(earlier: AttemptRecord, next: AttemptRecord): void {
    if (isGhost(next.delivery)) return;
    if (earlier.life !== next.life && this.#mayRepeat(earlier)) return;
    const { id } = next.delivery;
    const { outcome } = earlier;
    if (isPermanent(outcome)) {
      this.#violate('a permanent outcome is never retried', `${id} was ${outcome?.kind}`);
    }
    if (earlier.takenAtMs !== undefined && !isUncertain(outcome)) {
      this.#violate('nothing is pushed twice without doubt', id);
    }
    if (earlier.life === next.life) this.#mustWait(earlier, next);
  }

  /**
   * Retry-After holds but in an outage: a probe is whatever waits for the provider, whose own Retry-After
   * the breaker keeps; and at its end everything that waits is due.
   */
  #mustWait({ outcome, endedAtMs, provider }: AttemptRecord, next: AttemptRecord): void {
    if (outcome?.kind !== 'retry' || outcome.retryAfterMs === undefined) return;
    if (endedAtMs === undefined || next.probeOf !== undefined) return;
    const { timeline, journal } = this.#parts;
    const waitedMs = timeline.nowMs - endedAtMs;
    if (waitedMs >= outcome.retryAfterMs - 2) return;
    if (journal.hadRecovery(next.life, provider, endedAtMs)) return;
    this.#violate(
      'Retry-After is waited for',
      `${next.delivery.id}: ${waitedMs} of ${outcome.retryAfterMs} ms`,
    );
  }

  /** A process that stops in order answers whoever waits, as long as its disk lets it. */
  cutAtStop(call: CallRecord): void {
    const { weather, timeline } = this.#parts;
    if (hadDiskTrouble(weather, call.startedAtMs, timeline.nowMs)) return;
    this.#violate('a request in flight is answered', `call ${call.number}`);
  }

  told(call: CallRecord, told: Told): void {
    const { timeline, journal } = this.#parts;
    const tookMs = timeline.nowMs - call.startedAtMs;
    if (tookMs > (call.isQuestion ? QUESTION_MS : ANSWER_MS) + 1) {
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
        this.#mustBeTrue(call, told.code, delivery);
        break;
      case 'replied':
        break;
    }
  }

  /** A repeat may be told so only while the first one is delivered or may still be. */
  #mustStand(call: CallRecord, id: string): void {
    const first = this.#parts.journal.deliveries.get(id);
    if (first === undefined) {
      this.#violate('a duplicate names the first delivery', id);
      return;
    }
    const { timeline } = this.#parts;
    if (first.life === call.life && first.acceptedAtMs + call.windowMs <= call.startedAtMs) {
      this.#violate('a window ends', `call ${call.number} long after ${id}`);
    }
    const end = first.seenEnd?.life === call.life ? first.seenEnd : first.final;
    const stands = end === undefined ? first.isStored : end.status === 'delivered';
    // What ended in this very moment may have been told before.
    if (!stands && end?.atMs !== timeline.nowMs) {
      this.#violate('a first try that failed blocks nobody', `call ${call.number}, ${id}`);
    }
  }

  #mustBeTrue(call: CallRecord, code: ErrorCode, delivery: DeliveryRecord | undefined): void {
    if (code === 'internal') this.#violate('no mistakes of our own', `call ${call.number}`);
    if (code === 'store_unavailable') this.#mustBeSick(call, code);
    if (WITHOUT_DELIVERY.has(code) && delivery !== undefined && !call.isQuestion) {
      this.#violate('what is refused leaves no row', `call ${call.number}: ${code}`);
    }
  }

  #mustBeSick(call: CallRecord, what: string): void {
    const { weather, timeline } = this.#parts;
    if (hadDiskTrouble(weather, call.startedAtMs, timeline.nowMs)) return;
    this.#violate('only a sick store is told of', `call ${call.number}: ${what}`);
  }

  #violate(rule: string, detail: string): void {
    this.#parts.journal.violate(rule, detail);
  }
}

/** Ended without being delivered, as its process saw it or as the database has it. */
export function hasFailed({ final, seenEnd, call }: DeliveryRecord): boolean {
  const end = seenEnd ?? final;
  if (end !== undefined) return end.status !== 'delivered';
  return call?.told?.status === 'refused';
}
