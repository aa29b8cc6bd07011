// One delivery from its first attempt in this run to its end or its next due time:
//
//   token refused, or useful life over ──> settled      token held back ──> queued for later, or expired
//   no place in flight, breaker open ──> queued for later, or expired
//      attempt ── delivered, unregistered, rejected, misconfigured ──> settled
//        │   └── late answer of an earlier attempt: delivered ──> settled
//   not processed, or uncertain for the first time ──> one more attempt at once, on a fresh connection
//        │
//   any other failure ──> queued for the next due time within the useful life, else expired

import { type Attempt, type Delivery, isRace, usefulUntilMs } from '../delivery.ts';
import type { Outcome } from '../outcome.ts';
import { Pending } from '../pending.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer } from '../ports/observer.ts';
import type { PreparedPush, PushMessage } from '../ports/provider.ts';
import type { Doubt } from '../tokens/doubt.ts';
import type { Duplicates } from '../tokens/duplicates.ts';
import type { Quarantine } from '../tokens/quarantine.ts';
import { assess } from './assessment.ts';
import { Endings, type SendEnd } from './endings.ts';
import type { Lane, Ticket } from './lane.ts';
import type { Ledger } from './ledger.ts';
import {
  holdMs,
  isRetriedAtOnce,
  isThrottledToken,
  isUnanswered,
  MAX_UNANSWERED,
  planRetry,
  type RetryInput,
} from './retry.ts';
import { Run } from './run.ts';
import type { Skew } from './skew.ts';

export interface SendOptions {
  /** Whether the row exists; without one nothing is left for later. */
  readonly stored: Promise<boolean>;
  /** What the first attempt sends, if it was built already. */
  readonly prepared?: PreparedPush | undefined;
  /** Whether a delivery that finds no place in flight waits for one. `queue` by default. */
  readonly patience?: 'queue' | 'none';
  /** Its last attempt: it goes even while the breaker is open. */
  readonly isLastMoment?: boolean;
  /** Whether its caller was answered `queued`: then it is kept as long as an attempt may still succeed. */
  readonly isPromised: () => boolean;
}

export interface SenderParts {
  readonly owner: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly policy: Policy;
  readonly ledger: Ledger;
  readonly quarantine: Quarantine;
  readonly doubt: Doubt;
  readonly duplicates: Duplicates;
  readonly skew: Skew;
  readonly observer: Observer;
  /** Called whenever a delivery was left for later, and when a provider came back. */
  readonly onQueued: (lane: Lane, dueAtMs: number) => void;
  readonly onProviderBack: (lane: Lane) => void;
}

/** What a delivery's last attempt in this run ended with, if it had one. */
interface Failed {
  readonly outcome: Outcome;
  readonly attempt?: Attempt;
}

export class Sender {
  readonly #parts: SenderParts;
  readonly #sending = new Pending();
  readonly #endings: Endings;
  /** By delivery id, while they are being sent. */
  readonly #runs = new Map<string, Run>();

  constructor(parts: SenderParts) {
    this.#parts = parts;
    this.#endings = new Endings(parts);
  }

  get running(): number {
    return this.#sending.size;
  }

  /** Resolves when no send runs; what has ended is on its way into the store. */
  idle(): Promise<void> {
    return this.#sending.idle();
  }

  /** Resolves when what has ended is in the log, or kept until the store works again. */
  recorded(): Promise<void> {
    return this.#endings.recorded();
  }

  /** Calls back once when the delivery is settled, in this run or a later one of this process. */
  watch(deliveryId: string, listener: (end: SendEnd) => void): () => void {
    return this.#endings.watch(deliveryId, listener);
  }

  /** Deliveries whose end somebody waits for. */
  get watched(): number {
    return this.#endings.watched;
  }

  /** Runs a delivery to its end, or to the due time of its next attempt. Never rejects. */
  send(delivery: Delivery, lane: Lane, options: SendOptions): Promise<SendEnd> {
    const run = new Run();
    this.#runs.set(delivery.id, run);
    const sent = this.#run(delivery, lane, { run, options })
      .catch((cause: unknown) => this.#endings.fault(delivery, options.stored, cause))
      .finally(() => {
        if (this.#runs.get(delivery.id) === run) this.#runs.delete(delivery.id);
      });
    return this.#sending.add(sent);
  }

  /** A repeat of the call arrived: the lifetime of what is being sent runs from now. */
  renew(deliveryId: string, expiresAtMs: number): void {
    this.#runs.get(deliveryId)?.renew(expiresAtMs);
  }

  /** The delivery's log has what a sweep found: it ended without an attempt of this process. */
  expired(deliveryId: string): void {
    this.#endings.expired(deliveryId);
  }

  async #run(
    delivery: Delivery,
    lane: Lane,
    { run, options }: { readonly run: Run; readonly options: SendOptions },
  ): Promise<SendEnd> {
    const { prepared, patience = 'queue', isLastMoment = false, isPromised } = options;
    let { stored } = options;
    let current = delivery;
    for (let tries = 1; ; tries += 1) {
      current = run.current(current);
      if (run.provenBy !== undefined) {
        void this.#sending.add(this.#endings.confirmStored(current, stored, run.provenBy));
        return deliveredBy(run.provenBy);
      }
      if (this.#isPointless(current)) {
        return this.#pointless(current, lane, { stored, isPromised });
      }
      const trust = this.#parts.quarantine.trustOf(current.tokenHash);
      const ticket = await lane.enter(trust, { patience, isLastMoment });
      if (ticket === undefined) {
        return this.#later(current, lane, { stored, isPromised, failed: NOT_TRIED });
      }
      // It may have waited for its place: its token died meanwhile, or its time is over.
      if (this.#isPointless(current)) {
        lane.abandon(ticket);
        return this.#pointless(current, lane, { stored, isPromised });
      }
      const push = tries === 1 ? prepared : undefined;
      const attempting = this.#attempt(current, lane, { ticket, push, run });
      const proof = await Promise.race([run.proof, attempting.then(() => undefined)]);
      if (proof !== undefined) {
        void this.#sending.add(
          attempting.then((attempt) =>
            this.#endings.recordProof(current, stored, { attempt, proof }),
          ),
        );
        return deliveredBy(proof);
      }
      const attempt = await attempting;
      const { outcome } = attempt;
      const unanswered = current.unanswered + (isUnanswered(outcome) ? 1 : 0);
      current = { ...run.current(current), attempts: attempt.number, unanswered };
      if (
        isRetriedAtOnce(outcome, { tries, unanswered }) &&
        !lane.isOpen &&
        !this.#isTooLate(current)
      ) {
        // The next record waits for this one, so that the log gets them in order.
        stored = this.#endings.recordRetryAtOnce(current, stored, attempt);
        continue;
      }
      const isPermanent =
        outcome.kind !== 'retry' && !(outcome.kind === 'misconfigured' && isPromised());
      if (isPermanent) {
        return this.#endings.settle(current, stored, { end: endOf(outcome), attempt });
      }
      return this.#later(current, lane, { stored, isPromised, failed: { outcome, attempt } });
    }
  }

  /** Its time is over, or its token is refused or held back: an attempt now makes no sense. */
  #isPointless(delivery: Delivery): boolean {
    const { quarantine } = this.#parts;
    const { tokenHash } = delivery;
    return (
      this.#isTooLate(delivery) ||
      quarantine.find(tokenHash) !== undefined ||
      quarantine.findHold(tokenHash) !== undefined
    );
  }

  #pointless(
    delivery: Delivery,
    lane: Lane,
    given: { readonly stored: Promise<boolean>; readonly isPromised: () => boolean },
  ): Promise<SendEnd> | SendEnd {
    const { stored } = given;
    const { tokenHash } = delivery;
    if (this.#isTooLate(delivery)) {
      return this.#endings.settle(delivery, stored, { end: { next: { status: 'expired' } } });
    }
    const refused = this.#parts.quarantine.find(tokenHash);
    if (refused !== undefined) {
      const status = refused.kind === 'unregistered' ? 'unregistered' : 'rejected';
      const end: SendEnd = { next: { status, reason: refused.reason } };
      return this.#endings.settle(delivery, stored, { end });
    }
    const reason = this.#parts.quarantine.findHold(tokenHash)?.reason ?? 'throttled';
    const outcome: Outcome = { kind: 'retry', reason, certainty: 'throttled_token' };
    return this.#later(delivery, lane, { ...given, failed: { outcome } });
  }

  #isTooLate(delivery: Delivery): boolean {
    return this.#parts.clock.nowMs() > usefulUntil(delivery);
  }

  /** Never rejects: an adapter that throws ends this delivery as a fault of ours. */
  async #attempt(
    delivery: Delivery,
    lane: Lane,
    given: {
      readonly ticket: Ticket;
      readonly push: PreparedPush | undefined;
      readonly run: Run;
    },
  ): Promise<Attempt> {
    const { clock, policy, skew, observer } = this.#parts;
    const { ticket } = given;
    const startedAtMs = clock.wallMs();
    const startMs = clock.nowMs();
    const number = delivery.attempts + 1;
    const ended = (outcome: Outcome): Attempt => {
      return { number, startedAtMs, latencyMs: Math.round(clock.nowMs() - startMs), outcome };
    };
    const isProbe = ticket.pass.probe !== undefined;
    let answer: Outcome;
    try {
      const push = given.push ?? lane.provider.prepare(messageOf(delivery, clock, skew));
      answer = await push.send({
        waitMs: policy.streamWaitMs,
        timeoutMs: isProbe ? policy.probeTimeoutMs : policy.attemptTimeoutMs,
        trust: ticket.trust,
        onLate: (outcome) => this.#hearLate(delivery, lane, ended(outcome)),
      });
    } catch (cause) {
      lane.abandon(ticket);
      const { id } = delivery;
      observer.observe({ name: 'internal_fault', where: 'provider', deliveryId: id, cause });
      return this.#endings.tellAttempt(delivery, ended(FAULT));
    }
    const classified = lane.classify(answer, delivery.tokenHash);
    const change = lane.leave(ticket, { outcome: classified, tokenHash: delivery.tokenHash });
    const outcome = assess(this.#parts, { delivery, lane, outcome: classified });
    if (change !== undefined) this.#tellBreaker(lane, change, outcome);
    return this.#endings.tellAttempt(delivery, ended(outcome));
  }

  /** The provider answered after the deadline, while the stream was left open. */
  #hearLate(delivery: Delivery, lane: Lane, attempt: Attempt): void {
    const outcome = assess(this.#parts, { delivery, lane, outcome: attempt.outcome });
    const { app } = lane;
    this.#parts.observer.observe({
      name: 'late_answer',
      deliveryId: delivery.id,
      app,
      provider: delivery.provider,
      sinceStartMs: attempt.latencyMs,
      outcome: outcome.kind,
    });
    const change = lane.hear(outcome);
    if (change !== undefined) this.#tellBreaker(lane, change, outcome);
    if (outcome.kind !== 'delivered') return;
    const run = this.#runs.get(delivery.id);
    if (run !== undefined) run.prove(attempt);
    else void this.#sending.add(this.#endings.confirm(delivery, attempt));
  }

  async #later(
    delivery: Delivery,
    lane: Lane,
    given: {
      readonly stored: Promise<boolean>;
      readonly isPromised: () => boolean;
      readonly failed: Failed;
    },
  ): Promise<SendEnd> {
    const { stored, failed } = given;
    const { outcome, attempt } = failed;
    const nowMs = this.#parts.clock.nowMs();
    const input: Omit<RetryInput, 'outcome'> = {
      nowMs,
      receivedAtMs: delivery.expiresAtMs - delivery.notification.lifetimeMs,
      usefulUntilMs: usefulUntil(delivery),
      isRace: isRace(delivery.notification.lifetimeMs),
      unanswered: delivery.unanswered,
      fraction: this.#parts.ids.fraction(),
    };
    if (attempt !== undefined && isThrottledToken(outcome)) {
      this.#hold(delivery, outcome, holdMs(outcome, input));
    }
    const hold = this.#parts.quarantine.findHold(delivery.tokenHash);
    const planned = planRetry({ ...input, outcome, heldUntilMs: hold?.untilMs });
    const mayWait = given.isPromised() || lane.mayQueue(delivery.notification.lifetimeMs);
    if (planned === undefined || !mayWait) {
      const isHeld = hold !== undefined && isThrottledToken(outcome);
      const reason = reasonOf(outcome, delivery.unanswered);
      const end: SendEnd = {
        next: { status: 'expired', ...(reason === undefined ? {} : { reason }) },
        outcome,
        ...(isHeld ? { heldForMs: hold.untilMs - nowMs } : {}),
        ...(mayWait ? {} : { isOutage: true }),
      };
      return this.#endings.settle(delivery, stored, { end, attempt });
    }
    const next = { status: 'queued', ...planned } as const;
    const recorded = this.#endings.recordQueued(delivery, stored, { next, attempt });
    void recorded.then((isStored) => {
      if (isStored) this.#parts.onQueued(lane, planned.dueAtMs);
    });
    return { next, outcome };
  }

  #hold(delivery: Delivery, outcome: Outcome, forMs: number): void {
    const { quarantine, ledger, observer } = this.#parts;
    const { provider, tokenHash } = delivery;
    const { app } = delivery.target;
    const reason = 'reason' in outcome ? outcome.reason : outcome.kind;
    const entry = quarantine.hold({ app, provider, tokenHash }, { reason, forMs });
    void ledger.quarantine(entry);
    const heldForMs = Math.round(forMs);
    observer.observe({ name: 'token_held', app, provider, tokenHash, reason, heldForMs });
  }

  #tellBreaker(lane: Lane, change: 'opened' | 'closed', outcome: Outcome): void {
    this.#parts.observer.observe({
      name: 'breaker_changed',
      app: lane.app,
      provider: lane.provider.name,
      state: change === 'opened' ? 'open' : 'closed',
      ...('reason' in outcome ? { reason: outcome.reason } : {}),
    });
    if (change === 'closed') this.#parts.onProviderBack(lane);
  }
}

/** The provider was not asked: its breaker is open or the queue before it too long. */
const NOT_TRIED: Failed = {
  outcome: { kind: 'retry', reason: 'provider_unavailable', certainty: 'not_started' },
};

/** An adapter threw, which is a mistake of ours and says nothing about the provider. */
const FAULT: Outcome = { kind: 'rejected', reason: 'internal_error', blame: 'message' };

/** The message as it is now: what is left of the lifetime shrinks with every attempt. */
export function messageOf(delivery: Delivery, clock: Clock, skew: Skew): PushMessage {
  const { target, notification } = delivery;
  const remainingMs = Math.max(0, delivery.expiresAtMs - clock.nowMs());
  return {
    id: delivery.id,
    platform: target.platform,
    token: target.token,
    ...(target.appData === undefined ? {} : { appData: target.appData }),
    type: notification.type,
    payload: notification.payload,
    title: notification.title,
    remainingMs,
    expiresAtUnixSeconds: Math.floor((clock.wallMs() + skew.correctionMs + remainingMs) / 1_000),
  };
}

function usefulUntil({ expiresAtMs, notification }: Delivery): number {
  return usefulUntilMs(expiresAtMs, notification.lifetimeMs);
}

function reasonOf(outcome: Outcome, unanswered: number): string | undefined {
  if (unanswered >= MAX_UNANSWERED) return 'uncertain';
  return 'reason' in outcome ? outcome.reason : undefined;
}

function deliveredBy(attempt: Attempt): SendEnd {
  return { next: { status: 'delivered' }, outcome: attempt.outcome };
}

function endOf(outcome: Exclude<Outcome, { kind: 'retry' }>): SendEnd {
  if (outcome.kind === 'delivered') return { next: { status: 'delivered' }, outcome };
  return { next: { status: outcome.kind, reason: outcome.reason }, outcome };
}
