// What happened in a run, as an observer outside of every process sees it: calls and answers, deliveries and attempts,
// commits and deaths. The rules are checked against this journal.

import { createHash } from 'node:crypto';
import type { DeliveryStatus } from '../../src/core/delivery.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import type { Trust } from '../../src/core/ports/provider.ts';
import type { Platform, ProviderName } from '../../src/core/target.ts';
import { Fleet } from './fleet.ts';
import { tokenHashOf } from './ids.ts';
import { Outages } from './outages.ts';
import type { Timeline } from './timeline.ts';

/** One try at a provider's model. Times are those of the simulated world. */
export interface AttemptRecord {
  readonly delivery: DeliveryRecord;
  readonly provider: ProviderName;
  /** The life of the service that made it. */
  readonly life: number;
  readonly trust: Trust;
  readonly startedAtMs: number;
  /** Present if the breaker was open: the number of the outage that this try probes, counted from 1 in each life. */
  readonly probeOf?: number;
  /** It began at the end of its useful life, when it is sent even though the breaker is open. */
  isLastMoment?: boolean;
  /** When the provider took the push, if it did. */
  takenAtMs?: number;
  /** When a living process learned the outcome; absent if it died before. */
  endedAtMs?: number;
  outcome?: Outcome;
  /** How the core understood the outcome, which may differ from the provider's answer. */
  understood?: Outcome['kind'];
  /** The adapter threw. */
  hasThrown?: boolean;
  /** An answer that comes after the deadline; the process gets it if it is still alive. */
  late?: { readonly outcome: Outcome; readonly atMs: number };
}

export interface DeliveryRecord {
  readonly id: string;
  readonly token: string;
  readonly platform: Platform;
  readonly type: string;
  readonly lifetimeMs: number;
  /** The life in which it was accepted. */
  readonly life: number;
  readonly call: CallRecord | undefined;
  /** Service time at which it was accepted, and at which its lifetime ends. */
  readonly receivedMs: number;
  expiresMs: number;
  readonly acceptedAtMs: number;
  readonly attempts: AttemptRecord[];
  /** What the process was told about its row, and whether the row exists. */
  insert: 'pending' | 'told' | 'refused';
  isStored: boolean;
  /** The last planned try that was committed, in the world's time. */
  due?: { readonly life: number; readonly atMs: number };
  /** The attempts that were committed, by number. */
  readonly logged: { readonly life: number; readonly number: number }[];
  /** How many of them the provider left unanswered. */
  unansweredLogged: number;
  /** Whether it is under way according to the disk: leased, so that a restart makes it due. */
  isLeased: boolean;
  /** The life that leases it. */
  leasedBy?: number;
  /** It was pushed without its key, because the shared store did not answer in time. */
  isUnclaimed?: true;
  /** When a repeat last gave it a new lifetime. */
  renewedAtMs?: number;
  /** Its end in the database. */
  final?: {
    readonly status: DeliveryStatus;
    readonly reason?: string | undefined;
    readonly atMs: number;
    readonly life: number;
  };
  /** Its end according to the last process, which may not be in the store yet. */
  seenEnd?: { readonly status: DeliveryStatus; readonly atMs: number; readonly life: number };
}

export type Told =
  | {
      readonly status: 'delivered' | 'queued' | 'duplicate' | 'ignored';
      readonly id: string;
      readonly logged?: false;
    }
  | { readonly status: 'replied' }
  | { readonly status: 'refused'; readonly code: ErrorCode; readonly id?: string };

export interface CallRecord {
  readonly number: number;
  readonly life: number;
  readonly isQuestion: boolean;
  readonly platform: Platform;
  readonly token: string;
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

/** Lines kept to analyse a failure. */
const KEPT_LINES = 4_000;

/** How a life ended. */
export interface LifeEnd {
  readonly kind: 'crash' | 'stop';
  readonly atMs: number;
}

/** A token that its provider holds back, as a process learned it. */
export interface Hold {
  readonly life: number;
  readonly provider: ProviderName;
  readonly setAtMs: number;
  readonly untilMs: number;
}

export class Journal {
  /** When each life began to serve. */
  readonly begins = new Map<number, number>();
  /** When the wall clock jumped. */
  readonly jumpsAtMs: number[] = [];
  /** Every hold that a process reported. */
  readonly allHolds: (Hold & { readonly tokenHash: string })[] = [];
  /** When a provider's tokens were last pardoned because too many seemed dead; this ends their holds, too. */
  readonly pardonsAtMs = new Map<ProviderName, number>();
  /** When the deliveries that wait for a provider were last made due in the store, which may be slow. */
  readonly hastenedAtMs = new Map<ProviderName, number>();
  /** By the token's fingerprint, as in the core. */
  readonly holds = new Map<string, Hold>();
  /** When a life last got an answer from a provider that shows that it works. */
  readonly #heardAtMs = new Map<string, number>();
  readonly ends = new Map<number, LifeEnd>();
  readonly deliveries = new Map<string, DeliveryRecord>();
  /** Results of claims of keys that came before the process reported that it accepted the delivery. */
  readonly claims = new Map<string, { storedBy?: number; insert?: 'told' | 'refused' }>();
  readonly calls: CallRecord[] = [];
  readonly violations: Violation[] = [];
  readonly counts = new Map<string, number>();
  readonly lines: string[] = [];
  /** What each life knew about the providers. */
  readonly outages = new Outages();
  readonly #timeline: Timeline;
  readonly #hash = createHash('sha256');
  readonly #print: ((line: string) => void) | undefined;

  /** Present if several machines share the store. */
  readonly fleet: Fleet | undefined;
  /** When the quarantine of a token was last lifted in the store. */
  readonly releasedAtMs = new Map<string, number>();

  constructor(
    timeline: Timeline,
    {
      isShared,
      print,
    }: { readonly isShared: boolean; readonly print: ((line: string) => void) | undefined },
  ) {
    this.#timeline = timeline;
    this.fleet = isShared ? new Fleet() : undefined;
    this.#print = print;
  }

  /** Everything that happened, as one number: two runs of one seed must give the same number. */
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

  /** Only violations of the first moment count; later ones may be consequences, or come from breaking off. */
  violate(rule: string, detail: string): void {
    const first = this.violations[0];
    if (first !== undefined && first.atMs < this.#timeline.nowMs) return;
    this.violations.push({ rule, detail, atMs: this.#timeline.nowMs });
    this.note('VIOLATION', `${rule}: ${detail}`);
  }

  /** A token is held back, at least as long as an earlier answer said, if this life knows about that. */
  held(
    tokenHash: string,
    given: { readonly life: number; readonly provider: ProviderName; readonly forMs: number },
  ): void {
    const { life, provider, forMs } = given;
    const earlier = this.holds.get(tokenHash);
    // Whether an earlier life's hold was remembered is checked by another rule.
    const isKnown = earlier?.life === life;
    const setAtMs = this.#timeline.nowMs;
    const untilMs = Math.max(setAtMs + forMs, isKnown ? earlier.untilMs : 0);
    const hold = { life, provider, setAtMs, untilMs };
    this.holds.set(tokenHash, hold);
    this.allHolds.push({ ...hold, tokenHash });
  }

  /** Whether the wall clock jumped since a life began: the service time of a later life then differs from its own. */
  hasJumpedSince(life: number, untilMs = Number.POSITIVE_INFINITY): boolean {
    return this.hasJumped(this.begins.get(life) ?? 0, untilMs);
  }

  /** Whether the wall clock jumped in this span: a later life then misreads the wall times of earlier rows. */
  hasJumped(fromMs: number, untilMs = Number.POSITIVE_INFINITY): boolean {
    return this.jumpsAtMs.some((atMs) => atMs >= fromMs && atMs <= untilMs);
  }

  /** Whether a hold of this token was set in a life since which the wall clock jumped. */
  isHoldShifted(token: string, untilMs?: number): boolean {
    const hash = tokenHashOf(token);
    const holds = this.allHolds.filter(({ tokenHash }) => tokenHash === hash);
    return holds.some(({ life }) => this.hasJumpedSince(life, untilMs));
  }

  heard(life: number, provider: ProviderName): void {
    this.#heardAtMs.set(`${life} ${provider}`, this.#timeline.nowMs);
  }

  lastHeardAtMs(life: number, provider: ProviderName): number | undefined {
    return this.#heardAtMs.get(`${life} ${provider}`);
  }
}

/** Outcomes that leave open whether the provider took the push. */
export function isUncertain(outcome: Outcome | undefined): boolean {
  if (outcome?.kind !== 'retry') return false;
  return outcome.certainty === 'uncertain' || outcome.certainty === 'unanswered';
}

export function isUnanswered({ outcome }: AttemptRecord): boolean {
  return outcome?.kind === 'retry' && outcome.certainty === 'unanswered';
}

/** News that must stay open: its credentials are wrong, or its token is held back for long. */
export function isKeptForLong(delivery: DeliveryRecord, journal: Journal, nowMs: number): boolean {
  if (delivery.lifetimeMs <= 60_000 || delivery.final !== undefined) return false;
  const tokenHash = tokenHashOf(delivery.token);
  const holds = journal.allHolds.filter((hold) => hold.tokenHash === tokenHash);
  const isHeld = holds.some(({ untilMs }) => untilMs > nowMs);
  return (
    isHeld ||
    journal.isHoldShifted(delivery.token) ||
    delivery.attempts.at(-1)?.understood === 'misconfigured'
  );
}

/** Its row exists although the process was told that it does not. */
export function isGhost(delivery: DeliveryRecord): boolean {
  return delivery.insert === 'refused' && delivery.isStored;
}
