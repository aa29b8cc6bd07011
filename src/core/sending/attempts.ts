// One attempt at a provider, and its report to the lane, the quarantine and the observers; and other proof that it
// arrived.

import type { Attempt, Delivery } from '../delivery.ts';
import type { Outcome } from '../outcome.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { PreparedPush, PushMessage, ReceiptKey } from '../ports/provider.ts';
import { type AssessmentParts, assess } from './assessment.ts';
import type { BreakerChange, Lane, Ticket } from './lane.ts';
import type { Skew } from './skew.ts';

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

/** A mistake of ours, which says nothing about the provider. */
const FAULT: Outcome = { kind: 'rejected', reason: 'internal_error', blame: 'message' };
