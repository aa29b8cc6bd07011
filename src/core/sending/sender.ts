// One delivery from its first try in this run to its end or its next appointment:
//
//   wait for a place ── none ──> queued for later, or expired
//        │
//      try ── delivered, unregistered, rejected, misconfigured ──> settled
//        │
//   not processed, or unclear for the first time ──> try once more at once, on a fresh connection
//        │
//   any other failure ──> queued after a gap if that fits the useful life, else expired

import { type Attempt, type Delivery, type Next, usefulUntilMs } from '../delivery.ts';
import type { Outcome } from '../outcome.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { Observer } from '../ports/observer.ts';
import type { PreparedPush, PushMessage } from '../ports/provider.ts';
import type { Settlement } from '../ports/store.ts';
import { Tally } from '../tally.ts';
import type { Duplicates } from '../tokens/duplicates.ts';
import type { Quarantine } from '../tokens/quarantine.ts';
import type { Lane, Patience, Ticket } from './lane.ts';
import type { Ledger } from './ledger.ts';
import { isRetriedAtOnce, scheduleRetry } from './retry.ts';

/** How a run ended, for whoever waits for it. */
export interface SendEnd {
  readonly next: Next;
  /** The last outcome, as the core understood it; absent if no try took place. */
  readonly outcome?: Outcome;
}

export interface SendOptions {
  /** Whether the row exists; without one nothing is left for later. */
  readonly stored: Promise<boolean>;
  /** What the first try sends, if it was built already. */
  readonly prepared?: PreparedPush;
  /** `queue` unless told otherwise. */
  readonly patience?: Patience;
}

export interface SenderParts {
  readonly owner: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly policy: Policy;
  readonly ledger: Ledger;
  readonly quarantine: Quarantine;
  readonly duplicates: Duplicates;
  readonly observer: Observer;
  /** Told whenever a delivery was left for later, and when a provider came back. */
  readonly onQueued: (lane: Lane, dueAtMs: number) => void;
  readonly onProviderBack: (lane: Lane) => void;
}

export class Sender {
  readonly #parts: SenderParts;
  readonly #running = new Tally();
  readonly #recording = new Tally();
  readonly #watchers = new Map<string, (end: SendEnd) => void>();

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  get running(): number {
    return this.#running.count;
  }

  /** Deliveries whose end somebody waits for. */
  get watched(): number {
    return this.#watchers.size;
  }

  /** Resolves when no send runs; what has ended is on its way into the store. */
  idle(): Promise<void> {
    return this.#running.idle();
  }

  /** Runs a delivery to its end, or to the appointment for its next try. */
  send(delivery: Delivery, lane: Lane, options: SendOptions): Promise<SendEnd> {
    this.#running.begin();
    const run = this.#run(delivery, lane, options);
    const done = () => this.#running.end();
    run.then(done, done);
    return run;
  }

  /** Calls back once when the delivery is settled, in this run or a later one of this process. */
  watch(deliveryId: string, listener: (end: SendEnd) => void): () => void {
    this.#watchers.set(deliveryId, listener);
    return () => this.#watchers.delete(deliveryId);
  }

  async #run(delivery: Delivery, lane: Lane, options: SendOptions): Promise<SendEnd> {
    const { prepared, patience = 'queue' } = options;
    let { stored } = options;
    let current = delivery;
    for (let tries = 1; ; tries += 1) {
      const blocked = this.#blocked(current);
      if (blocked !== undefined) return this.#end(current, stored, blocked);
      const ticket = await lane.enter(this.#parts.quarantine.trustOf(current.tokenHash), patience);
      if (ticket === undefined) {
        return this.#later(current, lane, stored, { outcome: NOT_TRIED });
      }
      const overtaken = this.#blocked(current);
      if (overtaken !== undefined) {
        lane.abandon(ticket);
        return this.#end(current, stored, overtaken);
      }
      const push =
        (tries === 1 ? prepared : undefined) ??
        lane.provider.prepare(messageOf(current, this.#parts.clock));
      const attempt = await this.#attempt(current, lane, { ticket, push });
      const { outcome } = attempt;
      current = { ...current, attempts: attempt.number };
      if (isRetriedAtOnce(outcome, tries) && !lane.isOpen && !this.#isTooLate(current)) {
        // The next record waits for this one, so that the log gets them in order.
        stored = this.#record(current, stored, {
          attempt,
          next: { status: 'queued', dueAtMs: this.#parts.clock.nowMs() },
          keepLeaseUntilMs: this.#parts.clock.nowMs() + this.#parts.policy.leaseMs,
        });
        continue;
      }
      if (outcome.kind === 'retry') return this.#later(current, lane, stored, { outcome, attempt });
      return this.#end(current, stored, { next: settledAs(outcome), outcome }, attempt);
    }
  }

  /** A delivery that waited may have become pointless: its token died meanwhile, or its time is over. */
  #blocked(delivery: Delivery): SendEnd | undefined {
    if (this.#isTooLate(delivery)) return { next: { status: 'expired' } };
    const entry = this.#parts.quarantine.find(delivery.tokenHash);
    if (entry === undefined) return undefined;
    const status = entry.kind === 'unregistered' ? 'unregistered' : 'rejected';
    return { next: { status, reason: entry.reason } };
  }

  #isTooLate(delivery: Delivery): boolean {
    const until = usefulUntilMs(delivery.expiresAtMs, delivery.notification.lifetimeMs);
    return this.#parts.clock.nowMs() > until;
  }

  async #attempt(
    delivery: Delivery,
    lane: Lane,
    { ticket, push }: { readonly ticket: Ticket; readonly push: PreparedPush },
  ): Promise<Attempt> {
    const { clock, policy } = this.#parts;
    const startedAtMs = clock.wallMs();
    const startMs = clock.nowMs();
    const isProbe = ticket.pass.probe !== undefined;
    const timeoutMs = isProbe ? policy.probeTimeoutMs : policy.attemptTimeoutMs;
    let answer: Outcome;
    try {
      answer = await push.send({ timeoutMs, trust: ticket.trust });
    } catch {
      answer = ADAPTER_FAILED;
    }
    const change = lane.leave(ticket, answer);
    const outcome = this.#learn(delivery, lane, answer);
    const attempt: Attempt = {
      number: delivery.attempts + 1,
      startedAtMs,
      latencyMs: Math.round(clock.nowMs() - startMs),
      outcome,
    };
    this.#tellAttempt(delivery, attempt);
    if (change !== undefined) this.#tellBreaker(lane, change, outcome);
    return attempt;
  }

  /** Notes what the answer says of the token, and doubts the configuration where that is the likelier cause. */
  #learn(delivery: Delivery, lane: Lane, outcome: Outcome): Outcome {
    const { app } = delivery.target;
    const { provider, tokenHash } = delivery;
    const verdict = this.#parts.quarantine.report({ app, provider, tokenHash }, outcome);
    if (verdict.condemned !== undefined) {
      const { reason } = verdict.condemned;
      this.#parts.observer.observe({ name: 'token_quarantined', app, provider, tokenHash, reason });
      void this.#parts.ledger.quarantine(verdict.condemned);
    }
    if (verdict.pardoned !== undefined) void this.#parts.ledger.pardon(verdict.pardoned);
    if (verdict.doubt !== undefined) {
      const name = verdict.doubt === 'began' ? 'condemning_stopped' : 'condemning_resumed';
      const detail = this.#parts.quarantine.doubtOf(app, provider) ?? '';
      this.#parts.observer.observe({ name, app, provider, detail });
    }
    if (verdict.doubted === true && 'reason' in outcome) {
      return { kind: 'misconfigured', reason: outcome.reason };
    }
    if (outcome.kind === 'rejected' && outcome.blame === 'sender' && !lane.deliveredLately) {
      return { kind: 'misconfigured', reason: outcome.reason };
    }
    return outcome;
  }

  async #later(
    delivery: Delivery,
    lane: Lane,
    stored: Promise<boolean>,
    ended: { readonly outcome: Outcome; readonly attempt?: Attempt },
  ): Promise<SendEnd> {
    const { outcome, attempt } = ended;
    const retryAfterMs = outcome.kind === 'retry' ? outcome.retryAfterMs : undefined;
    const next = scheduleRetry({
      failures: delivery.attempts,
      nowMs: this.#parts.clock.nowMs(),
      expiresAtMs: delivery.expiresAtMs,
      lifetimeMs: delivery.notification.lifetimeMs,
      fraction: this.#parts.ids.fraction(),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...('reason' in outcome ? { reason: outcome.reason } : {}),
    });
    const end: SendEnd = { next, outcome };
    if (next.status !== 'queued') return this.#end(delivery, stored, end, attempt);
    const recorded = this.#record(delivery, stored, {
      next,
      ...(attempt === undefined ? {} : { attempt }),
    });
    void recorded.then(() => this.#parts.onQueued(lane, next.dueAtMs));
    return end;
  }

  #end(delivery: Delivery, stored: Promise<boolean>, end: SendEnd, attempt?: Attempt): SendEnd {
    const { next } = end;
    if (next.status === 'queued') throw new Error('an end must be final');
    if (next.status !== 'delivered') this.#parts.duplicates.release(delivery.id);
    void this.#record(delivery, stored, { next, ...(attempt === undefined ? {} : { attempt }) });
    this.#parts.observer.observe({
      name: 'delivery_settled',
      deliveryId: delivery.id,
      app: delivery.target.app,
      provider: delivery.provider,
      type: delivery.notification.type,
      status: next.status,
      attempts: delivery.attempts,
      sinceReceiptMs: this.#sinceReceiptMs(delivery),
      ...(next.reason === undefined ? {} : { reason: next.reason }),
    });
    const watcher = this.#watchers.get(delivery.id);
    this.#watchers.delete(delivery.id);
    watcher?.(end);
    return end;
  }

  #sinceReceiptMs(delivery: Delivery): number {
    const receivedAtMs = delivery.expiresAtMs - delivery.notification.lifetimeMs;
    return Math.max(0, Math.round(this.#parts.clock.nowMs() - receivedAtMs));
  }

  /** Resolves when what has ended is in the log, or kept until the store is well again. */
  recorded(): Promise<void> {
    return this.#recording.idle();
  }

  /** Resolves with `stored` when the log has it, or keeps it until the store is well again. */
  async #record(
    delivery: Delivery,
    stored: Promise<boolean>,
    what: Pick<Settlement, 'attempt' | 'next' | 'keepLeaseUntilMs'>,
  ): Promise<boolean> {
    this.#recording.begin();
    try {
      if (!(await stored)) return false;
      const { owner, clock, ledger } = this.#parts;
      await ledger.settle({ deliveryId: delivery.id, owner, nowMs: clock.nowMs(), ...what });
      return true;
    } finally {
      this.#recording.end();
    }
  }

  #tellAttempt(delivery: Delivery, attempt: Attempt): void {
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
const NOT_TRIED: Outcome = {
  kind: 'retry',
  reason: 'provider_unavailable',
  certainty: 'throttled',
};

/** An adapter must not reject; if one does, the try may have reached the provider. */
const ADAPTER_FAILED: Outcome = {
  kind: 'retry',
  reason: 'adapter_failed',
  certainty: 'uncertain',
};

/** The message as it is now: what is left of the lifetime shrinks with every try. */
export function messageOf(delivery: Delivery, clock: Clock): PushMessage {
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
    expiresAtUnixSeconds: Math.floor((clock.wallMs() + remainingMs) / 1_000),
  };
}

function settledAs(outcome: Exclude<Outcome, { kind: 'retry' }>): Next {
  if (outcome.kind === 'delivered') return { status: 'delivered' };
  return { status: outcome.kind, reason: outcome.reason };
}
