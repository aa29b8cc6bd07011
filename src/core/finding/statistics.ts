// Figures over a period: for each app and provider how many pushes were delivered and how fast, and why the others
// were not. From the log, so they hold across restarts.

import type { CountedPage, CountOptions, DeliveryCount, RefusalCount } from '../ports/log.ts';
import { REPEATED } from '../ports/records.ts';
import type { ProviderName } from '../target.ts';

/** Takes a few milliseconds to read. */
const PAGE_ROWS = 2_000;
/** Above this, `tokens` is a lower bound. */
const MAX_TOKENS_COUNTED = 10_000;

export type CountPage = (options: CountOptions) => CountedPage | Promise<CountedPage>;

export interface Statistics {
  readonly sinceMs: number;
  readonly lanes: readonly LaneFigures[];
  /** Calls that were refused before a push, by app; they name no provider. */
  readonly refused: readonly { readonly app?: string | undefined; readonly count: number }[];
  /** The most frequent first. */
  readonly whyNot: readonly WhyNot[];
}

export interface LaneFigures {
  readonly app: string;
  readonly provider: ProviderName;
  readonly delivered: number;
  readonly expired: number;
  /** The token, the message or our credentials: `whyNot` says which. */
  readonly rejected: number;
  readonly queued: number;
  /** From receipt to the provider's acceptance; absent if nothing was delivered. */
  readonly p50Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
}

export interface WhyNot {
  /** The status of the deliveries, or `refused`. */
  readonly status: string;
  readonly reason: string;
  readonly app?: string | undefined;
  readonly provider?: ProviderName | undefined;
  readonly count: number;
  /** How many different tokens, as far as they are known. */
  readonly tokens: number;
}

export async function readStatistics(
  countPage: CountPage,
  { sinceMs }: { readonly sinceMs: number },
): Promise<Statistics> {
  const tally = new Tally();
  for (const table of ['deliveries', 'refusals'] as const) {
    let beforeRowId: number | undefined;
    do {
      const page = await countPage({ of: table, sinceMs, beforeRowId, maxRows: PAGE_ROWS });
      for (const count of page.deliveries) tally.addDelivery(count);
      for (const count of page.refusals) tally.addRefusal(count);
      beforeRowId = page.nextRowId;
    } while (beforeRowId !== undefined);
  }
  return tally.read(sinceMs);
}

interface LaneCounts {
  readonly app: string;
  readonly provider: ProviderName;
  readonly byStatus: Map<string, number>;
  /** How many deliveries took each number of milliseconds. */
  readonly latencies: Map<number, number>;
}

interface Reason extends Omit<WhyNot, 'count' | 'tokens'> {
  readonly tokens: Set<string>;
  count: number;
}

class Tally {
  readonly #lanes = new Map<string, LaneCounts>();
  readonly #refused = new Map<string | undefined, number>();
  readonly #reasons = new Map<string, Reason>();

  addDelivery({ app, provider, status, reason, afterMs, tokenHash, count }: DeliveryCount): void {
    const lane = this.#laneOf(app, provider);
    add(lane.byStatus, status, count);
    if (afterMs !== undefined) add(lane.latencies, afterMs, count);
    if (status === 'delivered' || status === 'queued') return;
    // Of an end without a reason the log says `delivery_overdue`: nothing could send it in time.
    const kind = { status, reason: reason ?? 'overdue', app, provider };
    this.#addReason(kind, tokenHash, count);
  }

  addRefusal({ app, code, tokenHash, count }: RefusalCount): void {
    if (code === REPEATED) return;
    add(this.#refused, app, count);
    this.#addReason({ status: 'refused', reason: code, app }, tokenHash, count);
  }

  read(sinceMs: number): Statistics {
    return {
      sinceMs,
      lanes: [...this.#lanes.values()].map(figuresOf).toSorted(byName),
      refused: [...this.#refused].map(([app, count]) => ({ app, count })),
      whyNot: [...this.#reasons.values()]
        .map(({ tokens, ...reason }) => ({ ...reason, tokens: tokens.size }))
        .toSorted((one, other) => other.count - one.count),
    };
  }

  #laneOf(app: string, provider: ProviderName): LaneCounts {
    const name = `${app}\n${provider}`;
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const lane: LaneCounts = { app, provider, byStatus: new Map(), latencies: new Map() };
    this.#lanes.set(name, lane);
    return lane;
  }

  #addReason(
    kind: Omit<WhyNot, 'count' | 'tokens'>,
    tokenHash: string | undefined,
    count: number,
  ): void {
    const name = JSON.stringify(kind);
    const reason = this.#reasons.get(name) ?? { ...kind, count: 0, tokens: new Set<string>() };
    this.#reasons.set(name, reason);
    reason.count += count;
    if (tokenHash !== undefined && reason.tokens.size < MAX_TOKENS_COUNTED) {
      reason.tokens.add(tokenHash);
    }
  }
}

export function add<Key>(sums: Map<Key, number>, key: Key, count: number): void {
  sums.set(key, (sums.get(key) ?? 0) + count);
}

function figuresOf({ app, provider, byStatus, latencies }: LaneCounts): LaneFigures {
  const of = (status: string) => byStatus.get(status) ?? 0;
  const sorted = [...latencies].toSorted(([one], [other]) => one - other);
  return {
    app,
    provider,
    delivered: of('delivered'),
    expired: of('expired'),
    rejected: of('rejected') + of('unregistered') + of('misconfigured'),
    queued: of('queued'),
    p50Ms: percentileOf(sorted, 0.5),
    p99Ms: percentileOf(sorted, 0.99),
  };
}

function byName(one: LaneFigures, other: LaneFigures): number {
  return `${one.app}\n${one.provider}`.localeCompare(`${other.app}\n${other.provider}`);
}

/** The nearest rank: a value that was measured. */
export function percentileOf(
  sorted: readonly (readonly [ms: number, count: number])[],
  share: number,
): number | undefined {
  const all = sorted.reduce((sum, [, count]) => sum + count, 0);
  let before = 0;
  return sorted.find(([, count]) => {
    before += count;
    return before >= share * all;
  })?.[0];
}
