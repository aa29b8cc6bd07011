// The last hours of the log, hour by hour: how many pushes ended how, and how fast those were that arrived. Read at
// most twice a minute, however many viewers there are.

import type { Clock } from '../ports/clock.ts';
import type { DeliveryCount, RefusalCount } from '../ports/log.ts';
import { REPEATED } from '../ports/records.ts';
import { add, type CountPage, percentileOf } from './statistics.ts';

export const HOUR_MS = 3_600_000;
export const HOURS = 24;
const FRESH_MS = 30_000;
/** Takes a few milliseconds to read. */
const PAGE_ROWS = 2_000;
/** A few seconds of reading in all. Older rows are left out, and the history says so. */
const MAX_PAGES = 500;

export interface Hour {
  readonly beganAtMs: number;
  readonly delivered: number;
  readonly queued: number;
  /** Expired, rejected, unregistered, misconfigured. */
  readonly failed: number;
  /** Calls that were refused before a push. */
  readonly refused: number;
  readonly p50Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
}

export interface History {
  /** Oldest first, without gaps. */
  readonly hours: readonly Hour[];
  /** By app and provider, over all hours. */
  readonly p99OfLane: ReadonlyMap<string, number>;
  /** False if there was more than can be read. */
  readonly isComplete: boolean;
}

export function historyKey(app: string, provider: string): string {
  return `${app}\n${provider}`;
}

export class HistoryReader {
  readonly #countPage: CountPage;
  readonly #clock: Clock;
  #latest: { readonly atMs: number; readonly history: Promise<History> } | undefined;

  constructor(countPage: CountPage, clock: Clock) {
    this.#countPage = countPage;
    this.#clock = clock;
  }

  read(): Promise<History> {
    const nowMs = this.#clock.nowMs();
    if (this.#latest !== undefined && nowMs - this.#latest.atMs < FRESH_MS) {
      return this.#latest.history;
    }
    const history = readHistory(this.#countPage, this.#clock.wallMs());
    this.#latest = { atMs: nowMs, history };
    // The next viewer tries again.
    history.catch(() => {
      this.#latest = undefined;
    });
    return history;
  }
}

async function readHistory(countPage: CountPage, wallMs: number): Promise<History> {
  const lastMs = Math.floor(wallMs / HOUR_MS) * HOUR_MS;
  const sinceMs = lastMs - (HOURS - 1) * HOUR_MS;
  const tally = new Tally();
  let isComplete = true;
  for (const table of ['deliveries', 'refusals'] as const) {
    let beforeRowId: number | undefined;
    let pages = 0;
    do {
      const options = { of: table, sinceMs, beforeRowId, maxRows: PAGE_ROWS, spanMs: HOUR_MS };
      const page = await countPage(options);
      for (const count of page.deliveries) tally.addDelivery(count);
      for (const count of page.refusals) tally.addRefusal(count);
      beforeRowId = page.nextRowId;
      pages += 1;
    } while (beforeRowId !== undefined && pages < MAX_PAGES);
    if (beforeRowId !== undefined) isComplete = false;
  }
  const hours = Array.from({ length: HOURS }, (_, index) => tally.hour(sinceMs + index * HOUR_MS));
  return { hours, p99OfLane: tally.p99OfLane(), isComplete };
}

type Latencies = Map<number, number>;

class Tally {
  readonly #counts = new Map<string, number>();
  readonly #ofHour = new Map<string, Latencies>();
  readonly #ofLane = new Map<string, Latencies>();

  addDelivery({ beganAtMs, app, provider, status, afterMs, count }: DeliveryCount): void {
    const kind = status === 'delivered' || status === 'queued' ? status : 'failed';
    add(this.#counts, `${kind} ${beganAtMs}`, count);
    if (afterMs === undefined) return;
    add(latenciesOf(this.#ofHour, String(beganAtMs)), afterMs, count);
    add(latenciesOf(this.#ofLane, historyKey(app, provider)), afterMs, count);
  }

  addRefusal({ beganAtMs, code, count }: RefusalCount): void {
    if (code !== REPEATED) add(this.#counts, `refused ${beganAtMs}`, count);
  }

  hour(beganAtMs: number): Hour {
    const of = (kind: string) => this.#counts.get(`${kind} ${beganAtMs}`) ?? 0;
    const latencies = sorted(this.#ofHour.get(String(beganAtMs)));
    return {
      beganAtMs,
      delivered: of('delivered'),
      queued: of('queued'),
      failed: of('failed'),
      refused: of('refused'),
      p50Ms: percentileOf(latencies, 0.5),
      p99Ms: percentileOf(latencies, 0.99),
    };
  }

  p99OfLane(): ReadonlyMap<string, number> {
    const all = [...this.#ofLane].map(([lane, latencies]) => {
      return [lane, percentileOf(sorted(latencies), 0.99) ?? 0] as const;
    });
    return new Map(all);
  }
}

function latenciesOf(all: Map<string, Latencies>, key: string): Latencies {
  const known = all.get(key) ?? new Map<number, number>();
  all.set(key, known);
  return known;
}

function sorted(latencies: Latencies = new Map()): readonly (readonly [number, number])[] {
  return [...latencies].toSorted(([one], [other]) => one - other);
}
