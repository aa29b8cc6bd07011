// Rules for the moment when a try begins: it must not come after the delivery's end, a second time, against a hold, or
// too soon. Each rule names what excuses an exception, such as the end of a process, an uncertain outcome or a disk
// that failed. There are no other excuses.

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
/** A longer Retry-After counts as this: an outage is probed more often than its provider wishes. */
const LONGEST_RETRY_AFTER_MS = 10_000;
const UNANSWERED_WAIT_MS = 10_000;
const MAX_UNANSWERED = 4;
/** Machines do not know the database's time more precisely. */
const CLOCKS_MS = 100;
/** If answers are slow, they know it only to within half of an answer's way. */
const CLOCKS_WHILE_SLOW_MS = 1_500;
/** While the answer to a claim is on its way, or that to the end of an attempt after which one more starts at once. */
const CROSSING_MS = 50;
/** How long a delivery waits for a place in flight. */
const LONGEST_WAIT_MS = 4_000;
/** Timers run in whole steps of the clock. */
const TOLERANCE_MS = 2;

export class AttemptRules {
  readonly #parts: RulesParts;

  constructor(parts: RulesParts) {
    this.#parts = parts;
  }

  /**
   * Called when a try begins. `serviceMs` is the process's time, `inFlight` the other tries that it has at this
   * provider.
   */
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

  /** How much the times of a delivery's end may differ between machines that share a store. */
  #clocksMs({ acceptedAtMs }: DeliveryRecord): number {
    const { journal, weather, timeline } = this.#parts;
    if (journal.fleet === undefined) return 0;
    const wasSlow = hadDiskTrouble(weather, acceptedAtMs, timeline.nowMs);
    return wasSlow ? CLOCKS_WHILE_SLOW_MS : CLOCKS_MS;
  }

  /** Whether another machine ended the delivery while this one was sending it, or about to. */
  #isEndedElsewhere({ delivery, life }: AttemptRecord): boolean {
    const { journal, timeline } = this.#parts;
    const { final, attempts } = delivery;
    if (journal.fleet === undefined || final === undefined || final.life === life) return false;
    const lastEndedAtMs = attempts.findLast((one) => one.life === life)?.endedAtMs ?? 0;
    // It ended while this machine waited for a place in flight, which a running machine does for this long at most.
    const wasStopped = journal.fleet.wasStopped(life, final.atMs, timeline.nowMs);
    const hasWaited = lastEndedAtMs < final.atMs && !wasStopped;
    const allowedMs = hasWaited ? LONGEST_WAIT_MS : CROSSING_MS;
    return timeline.nowMs - Math.max(final.atMs, lastEndedAtMs) < allowedMs;
  }

  /** Two machines send a delivery at the same time only if one was declared dead after its try began. */
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

  /** Whether other machines have declared its machine dead since. */
  #wasLost({ life, startedAtMs }: AttemptRecord): boolean {
    return this.#parts.journal.fleet?.wasDeclaredDead(life, startedAtMs) === true;
  }

  /** A caller who was refused may have cancelled the payment, so no push may follow, unless the store was the cause. */
  #mustNotBelie({ delivery, life }: AttemptRecord): void {
    const { call } = delivery;
    if (call === undefined || call.isQuestion || call.told?.status !== 'refused') return;
    if (life !== delivery.life || isGhost(delivery)) return;
    // The store took no end from a machine that was declared dead: any machine may send the delivery then, including
    // that one.
    if (this.#parts.journal.fleet?.wasDeclaredDead(life, delivery.acceptedAtMs) === true) return;
    if (call.told.code === 'store_unavailable') return;
    this.#violate('a refusal hides no later push', `${delivery.id} after ${call.told.code}`);
  }

  /** A token's own hold is lost only if the process dies before it is written. */
  #mustRespectHold({ delivery, life }: AttemptRecord): void {
    const { journal, timeline, weather } = this.#parts;
    const hold = journal.holds.get(tokenHashOf(delivery.token));
    if (hold === undefined || hold.untilMs <= timeline.nowMs + TOLERANCE_MS) return;
    if ((journal.pardonsAtMs.get(hold.provider) ?? 0) >= hold.setAtMs) return;
    const isElsewhere = hold.life !== life;
    if (journal.fleet !== undefined && isElsewhere) {
      // Another machine learns of the hold only with a key that it claims.
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
      // After a restart a hold ends by the wall clock.
      if (journal.hasJumped(hold.setAtMs)) return;
    }
    const leftMs = hold.untilMs - timeline.nowMs;
    this.#violate('a token that is held back is not asked for', `${delivery.id}: ${leftMs} ms`);
  }

  /**
   * At most four unanswered pushes, with ten seconds before the third and each later one; at most two to a slow
   * provider.
   */
  #mustBeFew({ delivery, life }: AttemptRecord): void {
    if (isGhost(delivery)) return;
    // A machine that was declared dead while it was sending cannot record that try, so the try does not count here.
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
   * Another life may repeat what was lost at the death of an earlier one. But if a life learned an outcome before it
   * stopped in order, it has written it.
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
    // What a machine learned before it was declared dead is in no row, so even that machine continues with the row as
    // it finds it.
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
   * Retry-After is respected up to ten seconds. Exceptions: during an outage any waiting delivery may be the probe, and
   * the breaker keeps the provider's own Retry-After; when the outage ends, or refused credentials are accepted again,
   * everything that waits is due; and the last useful moment and a repeat of the call do not wait.
   */
  #mustWait(earlier: AttemptRecord, next: AttemptRecord, leftMs: number): void {
    const { outcome, endedAtMs, provider } = earlier;
    if (outcome?.kind !== 'retry' || outcome.retryAfterMs === undefined) return;
    if (endedAtMs === undefined || next.probeOf !== undefined || leftMs <= LAST_MOMENT_MS) return;
    // Its outcome is in no row.
    if (this.#wasLost(earlier)) return;
    const { timeline, journal } = this.#parts;
    const waitedMs = timeline.nowMs - endedAtMs;
    // If it was a probe meanwhile, the end of that try plans the next one.
    const meanwhile = next.delivery.attempts.filter((one) => one.startedAtMs > endedAtMs);
    if (meanwhile.some(({ probeOf }) => probeOf !== undefined)) return;
    const mustMs = Math.min(outcome.retryAfterMs, LONGEST_RETRY_AFTER_MS);
    if (waitedMs >= mustMs - TOLERANCE_MS) return;
    // A recovery that one machine saw makes the deliveries of all machines due.
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

/**
 * A delivery is kept while the credentials are wrong if its caller, or that of a repeat, was promised a later try
 * (`queued` or `duplicate`), or if it has no call any more.
 */
function isPromised(delivery: DeliveryRecord, earlier: AttemptRecord): boolean {
  const { call, life, renewedAtMs } = delivery;
  if (call === undefined || renewedAtMs !== undefined || earlier.life !== life) return true;
  return call.told?.status === 'queued' || call.isQuestion;
}
