// What no try may do when it begins: come after an end, a second time, against a hold, or too soon. Each rule names what
// excuses an exception: the end of a process, an end that nobody can be sure of, a disk that failed. Nothing else does.

import { usefulUntilMs } from '../../src/core/notification.ts';
import { tokenHashOf } from './ids.ts';
import {
  type AttemptRecord,
  type DeliveryRecord,
  isGhost,
  isUnanswered,
  isUncertain,
} from './journal.ts';
import { LAST_MOMENT_MS, type RulesParts } from './rules.ts';
import { hadDiskTrouble } from './weather.ts';

/** How long an orderly stop may take. */
const STOP_MS = 6_000;
/** A Retry-After counts up to this: an outage is probed more often than its provider wishes. */
const LONGEST_RETRY_AFTER_MS = 10_000;
const UNANSWERED_WAIT_MS = 10_000;
const MAX_UNANSWERED = 4;
/** Machines do not know the database's time better. */
const CLOCKS_MS = 100;
/** Nor better than by half of an answer's way, where that is slow. */
const CLOCKS_WHILE_SLOW_MS = 1_500;
/** The answer of a claim, or of the end of an attempt that is followed by one more at once. */
const CROSSING_MS = 50;
/** For a place in flight. */
const LONGEST_WAIT_MS = 4_000;
/** Timers run in whole steps of the clock. */
const TOLERANCE_MS = 2;

export class AttemptRules {
  readonly #parts: RulesParts;

  constructor(parts: RulesParts) {
    this.#parts = parts;
  }

  /** A try begins. `serviceMs` is the process's time, `inFlight` what else it has at this provider. */
  started(attempt: AttemptRecord, serviceMs: number, inFlight: readonly AttemptRecord[]): void {
    const { delivery, probeOf } = attempt;
    const { id, final } = delivery;
    if (final !== undefined && !this.#isEndedElsewhere(attempt)) {
      this.#violate('nothing is sent after its end', `${id} was ${final.status}`);
    }
    const leftMs = usefulUntilMs(delivery.expiresMs, delivery.lifetimeMs) - serviceMs;
    if (leftMs < -this.#clocksMs(delivery)) {
      this.#violate('nothing is sent after its useful life', `${id} by ${-leftMs} ms`);
    }
    this.#mustNotBelie(attempt);
    this.#mustRespectHold(attempt);
    this.#mustBeFew(attempt);
    for (const earlier of delivery.attempts) this.#mayFollow(earlier, attempt, leftMs);
    const isLast = leftMs <= LAST_MOMENT_MS + this.#clocksMs(delivery);
    const isSecondProbe = inFlight.some(
      (other) => other.probeOf === probeOf && other.isLastMoment !== true,
    );
    attempt.isLastMoment = isLast;
    if (probeOf !== undefined && !isLast && isSecondProbe) {
      this.#violate('an open breaker lets one probe through', id);
    }
    if (inFlight.some((other) => other.delivery === delivery)) {
      this.#violate('a delivery is sent once at a time', id);
    }
    this.#mustBeAlone(attempt);
  }

  /** By how much machines that share a store may see a delivery's end at other times. */
  #clocksMs({ acceptedAtMs }: DeliveryRecord): number {
    const { journal, weather, timeline } = this.#parts;
    if (journal.fleet === undefined) return 0;
    const wasSlow = hadDiskTrouble(weather, acceptedAtMs, timeline.nowMs);
    return wasSlow ? CLOCKS_WHILE_SLOW_MS : CLOCKS_MS;
  }

  /** The end came from another machine while this one was sending, or about to. */
  #isEndedElsewhere({ delivery, life }: AttemptRecord): boolean {
    const { journal, timeline } = this.#parts;
    const { final, attempts } = delivery;
    if (journal.fleet === undefined || final === undefined || final.life === life) return false;
    const lastEndedAtMs = attempts.findLast((one) => one.life === life)?.endedAtMs ?? 0;
    // While it waited for its place, which a machine that runs lets it do for so long.
    const wasStopped = journal.fleet.wasStopped(life, final.atMs, timeline.nowMs);
    const hasWaited = lastEndedAtMs < final.atMs && !wasStopped;
    const allowedMs = hasWaited ? LONGEST_WAIT_MS : CROSSING_MS;
    return timeline.nowMs - Math.max(final.atMs, lastEndedAtMs) < allowedMs;
  }

  /** Two machines send a delivery at once only if one was thought dead after it began. */
  #mustBeAlone({ delivery, life }: AttemptRecord): void {
    const { journal } = this.#parts;
    if (journal.fleet === undefined || delivery.isUnclaimed === true || isGhost(delivery)) return;
    const other = delivery.attempts.find(
      (one) =>
        one.life !== life &&
        one.endedAtMs === undefined &&
        !journal.ends.has(one.life) &&
        !this.#wasLost(one),
    );
    if (other === undefined) return;
    this.#violate(
      'one machine at a time sends a delivery',
      `${delivery.id}, ${other.life}, ${life}`,
    );
  }

  /** Others called its machine dead since. */
  #wasLost({ life, startedAtMs }: AttemptRecord): boolean {
    return this.#parts.journal.fleet?.wasDeclaredDead(life, startedAtMs) === true;
  }

  /** Who was refused may have let go of the payment: no push follows, but where the store was to blame. */
  #mustNotBelie({ delivery, life }: AttemptRecord): void {
    const { call } = delivery;
    if (call === undefined || call.isQuestion || call.told?.status !== 'refused') return;
    if (life !== delivery.life || isGhost(delivery)) return;
    // The store took no end from a machine that others called dead: the delivery is everybody's, also its own.
    if (this.#parts.journal.fleet?.wasDeclaredDead(life, delivery.acceptedAtMs) === true) return;
    if (call.told.code === 'store_unavailable') return;
    this.#violate('a refusal hides no later push', `${delivery.id} after ${call.told.code}`);
  }

  /** A token's own hold survives everything but a death before it was written. */
  #mustRespectHold({ delivery, life }: AttemptRecord): void {
    const { journal, timeline, weather } = this.#parts;
    const hold = journal.holds.get(tokenHashOf(delivery.token));
    if (hold === undefined || hold.untilMs <= timeline.nowMs + TOLERANCE_MS) return;
    if ((journal.pardonsAtMs.get(hold.provider) ?? 0) >= hold.setAtMs) return;
    const isElsewhere = hold.life !== life;
    if (journal.fleet !== undefined && isElsewhere) {
      // Another machine hears of it with the key that it claims, and of nothing else.
      const { call, isUnclaimed, acceptedAtMs, attempts } = delivery;
      const hasClaimed = call?.isQuestion === false && isUnclaimed !== true;
      const isFirst = delivery.life === life && attempts.length === 0;
      if (!hasClaimed || !isFirst || acceptedAtMs < hold.setAtMs + STOP_MS) return;
      if (hadDiskTrouble(weather, hold.setAtMs, acceptedAtMs)) return;
      if (hold.untilMs <= timeline.nowMs + this.#clocksMs(delivery)) return;
    } else if (isElsewhere) {
      const endedAtMs = journal.ends.get(hold.life)?.atMs ?? 0;
      if (endedAtMs < hold.setAtMs + STOP_MS) return;
      if (hadDiskTrouble(weather, hold.setAtMs, endedAtMs)) return;
      // Over a restart a hold ends by the wall clock.
      if (journal.hasJumped(hold.setAtMs)) return;
    }
    const leftMs = hold.untilMs - timeline.nowMs;
    this.#violate('a token that is held back is not asked for', `${delivery.id}: ${leftMs} ms`);
  }

  /** Four pushes that the phone may have got, ten seconds after the second; two of a slow provider. */
  #mustBeFew({ delivery, life }: AttemptRecord): void {
    if (isGhost(delivery)) return;
    // The record of what it was sending when others called it dead is refused: that is the one double.
    const earlier = delivery.attempts.filter(
      (attempt) => attempt.life === life && !this.#wasLost(attempt),
    );
    const unanswered = earlier.filter(isUnanswered);
    if (Math.max(unanswered.length, delivery.unansweredLogged) >= MAX_UNANSWERED) {
      this.#violate('four unanswered tries are the last', delivery.id);
    }
    const isSlow = unanswered.filter(({ late }) => late?.outcome.kind === 'delivered').length >= 2;
    if (isSlow) this.#violate('a slow provider costs two pushes', delivery.id);
    const last = earlier.at(-1);
    if (last?.endedAtMs === undefined || !isUnanswered(last) || unanswered.length < 2) return;
    const waitedMs = this.#parts.timeline.nowMs - last.endedAtMs;
    if (waitedMs < UNANSWERED_WAIT_MS - TOLERANCE_MS) {
      this.#violate('after two unanswered tries the next waits', `${delivery.id}: ${waitedMs} ms`);
    }
  }

  /**
   * Another life may repeat what died with an earlier one; what a life heard the end of before it stopped
   * in order, it has written.
   */
  #mayRepeat(earlier: AttemptRecord): boolean {
    const { journal, weather, timeline } = this.#parts;
    const end = journal.ends.get(earlier.life);
    if (end === undefined && journal.fleet !== undefined) {
      const { startedAtMs, delivery } = earlier;
      const isKnown = delivery.isUnclaimed !== true && !this.#wasLost(earlier);
      return !isKnown || hadDiskTrouble(weather, startedAtMs, timeline.nowMs);
    }
    if (end === undefined || end.kind === 'crash' || earlier.endedAtMs === undefined) return true;
    return hadDiskTrouble(weather, earlier.endedAtMs, end.atMs + STOP_MS);
  }

  #mayFollow(earlier: AttemptRecord, next: AttemptRecord, leftMs: number): void {
    if (isGhost(next.delivery)) return;
    if (earlier.life !== next.life && this.#mayRepeat(earlier)) return;
    const { id } = next.delivery;
    const { outcome, understood } = earlier;
    // What a machine heard before others called it dead is in no row: it, too, takes such a delivery up as it finds it.
    const isKnown = understood === 'delivered' || !this.#wasLost(earlier);
    const isPermanent = understood !== undefined && understood !== 'retry' && isKnown;
    if (isPermanent && !(understood === 'misconfigured' && isPromised(next.delivery, earlier))) {
      this.#violate('a permanent outcome is never retried', `${id} was ${understood}`);
    }
    if (earlier.takenAtMs !== undefined && !isUncertain(outcome)) {
      this.#violate('nothing is pushed twice without doubt', id);
    }
    if (earlier.life === next.life) this.#mustWait(earlier, next, leftMs);
  }

  /**
   * Retry-After holds up to ten seconds, but in an outage: a probe is whatever waits for the provider, whose
   * own Retry-After the breaker keeps; at its end, and when refused credentials are accepted again, everything
   * that waits is due; and the last useful moment and a repeat of the call do not wait.
   */
  #mustWait(earlier: AttemptRecord, next: AttemptRecord, leftMs: number): void {
    const { outcome, endedAtMs, provider } = earlier;
    if (outcome?.kind !== 'retry' || outcome.retryAfterMs === undefined) return;
    if (endedAtMs === undefined || next.probeOf !== undefined || leftMs <= LAST_MOMENT_MS) return;
    // What it heard is in no row.
    if (this.#wasLost(earlier)) return;
    const { timeline, journal } = this.#parts;
    const waitedMs = timeline.nowMs - endedAtMs;
    // As a probe meanwhile it had a try of its own, whose end plans the next one.
    const meanwhile = next.delivery.attempts.filter((one) => one.startedAtMs > endedAtMs);
    if (meanwhile.some(({ probeOf }) => probeOf !== undefined)) return;
    const mustMs = Math.min(outcome.retryAfterMs, LONGEST_RETRY_AFTER_MS);
    if (waitedMs >= mustMs - TOLERANCE_MS) return;
    // What one machine makes due is due for all.
    const lives = journal.fleet === undefined ? [next.life] : journal.begins.keys();
    if (journal.outages.hadRecovery(lives, provider, endedAtMs)) return;
    if ((journal.hastenedAtMs.get(provider) ?? -1) >= endedAtMs) return;
    if ((next.delivery.renewedAtMs ?? 0) >= earlier.startedAtMs) return;
    this.#violate('Retry-After is waited for', `${next.delivery.id}: ${waitedMs} of ${mustMs} ms`);
  }

  #violate(rule: string, detail: string): void {
    this.#parts.journal.violate(rule, detail);
  }
}

/** What was told queued, or is nobody's call any more, is kept while the credentials are wrong. */
/** Its caller was told `queued`, or that of a repeat `duplicate`. */
function isPromised(delivery: DeliveryRecord, earlier: AttemptRecord): boolean {
  const { call, life, renewedAtMs } = delivery;
  if (call === undefined || renewedAtMs !== undefined || earlier.life !== life) return true;
  return call.told?.status === 'queued' || call.isQuestion;
}
