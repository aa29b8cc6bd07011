// Tokens that a provider called dead or bad, which tokens ever worked, and the doubt that sets in when
// suddenly many that worked seem dead: then the configuration is suspected and nobody is condemned.

import type { Outcome } from '../outcome.ts';
import type { Clock } from '../ports/clock.ts';
import type { Trust } from '../ports/provider.ts';
import type { QuarantineEntry } from '../ports/store.ts';
import { Recency } from '../recency.ts';
import type { ProviderName } from '../target.ts';

const MINUTE_MS = 60_000;
/** The last sends to proven tokens that are looked at, and how many dead ones among them raise doubt. */
const DOUBT_WINDOW = 40;
const DOUBT_ABOVE = DOUBT_WINDOW / 2;

export interface QuarantineOptions {
  /** How long a dead token is answered without asking the provider. */
  readonly unregisteredMs: number;
  /** How long a bad token is; short, since a mistake in the vendor's settings may be mended any minute. */
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

/** What `report` made of an outcome. */
export interface Verdict {
  /** A new entry that has to be stored. */
  readonly condemned?: QuarantineEntry;
  /** Entries made while the doubt was growing; they have to be released in the store, too. */
  readonly pardoned?: readonly string[];
  /** Doubt about this app's configuration began or ended with this outcome. */
  readonly doubt?: 'began' | 'ended';
  /** The token seems dead, but the configuration is the likelier cause. */
  readonly doubted?: true;
}

interface Send {
  readonly atMs: number;
  readonly dead: boolean;
  readonly tokenHash: string;
}

export class Quarantine {
  readonly #clock: Clock;
  readonly #options: QuarantineOptions;
  readonly #entries = new Map<string, QuarantineEntry>();
  readonly #proven: Recency<true>;
  readonly #recent = new Map<string, Send[]>();
  readonly #doubted = new Set<string>();

  constructor(clock: Clock, options: QuarantineOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#proven = new Recency(options.maxProvenTokens);
  }

  /** What the log remembers, at start. */
  load(entries: readonly QuarantineEntry[], provenTokens: readonly string[]): void {
    for (const entry of entries.toReversed()) this.#entries.set(entry.tokenHash, entry);
    for (const tokenHash of provenTokens.toReversed()) this.#prove(tokenHash);
  }

  /** The entry of a token whose quarantine lasts. */
  find(tokenHash: string): QuarantineEntry | undefined {
    const entry = this.#entries.get(tokenHash);
    if (entry === undefined || entry.untilMs > this.#clock.nowMs()) return entry;
    this.#entries.delete(tokenHash);
    return undefined;
  }

  trustOf(tokenHash: string): Trust {
    return this.#proven.has(tokenHash) ? 'proven' : 'unproven';
  }

  release(tokenHash: string): void {
    this.#entries.delete(tokenHash);
  }

  /** Why an app's configuration is doubted, for readiness; nothing if it is not. */
  doubtOf(app: string, provider: ProviderName): string | undefined {
    if (!this.#doubted.has(laneKey(app, provider))) return undefined;
    return provider === 'apns'
      ? 'most tokens that worked before come back dead: check APNS_ENVIRONMENT, APNS_TOPIC and the key'
      : 'most tokens that worked before come back dead: check the Firebase project and its credentials';
  }

  /** Learns from a provider's answer about a token. */
  report(token: TokenOf, outcome: Outcome): Verdict {
    const dead = isDead(outcome);
    if (!dead && outcome.kind !== 'delivered') return {};
    const worked = this.#proven.has(token.tokenHash);
    const doubt = worked ? this.#weigh(token, dead) : {};
    if (!dead) {
      this.#prove(token.tokenHash);
      this.#entries.delete(token.tokenHash);
      return doubt;
    }
    if (this.#doubted.has(laneKey(token.app, token.provider))) {
      return worked ? { ...doubt, doubted: true } : doubt;
    }
    const condemned = this.#condemn(token, outcome);
    return condemned === undefined ? doubt : { ...doubt, condemned };
  }

  #weigh(token: TokenOf, dead: boolean): Verdict {
    const nowMs = this.#clock.nowMs();
    const lane = laneKey(token.app, token.provider);
    const sends = this.#recentOf(lane);
    sends.push({ atMs: nowMs, dead, tokenHash: token.tokenHash });
    while (sends.length > DOUBT_WINDOW || isOver(sends[0], nowMs)) sends.shift();
    if (!dead && !this.#doubted.has(lane)) return {};
    const deadOnes = sends.filter((send) => send.dead);
    const doubted = deadOnes.length > DOUBT_ABOVE;
    if (doubted === this.#doubted.has(lane)) return {};
    if (!doubted) {
      this.#doubted.delete(lane);
      return { doubt: 'ended' };
    }
    this.#doubted.add(lane);
    const pardoned = deadOnes
      .map((send) => send.tokenHash)
      .filter((tokenHash) => this.#entries.delete(tokenHash));
    // They had worked, and were forgotten as such only because they were condemned.
    for (const tokenHash of pardoned) this.#prove(tokenHash);
    return { doubt: 'began', pardoned };
  }

  #recentOf(lane: string): Send[] {
    const known = this.#recent.get(lane);
    if (known !== undefined) return known;
    const sends: Send[] = [];
    this.#recent.set(lane, sends);
    return sends;
  }

  #condemn(token: TokenOf, outcome: Outcome): QuarantineEntry | undefined {
    const nowMs = this.#clock.nowMs();
    const unregistered = outcome.kind === 'unregistered';
    if (!unregistered && outcome.kind !== 'rejected') return undefined;
    const entry: QuarantineEntry = {
      ...token,
      kind: unregistered ? 'unregistered' : 'bad_token',
      reason: outcome.reason,
      sinceMs: nowMs,
      untilMs: nowMs + (unregistered ? this.#options.unregisteredMs : this.#options.badTokenMs),
      ...(unregistered && outcome.sinceMs !== undefined
        ? { providerSinceMs: outcome.sinceMs }
        : {}),
    };
    if (unregistered) this.#proven.delete(token.tokenHash);
    this.#entries.delete(token.tokenHash);
    this.#entries.set(token.tokenHash, entry);
    dropOldest(this.#entries, this.#options.maxEntries);
    return entry;
  }

  #prove(tokenHash: string): void {
    this.#proven.use(tokenHash, true);
  }
}

function isDead(outcome: Outcome): boolean {
  return (
    outcome.kind === 'unregistered' || (outcome.kind === 'rejected' && outcome.blame === 'token')
  );
}

function laneKey(app: string, provider: ProviderName): string {
  return `${app}\n${provider}`;
}

function dropOldest(
  collection: { readonly size: number; keys(): Iterator<string>; delete(key: string): boolean },
  max: number,
): void {
  while (collection.size > max) {
    const oldest = collection.keys().next();
    if (oldest.done === true) return;
    collection.delete(oldest.value);
  }
}

function isOver(send: Send | undefined, nowMs: number): boolean {
  return send !== undefined && send.atMs <= nowMs - MINUTE_MS;
}
