// One attempt at a provider, and its report to the lane, the quarantine and the observers; a run, which is a delivery
// with its attempts and other proof that it arrived; and the clock's skew, which corrects when a push expires.

import type { Attempt, Delivery } from '../delivery.ts';
import type { Outcome } from '../outcome.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { PreparedPush, PushMessage, ReceiptKey } from '../ports/provider.ts';
import { type AssessmentParts, assess } from './assessment.ts';
import type { BreakerChange, Lane, Ticket } from './lane.ts';

export interface AttemptsParts extends AssessmentParts {
  readonly clock: Clock;
  readonly policy: Policy;
  readonly skew: Skew;
  /** What the push carries for its receipt. */
  readonly receipts?: ReceiptKeys | undefined;
  /** Called when a lane's breaker closes. */
  readonly onProviderBack: (lane: Lane) => void;
}

export interface ReceiptKeys {
  keyFor(delivery: Delivery, expiresAtUnixSeconds: number): ReceiptKey | undefined;
  /** A push is about to leave: the phone may get it, whatever the provider answers. */
  noteAttempt(delivery: Delivery): void;
}

export interface AttemptOptions {
  /** The place in flight; always given back here. */
  readonly ticket: Ticket;
  /** The push, if it was built already. */
  readonly push: PreparedPush | undefined;
  /** Called once if the provider took the push after the deadline of an unanswered attempt. */
  readonly onProof: (attempt: Attempt) => void;
}

export class Attempts {
  readonly #parts: AttemptsParts;

  constructor(parts: AttemptsParts) {
    this.#parts = parts;
  }

  /** Never rejects: an adapter that throws ends this delivery as a fault of ours. */
  async try(delivery: Delivery, lane: Lane, options: AttemptOptions): Promise<Attempt> {
    const { clock, policy, observer } = this.#parts;
    const { ticket, onProof } = options;
    const number = delivery.attempts + 1;
    const startedAtMs = clock.wallMs();
    const startMs = clock.nowMs();
    const ended = (outcome: Outcome): Attempt => {
      return { number, startedAtMs, latencyMs: Math.round(clock.nowMs() - startMs), outcome };
    };
    const isProbe = ticket.pass.probe !== undefined;
    let answer: Outcome;
    try {
      const push = options.push ?? lane.provider.prepare(this.messageOf(delivery));
      this.#parts.receipts?.noteAttempt(delivery);
      answer = await push.send({
        waitMs: policy.streamWaitMs,
        timeoutMs: isProbe ? policy.probeTimeoutMs : policy.attemptTimeoutMs,
        trust: ticket.trust,
        onLate: (outcome) => this.#hearLate(delivery, lane, { attempt: ended(outcome), onProof }),
      });
    } catch (cause) {
      lane.abandon(ticket);
      const { id } = delivery;
      observer.observe({ name: 'internal_fault', where: 'provider', deliveryId: id, cause });
      return this.#tell(delivery, ended(FAULT));
    }
    const { tokenHash } = delivery;
    const classified = lane.classify(answer, tokenHash);
    const change = lane.leave(ticket, { outcome: classified, tokenHash });
    const outcome = assess(this.#parts, { delivery, lane, outcome: classified });
    this.#tellBreaker(lane, change, outcome);
    if (change !== 'closed' && lane.isAcceptedAgain(outcome)) this.#parts.onProviderBack(lane);
    return this.#tell(delivery, ended(outcome));
  }

  /** Builds the message for this moment: the remaining lifetime shrinks with every attempt. */
  messageOf(delivery: Delivery): PushMessage {
    const { clock, skew, receipts } = this.#parts;
    const { target, notification } = delivery;
    const remainingMs = Math.max(0, delivery.expiresAtMs - clock.nowMs());
    const expiresAtMs = clock.wallMs() + skew.correctionMs + remainingMs;
    const expiresAtUnixSeconds = Math.floor(expiresAtMs / 1_000);
    return {
      id: delivery.id,
      platform: target.platform,
      token: target.token,
      appData: target.appData,
      type: notification.type,
      payload: notification.payload,
      title: notification.title,
      titleLocKey: notification.titleLocKey,
      remainingMs,
      expiresAtUnixSeconds,
      receipt: receipts?.keyFor(delivery, expiresAtUnixSeconds),
    };
  }

  /** The provider answered after the deadline, while the stream was left open. */
  #hearLate(
    delivery: Delivery,
    lane: Lane,
    late: { readonly attempt: Attempt; readonly onProof: (attempt: Attempt) => void },
  ): void {
    const { attempt } = late;
    const outcome = assess(this.#parts, { delivery, lane, outcome: attempt.outcome });
    this.#parts.observer.observe({
      name: 'late_answer',
      deliveryId: delivery.id,
      app: lane.app,
      provider: delivery.provider,
      sinceStartMs: attempt.latencyMs,
      outcome: outcome.kind,
    });
    this.#tellBreaker(lane, lane.hear(outcome), outcome);
    if (outcome.kind === 'delivered') late.onProof(attempt);
  }

  #tellBreaker(lane: Lane, change: BreakerChange, outcome: Outcome): void {
    if (change === undefined) return;
    this.#parts.observer.observe({
      name: 'breaker_changed',
      app: lane.app,
      provider: lane.provider.name,
      state: change === 'opened' ? 'open' : 'closed',
      ...('reason' in outcome ? { reason: outcome.reason } : {}),
    });
    if (change === 'closed') this.#parts.onProviderBack(lane);
  }

  #tell(delivery: Delivery, attempt: Attempt): Attempt {
    const { outcome } = attempt;
    this.#parts.observer.observe({
      name: 'attempt_ended',
      deliveryId: delivery.id,
      app: delivery.target.app,
      provider: delivery.provider,
      type: delivery.notification.type,
      number: attempt.number,
      latencyMs: attempt.latencyMs,
      outcome: outcome.kind,
      ...('reason' in outcome ? { reason: outcome.reason } : {}),
    });
    return attempt;
  }
}

/** Proof that a push arrived: the provider's late answer to an attempt, or a reply or receipt from the phone. */
export interface Proof {
  /** Those that the provider took, in the order of their numbers. */
  readonly attempts: readonly Attempt[];
  readonly reason?: 'receipt' | undefined;
}

export const BY_PHONE: Proof = { attempts: [], reason: 'receipt' };

/**
 * One delivery while it is being sent. Others change it from outside: a late answer or the phone proves an
 * earlier attempt, a repeat of the call gives the delivery a new lifetime.
 */
export class Run {
  readonly #proof = Promise.withResolvers<Proof>();
  #provenBy: Proof | undefined;
  #expiresAtMs: number | undefined;
  /** Writes the attempt that was under way when the delivery was proven, and the proof, to the log. */
  recording: Promise<void> | undefined;
  #isLost = false;

  /** Service time; the delivery has been leased since then, or a little longer. */
  readonly beganAtMs: number;

  constructor(beganAtMs: number) {
    this.beganAtMs = beganAtMs;
  }

  /** Resolves with proof that the phone got the push; never rejects, and may never resolve. */
  get proof(): Promise<Proof> {
    return this.#proof.promise;
  }

  get provenBy(): Proof | undefined {
    return this.#provenBy;
  }

  /** The store said that another machine has the delivery, or that it has ended. */
  get isLost(): boolean {
    return this.#isLost;
  }

  lose(): void {
    this.#isLost = true;
  }

  prove(proof: Proof): void {
    if (this.#provenBy !== undefined) return;
    this.#provenBy = proof;
    this.#proof.resolve(proof);
  }

  /** From now on the delivery's lifetime ends at `expiresAtMs`, service time. */
  renew(expiresAtMs: number): void {
    this.#expiresAtMs = expiresAtMs;
  }

  /** The delivery with the lifetime that it has now. */
  current(delivery: Delivery): Delivery {
    return this.#expiresAtMs === undefined
      ? delivery
      : { ...delivery, expiresAtMs: this.#expiresAtMs };
  }
}

/** A mistake of ours, which says nothing about the provider. */
const FAULT: Outcome = { kind: 'rejected', reason: 'internal_error', blame: 'message' };

/** The header counts whole seconds and an answer takes its time; less than this is no skew. */
const SKEW_TOLERANCE_MS = 5_000;

/**
 * How far this machine's clock is from Google's, measured by the Date header of Google's answers. A clock a minute
 * behind would make APNs store nothing, in silence, because `apns-expiration` had passed.
 */
export class Skew {
  readonly #clock: Clock;
  #measuredMs = 0;
  /** When it was measured: wall time less service time, which nobody sets. */
  #wallAheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Google's answer, read now, carried this time (Unix milliseconds). */
  note(serverUnixMs: number): void {
    const wallMs = this.#clock.wallMs();
    this.#measuredMs = serverUnixMs - wallMs;
    this.#wallAheadMs = wallMs - this.#clock.nowMs();
  }

  /** Milliseconds to add to this machine's wall time to get the true time; 0 within the tolerance. */
  get correctionMs(): number {
    const { offsetMs } = this;
    return Math.abs(offsetMs) > SKEW_TOLERANCE_MS ? offsetMs : 0;
  }

  /**
   * How far Google's clock is ahead of this machine's; 0 before the first measurement. A wall clock that is set back
   * after it needs no other answer. One that is set forward looks like a suspension: service time follows it within a
   * second, and the skew stays until the next answer. Nothing beyond what was measured is believed meanwhile.
   */
  get offsetMs(): number {
    const setByMs = this.#clock.wallMs() - this.#clock.nowMs() - this.#wallAheadMs;
    const left = this.#measuredMs - setByMs;
    return this.#measuredMs < 0
      ? Math.min(0, Math.max(this.#measuredMs, left))
      : Math.max(0, Math.min(this.#measuredMs, left));
  }

  /** What readiness says about it. */
  get detail(): string | undefined {
    const { correctionMs } = this;
    if (correctionMs === 0) return undefined;
    const seconds = Math.round(Math.abs(correctionMs) / 1_000);
    const direction = correctionMs > 0 ? 'behind' : 'ahead of';
    return `the clock of this machine is ${seconds} s ${direction} Google's: synchronise it`;
  }
}
