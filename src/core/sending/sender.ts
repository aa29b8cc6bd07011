// One delivery from its first attempt in this run to its end or its next due time:
//
//   token refused, or useful life over ──> settled      token held back ──> queued for later, or expired
//   no place in flight, breaker open ──> queued for later, or expired
//      attempt ── delivered, unregistered, rejected, misconfigured ──> settled
//        │   └── late answer of an earlier attempt: delivered ──> settled
//   not processed, or uncertain for the first time ──> one more attempt at once, on a fresh connection
//        │
//   any other failure ──> queued for the next due time within the useful life, else expired

import type { Attempt, Delivery } from '../delivery.ts';
import { isTooLate } from '../notification.ts';
import type { Outcome } from '../outcome.ts';
import type { Ids } from '../ports/ids.ts';
import type { PreparedPush, PushMessage } from '../ports/provider.ts';
import { Attempts, type AttemptsParts, BY_PHONE, type Proof, Run } from './attempts.ts';
import {
  deliveredBy,
  type EndedByPhone,
  Endings,
  type EndingsParts,
  endOf,
  Pending,
  type SendEnd,
} from './endings.ts';
import { type EnterParts, enterLane } from './enter.ts';
import type { Lane } from './lane.ts';
import { type Failed, NOT_TRIED, postpone } from './postpone.ts';
import { isRetriedAtOnce, isUnanswered } from './retry.ts';

export interface SendOptions {
  /** Whether the row exists; a delivery without one cannot be left for later. */
  readonly stored: Promise<boolean>;
  /** The push of the first attempt, if it was built already. */
  readonly prepared?: PreparedPush | undefined;
  /** Whether a delivery that finds no place in flight waits for one. `queue` by default. */
  readonly patience?: 'queue' | 'none';
  /** Whether its caller was answered `queued`: then it is kept as long as an attempt may still succeed. */
  readonly isPromised: () => boolean;
}

export interface SenderParts extends AttemptsParts, EndingsParts, EnterParts {
  readonly ids: Ids;
  /** Called whenever a delivery was left for later. */
  readonly onQueued: (lane: Lane, dueAtMs: number) => void;
}

/** What stays the same while one delivery is being sent. */
interface Sending {
  readonly lane: Lane;
  readonly run: Run;
  readonly options: SendOptions;
}

export class Sender {
  readonly #parts: SenderParts;
  readonly #sending = new Pending();
  readonly #attempts: Attempts;
  readonly #endings: Endings;
  /** By delivery id, while they are being sent. */
  readonly #runs = new Map<string, Run>();
  /** Proofs that are being written to the store: such a delivery must not be sent, even if claimed meanwhile. */
  readonly #proofs = new Map<string, Proof>();

  constructor(parts: SenderParts) {
    this.#parts = parts;
    this.#attempts = new Attempts(parts);
    this.#endings = new Endings(parts);
  }

  get running(): number {
    return this.#sending.size;
  }

  /** Resolves when no send runs; the ends may still be on their way into the store. */
  idle(): Promise<void> {
    return this.#sending.idle();
  }

  /** Resolves when all ends are in the log, or kept until the store works again. */
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

  messageOf(delivery: Delivery): PushMessage {
    return this.#attempts.messageOf(delivery);
  }

  /** Runs a delivery to its end, or to the due time of its next attempt. Never rejects. */
  send(delivery: Delivery, lane: Lane, options: SendOptions): Promise<SendEnd> {
    const proof = this.#proofs.get(delivery.id);
    if (proof !== undefined) return Promise.resolve(deliveredBy(proof));
    const run = new Run(this.#parts.clock.nowMs());
    this.#runs.set(delivery.id, run);
    const forget = () => {
      if (this.#runs.get(delivery.id) === run) this.#runs.delete(delivery.id);
    };
    const sent = this.#run(delivery, { lane, run, options })
      .catch((cause: unknown) => this.#endings.fault(delivery, options.stored, cause))
      .finally(() => {
        if (run.recording === undefined) forget();
        else void run.recording.finally(forget);
      });
    return this.#sending.add(sent);
  }

  /** A repeat of the call arrived: the lifetime of the delivery that is being sent starts again. */
  renew(deliveryId: string, expiresAtMs: number): void {
    this.#runs.get(deliveryId)?.renew(expiresAtMs);
  }

  /** A machine that was declared dead may claim deliveries that it is still sending. */
  isSending(deliveryId: string): boolean {
    return this.#runs.has(deliveryId);
  }

  /** Sends it, or writes its end. */
  hasInHand(deliveryId: string): boolean {
    return this.isSending(deliveryId) || this.#endings.isEnding(deliveryId);
  }

  /** A receipt says that the phone got the push. False if this process neither sends the delivery nor writes its end. */
  proveByPhone(deliveryId: string): boolean {
    this.#runs.get(deliveryId)?.prove(BY_PHONE);
    return this.hasInHand(deliveryId);
  }

  /** The store is asked to end a delivery that the phone proved: it must not be sent, even if claimed meanwhile. */
  holdForPhone(deliveryId: string): () => void {
    this.#proofs.set(deliveryId, BY_PHONE);
    return () => this.#release(deliveryId);
  }

  /** After a claim that was answered at the same moment has been checked. */
  #release(deliveryId: string): void {
    this.#parts.clock.after(0, () => this.#proofs.delete(deliveryId));
  }

  endedByPhone(ended: EndedByPhone): void {
    this.#endings.endedByPhone(ended);
  }

  /** A sweep of the log ended the delivery, because its lifetime was over. */
  expired(deliveryId: string): void {
    this.#endings.expired(deliveryId);
  }

  async #run(delivery: Delivery, sending: Sending): Promise<SendEnd> {
    const { lane, run, options } = sending;
    let { stored } = options;
    let current = delivery;
    for (let tries = 1; ; tries += 1) {
      current = run.current(current);
      if (run.provenBy !== undefined) return this.#endProven(current, stored, run.provenBy);
      if (this.#isPointless(current)) return this.#endPointless(current, stored, sending);
      const isFirst = tries === 1 && options.prepared !== undefined;
      const mayWait = options.patience !== 'none';
      const ticket = await enterLane(this.#parts, current, { lane, run, mayWait, isFirst });
      if (run.provenBy !== undefined) {
        if (ticket !== undefined) lane.abandon(ticket);
        return this.#endProven(current, stored, run.provenBy);
      }
      if (ticket === undefined) return this.#later(current, stored, sending, NOT_TRIED);
      // It may have waited for its place: its token died meanwhile, or its time is over.
      if (this.#isPointless(current)) {
        lane.abandon(ticket);
        return this.#endPointless(current, stored, sending);
      }
      const attempting = this.#attempts.try(current, lane, {
        ticket,
        push: tries === 1 ? options.prepared : undefined,
        onProof: (attempt) => this.prove(delivery, { attempts: [attempt] }),
      });
      const proof = await Promise.race([run.proof, attempting.then(() => undefined)]);
      if (proof !== undefined) {
        this.#parts.duplicates.close(delivery.id);
        const recording = this.#recordProof(current, stored, { attempting, proof });
        run.recording = this.#sending.add(recording);
        return deliveredBy(proof);
      }
      const attempt = await attempting;
      const { outcome } = attempt;
      current = { ...run.current(current), attempts: attempt.number };
      if (outcome.kind === 'retry') {
        const unanswered = current.unanswered + (isUnanswered(outcome) ? 1 : 0);
        current = { ...current, unanswered };
        const isWorthIt = isRetriedAtOnce(outcome, { tries, unanswered }) && !lane.isOpen;
        const isOnceMore = isWorthIt && this.#parts.mayRetry(run.beganAtMs);
        if (!isOnceMore || isTooLate(current, this.#parts.clock.nowMs())) {
          return this.#later(current, stored, sending, { outcome, attempt });
        }
        // The next record waits for this one, so that the log gets them in order.
        const onLost = () => run.lose();
        stored = this.#endings.recordRetryAtOnce(current, stored, { attempt, onLost });
        continue;
      }
      if (outcome.kind === 'misconfigured' && options.isPromised()) {
        return this.#later(current, stored, sending, { outcome, attempt });
      }
      return this.#endings.settle(current, stored, { end: endOf(outcome), attempt });
    }
  }

  /** A late answer or the phone's reply proved an attempt of this run or an earlier one. */
  prove(delivery: Delivery, proof: Proof): void {
    const run = this.#runs.get(delivery.id);
    run?.prove(proof);
    if (run !== undefined) return;
    this.#proofs.set(delivery.id, proof);
    const release = () => this.#release(delivery.id);
    void this.#sending.add(this.#endings.confirm(delivery, proof).finally(release));
  }

  #endProven(delivery: Delivery, stored: Promise<boolean>, proof: Proof): SendEnd {
    this.#parts.duplicates.close(delivery.id);
    void this.#sending.add(this.#endings.confirmStored(delivery, stored, proof));
    return deliveredBy(proof);
  }

  /** The attempt under way ends, and then the log gets both. */
  async #recordProof(
    delivery: Delivery,
    stored: Promise<boolean>,
    { attempting, proof }: { readonly attempting: Promise<Attempt>; readonly proof: Proof },
  ): Promise<void> {
    const attempt = await attempting;
    if (attempt.outcome.kind === 'delivered') {
      // Both in one write: after a crash, no open delivery may have a delivered attempt.
      const attempts = [...proof.attempts, attempt];
      await this.#endings.confirmStored(delivery, stored, { ...proof, attempts });
      return;
    }
    const recorded = this.#endings.recordRetryAtOnce(delivery, stored, { attempt });
    await this.#endings.confirmStored(delivery, recorded, proof);
  }

  /** Its time is over, or its token is refused or held back: an attempt now makes no sense. */
  #isPointless(delivery: Delivery): boolean {
    const { quarantine } = this.#parts;
    const { tokenHash } = delivery;
    return (
      isTooLate(delivery, this.#parts.clock.nowMs()) ||
      quarantine.find(tokenHash) !== undefined ||
      quarantine.findHold(tokenHash) !== undefined
    );
  }

  async #endPointless(
    delivery: Delivery,
    stored: Promise<boolean>,
    sending: Sending,
  ): Promise<SendEnd> {
    const { tokenHash } = delivery;
    if (isTooLate(delivery, this.#parts.clock.nowMs())) {
      return this.#endings.settle(delivery, stored, { end: { next: { status: 'expired' } } });
    }
    const refused = this.#parts.quarantine.find(tokenHash);
    if (refused !== undefined) {
      const status = refused.kind === 'unregistered' ? 'unregistered' : 'rejected';
      const end: SendEnd = { next: { status, reason: refused.reason } };
      return this.#endings.settle(delivery, stored, { end });
    }
    const reason = this.#parts.quarantine.findHold(tokenHash)?.entry.reason ?? 'throttled';
    const outcome: Outcome = { kind: 'retry', reason, certainty: 'throttled_token' };
    return this.#later(delivery, stored, sending, { outcome });
  }

  /** Resolves when the row says that the delivery waits: until then the retrier cannot claim it. */
  async #later(
    delivery: Delivery,
    stored: Promise<boolean>,
    { lane, run, options }: Sending,
    failed: Failed,
  ): Promise<SendEnd> {
    const isPromised = options.isPromised();
    const end = postpone(this.#parts, { delivery, lane }, { failed, isPromised });
    const { next } = end;
    const { attempt } = failed;
    if (next.status !== 'queued') return this.#endings.settle(delivery, stored, { end, attempt });
    const onLost = () => run.lose();
    const recorded = this.#endings.recordQueued(delivery, stored, { next, attempt, onLost });
    const isRecorded = await recorded;
    if (run.provenBy !== undefined) return this.#endProven(delivery, recorded, run.provenBy);
    const ended = run.isLost ? await this.#endings.endedBeside(delivery) : undefined;
    if (ended !== undefined) return ended;
    if (isRecorded) this.#parts.onQueued(lane, next.dueAtMs);
    else if (await options.stored) return this.#endings.refused(delivery);
    return end;
  }
}
