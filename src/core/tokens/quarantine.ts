// What is known about tokens: which a provider called dead or bad and until when they are refused, which are
// throttled and until when they are held back, and which ever worked.

import type { Outcome } from '../outcome.ts';
import type { Clock } from '../ports/clock.ts';
import type { Trust } from '../ports/provider.ts';
import type { QuarantineEntry } from '../ports/store.ts';
import type { ProviderName } from '../target.ts';
import { Recent } from './recent.ts';

export interface QuarantineOptions {
  /** How long a dead token is answered without asking the provider. */
  readonly unregisteredMs: number;
  /** How long a bad token is; short, because a mistake in the vendor's settings may be fixed any minute. */
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

export class Quarantine {
  readonly #clock: Clock;
  readonly #options: QuarantineOptions;
  readonly #refused: Recent<QuarantineEntry>;
  readonly #held: Recent<QuarantineEntry>;
  /** Since when (service time) each token is known to work. */
  readonly #proven: Recent<number>;

  constructor(clock: Clock, options: QuarantineOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#refused = new Recent(options.maxEntries);
    this.#held = new Recent(options.maxEntries);
    this.#proven = new Recent(options.maxProvenTokens);
  }

  /** What the log remembers, at start; both newest first. Returns entries that changed and have to be stored. */
  load(
    entries: readonly QuarantineEntry[],
    provenTokens: readonly string[],
  ): readonly QuarantineEntry[] {
    const nowMs = this.#clock.nowMs();
    const changed: QuarantineEntry[] = [];
    for (const stored of entries.toReversed()) {
      const entry = notFromFuture(stored, nowMs);
      if (entry !== stored) changed.push(entry);
      this.#entriesOf(entry).use(entry.tokenHash, entry);
    }
    for (const tokenHash of provenTokens.toReversed()) this.#proven.use(tokenHash, 0);
    return changed;
  }

  /** Takes over another machine's hold, unless a longer one is known here. */
  learn(hold: QuarantineEntry): void {
    const knownMs = this.findHold(hold.tokenHash)?.untilMs ?? 0;
    if (hold.untilMs > knownMs) this.#held.use(hold.tokenHash, hold);
  }

  /** The entry of a token that is refused without asking the provider. */
  find(tokenHash: string): QuarantineEntry | undefined {
    return this.#lasting(this.#refused, tokenHash);
  }

  /** The entry of a token that the provider throttles: nothing is sent to it before `untilMs`. */
  findHold(tokenHash: string): QuarantineEntry | undefined {
    return this.#lasting(this.#held, tokenHash);
  }

  /** How many tokens are refused now. */
  countRefused(): number {
    const nowMs = this.#clock.nowMs();
    return this.#refused.count(({ untilMs }) => untilMs > nowMs);
  }

  trustOf(tokenHash: string): Trust {
    return this.#proven.has(tokenHash) ? 'proven' : 'unproven';
  }

  /** For how long the token has been known to work; `undefined` if it never did. */
  provenForMs(tokenHash: string): number | undefined {
    const sinceMs = this.#proven.get(tokenHash);
    return sinceMs === undefined ? undefined : this.#clock.nowMs() - sinceMs;
  }

  /** Forgets what a provider said of the token. */
  release(tokenHash: string): boolean {
    const wasHeld = this.#held.delete(tokenHash);
    return this.#refused.delete(tokenHash) || wasHeld;
  }

  /** The store says that another machine released the token; a hold stays, and so does an entry that is newer. */
  absolve(entry: QuarantineEntry): void {
    if (this.#refused.get(entry.tokenHash) === entry) this.#refused.delete(entry.tokenHash);
  }

  /** Forgets all that is known of the token, that it worked as well. */
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
    const sinceMs = this.#clock.nowMs();
    const providerSinceMs = isDead ? outcome.sinceMs : undefined;
    const entry: QuarantineEntry = {
      ...token,
      kind: isDead ? 'unregistered' : 'bad_token',
      reason: outcome.reason,
      sinceMs,
      untilMs: sinceMs + (isDead ? unregisteredMs : badTokenMs),
      providerSinceMs,
    };
    if (isDead) this.#proven.delete(token.tokenHash);
    this.#refused.use(token.tokenHash, entry);
    return entry;
  }

  /** Holds a throttled token back, never shorter than an earlier answer said. The entry has to be stored. */
  hold(token: TokenOf, { reason, forMs }: { readonly reason: string; readonly forMs: number }) {
    const sinceMs = this.#clock.nowMs();
    const earlierMs = this.findHold(token.tokenHash)?.untilMs ?? 0;
    const untilMs = Math.max(sinceMs + forMs, earlierMs);
    const entry: QuarantineEntry = { ...token, kind: 'throttled', reason, sinceMs, untilMs };
    this.#held.use(token.tokenHash, entry);
    return entry;
  }

  #entriesOf({ kind }: QuarantineEntry): Recent<QuarantineEntry> {
    return kind === 'throttled' ? this.#held : this.#refused;
  }

  #lasting(entries: Recent<QuarantineEntry>, tokenHash: string): QuarantineEntry | undefined {
    const entry = entries.get(tokenHash);
    if (entry === undefined || entry.untilMs > this.#clock.nowMs()) return entry;
    entries.delete(tokenHash);
    return undefined;
  }
}

/** The clock was set back while the service was down: the entry counts as made now, and lasts no longer. */
function notFromFuture(entry: QuarantineEntry, nowMs: number): QuarantineEntry {
  const aheadMs = entry.sinceMs - nowMs;
  if (aheadMs <= 0) return entry;
  return { ...entry, sinceMs: nowMs, untilMs: entry.untilMs - aheadMs };
}
