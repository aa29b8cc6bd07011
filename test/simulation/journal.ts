// What happened in a run, as somebody sees it who stands outside of every process: calls and answers,
// deliveries and attempts, commits and deaths. The rules are checked against it.

import { createHash } from 'node:crypto';
import type { DeliveryStatus } from '../../src/core/delivery.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import type { Trust } from '../../src/core/ports/provider.ts';
import type { Platform, ProviderName } from '../../src/core/target.ts';
import type { Timeline } from './timeline.ts';

/** One try at a provider's model. Times are the world's. */
export interface AttemptRecord {
  readonly delivery: DeliveryRecord;
  readonly provider: ProviderName;
  /** In which life of the service. */
  readonly life: number;
  readonly trust: Trust;
  readonly startedAtMs: number;
  /** The breaker was open: it is a probe of this outage, counted from 1 in each life. */
  readonly probeOf?: number;
  /** When the provider took the push, if it did. */
  takenAtMs?: number;
  /** When a living process was told; absent if it died before. */
  endedAtMs?: number;
  outcome?: Outcome;
}

export interface DeliveryRecord {
  readonly id: string;
  readonly token: string;
  readonly platform: Platform;
  readonly type: string;
  readonly lifetimeMs: number;
  /** In which life it was accepted. */
  readonly life: number;
  readonly call: CallRecord | undefined;
  /** Service time at which it was accepted, and until which it is worth something. */
  readonly receivedMs: number;
  expiresMs: number;
  readonly acceptedAtMs: number;
  readonly attempts: AttemptRecord[];
  /** What the process was told of its row, and whether it is there. */
  insert: 'pending' | 'told' | 'refused';
  isStored: boolean;
  /** The last appointment for another try that was committed, as the world's time. */
  due?: { readonly life: number; readonly atMs: number };
  /** The attempts that were committed, by number. */
  readonly logged: { readonly life: number; readonly number: number }[];
  /** Its end as it was committed. */
  final?: { readonly status: DeliveryStatus; readonly atMs: number; readonly life: number };
  /** Its end as the last process saw it, which the store may not know yet. */
  seenEnd?: { readonly status: DeliveryStatus; readonly atMs: number; readonly life: number };
}

export type Told =
  | { readonly status: 'delivered' | 'queued' | 'duplicate'; readonly id: string; logged?: false }
  | { readonly status: 'replied' }
  | { readonly status: 'refused'; readonly code: ErrorCode; readonly id?: string };

export interface CallRecord {
  readonly number: number;
  readonly life: number;
  readonly isQuestion: boolean;
  /** Type, device and key of the notification. */
  readonly key: string;
  readonly windowMs: number;
  readonly startedAtMs: number;
  deliveryId?: string;
  told?: Told;
  toldAtMs?: number;
  /** The process died before it answered. */
  isCut?: true;
}

export interface Violation {
  readonly rule: string;
  readonly detail: string;
  readonly atMs: number;
}

/** Lines kept for whoever looks into a failure. */
const KEPT_LINES = 4_000;

export interface BreakerChange {
  readonly life: number;
  readonly provider: ProviderName;
  readonly state: 'open' | 'closed';
  readonly atMs: number;
}

/** How a life ended. */
export interface LifeEnd {
  readonly kind: 'crash' | 'stop';
  readonly atMs: number;
}

export class Journal {
  readonly ends = new Map<number, LifeEnd>();
  readonly deliveries = new Map<string, DeliveryRecord>();
  readonly calls: CallRecord[] = [];
  readonly violations: Violation[] = [];
  readonly counts = new Map<string, number>();
  readonly lines: string[] = [];
  /** When which life saw a provider's breaker open and close. */
  readonly #breakers: BreakerChange[] = [];
  readonly #timeline: Timeline;
  readonly #hash = createHash('sha256');
  readonly #print: ((line: string) => void) | undefined;

  constructor(timeline: Timeline, print?: (line: string) => void) {
    this.#timeline = timeline;
    this.#print = print;
  }

  /** Everything that happened, as one number: two runs of one seed must agree on it. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  note(what: string, detail = ''): void {
    const line = `${this.#timeline.nowMs.toFixed(1)} ${what} ${detail}`;
    this.#hash.update(line);
    this.lines.push(line);
    if (this.lines.length > 2 * KEPT_LINES) this.lines.splice(0, KEPT_LINES);
    this.#print?.(line);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  countOf(what: string): number {
    return this.counts.get(what) ?? 0;
  }

  /** The first violations count; what follows from them, or from breaking off, does not. */
  violate(rule: string, detail: string): void {
    const first = this.violations[0];
    if (first !== undefined && first.atMs < this.#timeline.nowMs) return;
    this.violations.push({ rule, detail, atMs: this.#timeline.nowMs });
    this.note('VIOLATION', `${rule}: ${detail}`);
  }

  breakerChanged(life: number, provider: ProviderName, state: 'open' | 'closed'): void {
    this.#breakers.push({ life, provider, state, atMs: this.#timeline.nowMs });
  }

  /** Whether the breaker closed since then, which makes everything due that waits for the provider. */
  hadRecovery(life: number, provider: ProviderName, sinceMs: number): boolean {
    const change = this.lastBreakerChange(life, provider, 'closed');
    return change !== undefined && change.atMs >= sinceMs;
  }

  lastBreakerChange(
    life: number,
    provider: ProviderName,
    state?: 'closed',
  ): BreakerChange | undefined {
    return this.#breakers.findLast(
      (change) =>
        change.life === life &&
        change.provider === provider &&
        (state === undefined || change.state === state),
    );
  }
}

/** Outcomes after which nothing may be tried again. */
export function isPermanent(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && outcome.kind !== 'retry';
}

/** Ends that leave open whether the provider took the push. */
export function isUncertain(outcome: Outcome | undefined): boolean {
  return outcome?.kind === 'retry' && outcome.certainty === 'uncertain';
}

/** Its row is there although the process was told that it is not. */
export function isGhost(delivery: DeliveryRecord): boolean {
  return delivery.insert === 'refused' && delivery.isStored;
}
