// How a send ends: the report to the log, the duplicates, the observers and the callers that wait for it.

import type { Attempt, Delivery, DeliveryStatus, Next } from '../delivery.ts';
import type { Outcome } from '../outcome.ts';
import type { Policy } from '../policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { Observer } from '../ports/observer.ts';
import type { Settlement } from '../ports/store.ts';
import type { ProviderName } from '../target.ts';
import type { Duplicates } from '../tokens/duplicates.ts';
import type { Proof } from './attempts.ts';
import { type FindEndParts, findEnd } from './find-end.ts';

/** How a run ended. */
export interface SendEnd {
  readonly next: Next;
  /** The last outcome, as the core understood it; absent if no attempt took place. */
  readonly outcome?: Outcome | undefined;
  /** How long the provider holds the token back, if that is beyond the useful life. */
  readonly heldForMs?: number;
  /** The provider has been failing for too long for a race to wait for it. */
  readonly isOutage?: boolean;
}

/** The end of a delivery that this proof shows to have arrived. */
export function deliveredBy({ attempts, reason }: Proof): SendEnd {
  return { next: { status: 'delivered', reason }, outcome: attempts[0]?.outcome };
}

/** The end of a delivery after an outcome that is not retried. */
export function endOf(outcome: Exclude<Outcome, { kind: 'retry' }>): SendEnd {
  if (outcome.kind === 'delivered') return { next: { status: 'delivered' }, outcome };
  return { next: { status: outcome.kind, reason: outcome.reason }, outcome };
}

export interface EndingsParts extends FindEndParts {
  readonly owner: string;
  readonly clock: Clock;
  readonly policy: Policy;
  readonly duplicates: Duplicates;
  readonly observer: Observer;
  /** Called for every delivery that ends as delivered while this process has its content. */
  readonly onDelivered?: ((delivery: Delivery) => void) | undefined;
}

/** What is known about a delivery that the store ended because its phone said that it got the push. */
export interface EndedByPhone {
  readonly deliveryId: string;
  readonly app: string;
  readonly provider: ProviderName;
  readonly type: string;
  readonly attempts: number;
  readonly receivedAtMs: number;
}

type FinalNext = Exclude<Next, { readonly status: 'queued' }>;

export class Endings {
  readonly #parts: EndingsParts;
  readonly #recording = new Pending();
  readonly #watchers = new Map<string, (end: SendEnd) => void>();
  /** Deliveries whose end is being written to the log. */
  readonly #ending = new Set<string>();

  constructor(parts: EndingsParts) {
    this.#parts = parts;
  }

  /** Whether its end is being written to the log. */
  isEnding(deliveryId: string): boolean {
    return this.#ending.has(deliveryId);
  }

  get watched(): number {
    return this.#watchers.size;
  }

  watch(deliveryId: string, listener: (end: SendEnd) => void): () => void {
    this.#watchers.set(deliveryId, listener);
    return () => this.#watchers.delete(deliveryId);
  }

  recorded(): Promise<void> {
    return this.#recording.idle();
  }

  /** The delivery ends for good. */
  settle(
    delivery: Delivery,
    stored: Promise<boolean>,
    { end, attempt }: { readonly end: SendEnd; readonly attempt?: Attempt | undefined },
  ): SendEnd {
    if (end.next.status === 'queued') throw new Error('an end must be final');
    const next = finalOf(delivery, end.next);
    const keepKey = next.reason === INTERRUPTED;
    if (next.status === 'delivered') this.#parts.duplicates.close(delivery.id);
    else if (!keepKey) this.#parts.duplicates.release(delivery.id);
    this.#ending.add(delivery.id);
    const recorded = this.#record(delivery, stored, {
      next,
      keepKey,
      attempt,
    });
    void recorded.finally(() => this.#ending.delete(delivery.id));
    if (next.status === 'delivered') this.#parts.onDelivered?.(delivery);
    this.#tellSettled(delivery, next);
    return this.#tellWatcher(delivery.id, { ...end, next });
  }

  /**
   * The delivery stays queued; resolves to true if a row says so, or will say so when the store works again. `onLost` is
   * called before if the lease is lost: the row then says something else.
   */
  recordQueued(
    delivery: Delivery,
    stored: Promise<boolean>,
    {
      next,
      attempt,
      onLost,
    }: {
      readonly next: Next;
      readonly attempt?: Attempt | undefined;
      readonly onLost: () => void;
    },
  ): Promise<boolean> {
    return this.#record(delivery, stored, { next, attempt }, onLost);
  }

  /** The end of a delivery whose lease was lost, as the log has it; undefined while it is open there. */
  async endedBeside({ id }: Delivery): Promise<SendEnd | undefined> {
    const next = await findEnd(this.#parts, id);
    if (next === undefined) return undefined;
    if (next.status === 'delivered') this.#parts.duplicates.close(id);
    else this.#parts.duplicates.release(id);
    return this.#tellWatcher(id, { next });
  }

  /** Another attempt follows at once under the same lease; `onLost` is called if that lease is lost. */
  recordRetryAtOnce(
    delivery: Delivery,
    stored: Promise<boolean>,
    { attempt, onLost }: { readonly attempt: Attempt; readonly onLost?: () => void },
  ): Promise<boolean> {
    const { clock, policy } = this.#parts;
    const nowMs = clock.nowMs();
    const next = { status: 'queued', dueAtMs: nowMs } as const;
    const keepLeaseUntilMs = nowMs + policy.leaseMs;
    return this.#record(delivery, stored, { attempt, next, keepLeaseUntilMs }, onLost);
  }

  /** An attempt of this run was proven: the row becomes `delivered` as soon as it exists. */
  async confirmStored(delivery: Delivery, stored: Promise<boolean>, proof: Proof): Promise<void> {
    if (await stored) await this.confirm(delivery, proof);
    else this.#closeDelivered(delivery, proof);
  }

  /** An attempt of an earlier run was proven; nothing changes if the delivery has ended. */
  async confirm(delivery: Delivery, proof: Proof): Promise<void> {
    const { id } = delivery;
    if (this.#ending.has(id) || this.#parts.duplicates.hasFailed(id)) return;
    const { clock, ledger } = this.#parts;
    const confirmed = await this.#recording.add(
      ledger.confirm({
        deliveryId: delivery.id,
        ...proof,
        nowMs: clock.nowMs(),
        wallMs: clock.wallMs(),
      }),
    );
    if (confirmed) this.#closeDelivered(delivery, proof);
  }

  /** The store ended a delivery whose time was over. */
  expired(deliveryId: string): void {
    this.#parts.duplicates.release(deliveryId);
    this.#parts.observer.observe({ name: 'delivery_overdue', deliveryId });
    this.#tellWatcher(deliveryId, { next: { status: 'expired' } });
  }

  /** The database refused to record that the delivery stays queued, so the ledger has ended it in the database. */
  refused(delivery: Delivery): SendEnd {
    const next = { status: 'expired', reason: INTERNAL_ERROR } as const;
    this.#parts.duplicates.release(delivery.id);
    this.#tellSettled(delivery, next);
    return this.#tellWatcher(delivery.id, { next });
  }

  /** A mistake of ours outside an attempt: the delivery ends, nothing else does. */
  fault(delivery: Delivery, stored: Promise<boolean>, cause: unknown): SendEnd {
    const { id } = delivery;
    this.#parts.observer.observe({
      name: 'internal_fault',
      where: 'sender',
      deliveryId: id,
      cause,
    });
    const end: SendEnd = { next: { status: 'rejected', reason: INTERNAL_ERROR } };
    return this.settle(delivery, stored, { end });
  }

  /** The store ended a delivery that its phone proved, and that this process was not sending. */
  endedByPhone({ deliveryId, receivedAtMs, app, provider, type, attempts }: EndedByPhone): void {
    const { duplicates, observer, clock } = this.#parts;
    const next = { status: 'delivered', reason: 'receipt' } as const;
    duplicates.close(deliveryId);
    const sinceReceiptMs = Math.max(0, clock.wallMs() - receivedAtMs);
    const what = { deliveryId, app, provider, type, attempts, sinceReceiptMs };
    observer.observe({ name: 'delivery_settled', ...what, ...next });
    this.#tellWatcher(deliveryId, { next });
  }

  #closeDelivered(delivery: Delivery, { reason }: Proof): void {
    const next = { status: 'delivered', reason } as const;
    this.#parts.duplicates.close(delivery.id);
    this.#parts.onDelivered?.(delivery);
    this.#tellSettled(delivery, next);
    this.#tellWatcher(delivery.id, { next });
  }

  #tellWatcher(deliveryId: string, end: SendEnd): SendEnd {
    const watcher = this.#watchers.get(deliveryId);
    this.#watchers.delete(deliveryId);
    watcher?.(end);
    return end;
  }

  #tellSettled(delivery: Delivery, next: FinalNext): void {
    const receivedAtMs = delivery.expiresAtMs - delivery.notification.lifetimeMs;
    const sinceReceiptMs = Math.max(0, Math.round(this.#parts.clock.nowMs() - receivedAtMs));
    this.#parts.observer.observe({
      name: 'delivery_settled',
      deliveryId: delivery.id,
      app: delivery.target.app,
      provider: delivery.provider,
      type: delivery.notification.type,
      status: next.status satisfies DeliveryStatus,
      attempts: delivery.attempts,
      sinceReceiptMs,
      reason: next.reason,
    });
  }

  /** Resolves to true when the log has it, or the ledger keeps it until the store works again. */
  #record(
    delivery: Delivery,
    stored: Promise<boolean>,
    what: Pick<Settlement, 'attempt' | 'next' | 'keepLeaseUntilMs' | 'keepKey'>,
    onLost?: () => void,
  ): Promise<boolean> {
    const { owner, clock, ledger } = this.#parts;
    const record = async () => {
      if (!(await stored)) return false;
      const nowMs = clock.nowMs();
      const wallMs = clock.wallMs();
      const { id: deliveryId, expiresAtMs } = delivery;
      const settlement = { deliveryId, owner, nowMs, wallMs, expiresAtMs, ...what };
      return await ledger.settle(settlement, onLost);
    };
    return this.#recording.add(record());
  }
}

const INTERRUPTED = 'interrupted';
const INTERNAL_ERROR = 'internal_error';

/** A push that was perhaps sent before a crash may have arrived, whatever became of the later attempts. */
function finalOf({ interrupted }: Delivery, next: FinalNext): FinalNext {
  if (!interrupted || next.status === 'delivered') return next;
  return { status: next.status, reason: INTERRUPTED };
}

/** Work under way, so that a stop can wait for all of it. */
export class Pending {
  readonly #work = new Set<Promise<unknown>>();

  get size(): number {
    return this.#work.size;
  }

  /** Counts the work until it ends, and hands it back. */
  add<Result>(work: Promise<Result>): Promise<Result> {
    const done = () => this.#work.delete(work);
    this.#work.add(work);
    work.then(done, done);
    return work;
  }

  /** Resolves when nothing is under way, including work that was added meanwhile. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }
}
