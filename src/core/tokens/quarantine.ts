// What is known about tokens: which ones a provider called dead or bad and until when they are refused, which are
// throttled and until when they are held back, and which ones ever worked.

import type { Outcome } from '../outcome.ts';
import type { Clock } from '../ports/clock.ts';
import type { Trust } from '../ports/provider.ts';
import type { QuarantineEntry } from '../ports/store.ts';
import type { ProviderName } from '../target.ts';
import { Recent } from './recent.ts';

export interface QuarantineOptions {
  /** How long a dead token is answered without asking the provider. */
  readonly unregisteredMs: number;
  /** How long for a bad token; short, because a mistake in the vendor's settings may be fixed any minute. */
  readonly badTokenMs: number;
  readonly maxEntries: number;
  readonly maxProvenTokens: number;
}

/** Whose token it was. */
export interface TokenOf {
  readonly app: string;
  readonly provider: ProviderName;
  readonly tokenHash: string;
}

/** The entry has wall times, for the log and its readers; service time decides what is sent. */
interface Kept {
  readonly entry: QuarantineEntry;
  /** Service time. */
  readonly endsAtMs: number;
}

export class Quarantine {
  readonly #clock: Clock;
  readonly #options: QuarantineOptions;
  readonly #refused: Recent<Kept>;
  readonly #held: Recent<Kept>;
  /** Since when (service time) each token is known to work. */
  readonly #proven: Recent<number>;

  constructor(clock: Clock, options: QuarantineOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#refused = new Recent(options.maxEntries);
    this.#held = new Recent(options.maxEntries);
    this.#proven = new Recent(options.maxProvenTokens);
  }

  /**
   * Loads what the log remembers, at start; both lists newest first. Returns entries that changed and have to be
   * stored.
   */
  load(
    entries: readonly QuarantineEntry[],
    provenTokens: readonly string[],
  ): readonly QuarantineEntry[] {
    const wallMs = this.#clock.wallMs();
    const changed: QuarantineEntry[] = [];
    for (const stored of entries.toReversed()) {
      const entry = notFromFuture(stored, wallMs);
      if (entry !== stored) changed.push(entry);
      const kept = entry.kind === 'throttled' ? this.#held : this.#refused;
      kept.use(entry.tokenHash, this.#kept(entry));
    }
    for (const tokenHash of provenTokens.toReversed()) this.#proven.use(tokenHash, 0);
    return changed;
  }

  /** Takes over another machine's hold, unless a longer one is known here. */
  learn(hold: QuarantineEntry): void {
    const learned = this.#kept(hold);
    const knownMs = this.findHold(hold.tokenHash)?.endsAtMs ?? 0;
    if (learned.endsAtMs > knownMs) this.#held.use(hold.tokenHash, learned);
  }

  /** The entry of a token that is refused without asking the provider. */
  find(tokenHash: string): QuarantineEntry | undefined {
    return this.#lasting(this.#refused, tokenHash)?.entry;
  }

  /** The entry of a token that the provider throttles: nothing is sent to it before `endsAtMs`. */
  findHold(tokenHash: string): Kept | undefined {
    return this.#lasting(this.#held, tokenHash);
  }

  /** How many tokens are refused now. */
  countRefused(): number {
    const nowMs = this.#clock.nowMs();
    return this.#refused.count(({ endsAtMs }) => endsAtMs > nowMs);
  }

  trustOf(tokenHash: string): Trust {
    return this.#proven.has(tokenHash) ? 'proven' : 'unproven';
  }

  /** For how long the token has been known to work; `undefined` if it never did. */
  provenForMs(tokenHash: string): number | undefined {
    const sinceMs = this.#proven.get(tokenHash);
    return sinceMs === undefined ? undefined : this.#clock.nowMs() - sinceMs;
  }

  /** Forgets what a provider said about the token. */
  release(tokenHash: string): boolean {
    const wasHeld = this.#held.delete(tokenHash);
    return this.#refused.delete(tokenHash) || wasHeld;
  }

  /** The store says that another machine released the token; a hold stays, and so does an entry that is newer. */
  absolve(entry: QuarantineEntry): void {
    if (this.#refused.get(entry.tokenHash)?.entry === entry) this.#refused.delete(entry.tokenHash);
  }

  /** Forgets everything about the token, including that it worked. */
  forget(tokenHash: string): void {
    this.release(tokenHash);
    this.#proven.delete(tokenHash);
  }

  /** The provider accepted a push. True if the token had been refused until now. */
  prove(tokenHash: string): boolean {
    this.#proven.use(tokenHash, this.#proven.get(tokenHash) ?? this.#clock.nowMs());
    return this.#refused.delete(tokenHash);
  }

  /** Refuses a dead or bad token from now on. The entry has to be stored. */
  condemn(
    token: TokenOf,
    outcome: Extract<Outcome, { kind: 'unregistered' | 'rejected' }>,
  ): QuarantineEntry {
    const { unregisteredMs, badTokenMs } = this.#options;
    const isDead = outcome.kind === 'unregistered';
    const forMs = isDead ? unregisteredMs : badTokenMs;
    const sinceMs = this.#clock.wallMs();
    const providerSinceMs = isDead ? outcome.sinceMs : undefined;
    const entry: QuarantineEntry = {
      ...token,
      kind: isDead ? 'unregistered' : 'bad_token',
      reason: outcome.reason,
      sinceMs,
      untilMs: sinceMs + forMs,
      providerSinceMs,
    };
    if (isDead) this.#proven.delete(token.tokenHash);
    this.#refused.use(token.tokenHash, this.#kept(entry));
    return entry;
  }

  /** Holds a throttled token back, at least as long as an earlier answer said. The entry has to be stored. */
  hold(token: TokenOf, { reason, forMs }: { readonly reason: string; readonly forMs: number }) {
    const nowMs = this.#clock.nowMs();
    const sinceMs = this.#clock.wallMs();
    const earlierMs = this.findHold(token.tokenHash)?.endsAtMs ?? 0;
    const endsAtMs = Math.max(nowMs + forMs, earlierMs);
    const untilMs = sinceMs + endsAtMs - nowMs;
    const entry: QuarantineEntry = { ...token, kind: 'throttled', reason, sinceMs, untilMs };
    this.#held.use(token.tokenHash, { entry, endsAtMs });
    return entry;
  }

  #kept(entry: QuarantineEntry): Kept {
    return { entry, endsAtMs: this.#clock.nowMs() + entry.untilMs - this.#clock.wallMs() };
  }

  #lasting(entries: Recent<Kept>, tokenHash: string): Kept | undefined {
    const kept = entries.get(tokenHash);
    if (kept === undefined || kept.endsAtMs > this.#clock.nowMs()) return kept;
    entries.delete(tokenHash);
    return undefined;
  }
}

/** The clock was set back while the service was down: the entry counts as made now, and lasts no longer. */
function notFromFuture(entry: QuarantineEntry, wallMs: number): QuarantineEntry {
  const aheadMs = entry.sinceMs - wallMs;
  if (aheadMs <= 0) return entry;
  return { ...entry, sinceMs: wallMs, untilMs: entry.untilMs - aheadMs };
}
