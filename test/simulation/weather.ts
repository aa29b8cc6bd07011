// What goes wrong in a run, and when: drawn once from the seed before anything happens.

import type { StoreUnavailableError } from '../../src/core/ports/store.ts';
import type { ProviderName } from '../../src/core/target.ts';
import type { Random } from './random.ts';

/** How a provider behaves for a while. */
export type Sky =
  | 'calm'
  /** Takes nothing, answers nothing. */
  | 'hanging'
  /** Answers late, often after the deadline, though it took the push. */
  | 'slow'
  /** Refuses connections. */
  | 'dark'
  | 'failing_500'
  | 'failing_503'
  /** 503 with Retry-After. */
  | 'overloaded'
  /** Breaks connections after the request was written. */
  | 'resetting'
  /** A bit of everything. */
  | 'mixed'
  /** Says of every token that it is dead. */
  | 'wrong_environment'
  /** Refuses our credentials. */
  | 'forbidding';

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface SkySpan extends Span {
  readonly sky: Sky;
}

export interface DiskSpan extends Span {
  readonly trouble:
    | {
        readonly kind: 'refusing';
        readonly reason: StoreUnavailableError['reason'];
        readonly alsoReads: boolean;
      }
    /** Commits, and says that it could not. */
    | { readonly kind: 'lying' }
    | { readonly kind: 'slow'; readonly extraMs: number };
}

export type Interruption =
  | { readonly kind: 'crash'; readonly atMs: number; readonly downMs: number }
  | { readonly kind: 'stop'; readonly atMs: number; readonly downMs: number }
  | { readonly kind: 'jump'; readonly atMs: number; readonly byMs: number };

export interface Weather {
  readonly skies: Readonly<Record<ProviderName, readonly SkySpan[]>>;
  readonly disk: readonly DiskSpan[];
  readonly interruptions: readonly Interruption[];
  /** Instants at which hundreds of calls come at once. */
  readonly floodsAtMs: readonly number[];
  /** From here on all is calm, so that what is open can end. */
  readonly untilMs: number;
}

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

const SKIES: Readonly<Record<Exclude<Sky, 'calm'>, number>> = {
  hanging: 3,
  slow: 2,
  dark: 2,
  failing_500: 2,
  failing_503: 2,
  overloaded: 2,
  resetting: 2,
  mixed: 4,
  wrong_environment: 2,
  forbidding: 1,
};
const REASONS = ['full', 'locked', 'read_only', 'io', 'busy'] as const;

export function drawWeather(random: Random, untilMs: number): Weather {
  return {
    skies: { apns: drawSkies(random, untilMs), fcm: drawSkies(random, untilMs) },
    disk: drawDisk(random, untilMs),
    interruptions: drawInterruptions(random, untilMs),
    floodsAtMs: drawTimes(random, untilMs, { everyMs: 180 * SECOND }),
    untilMs,
  };
}

function drawSkies(random: Random, untilMs: number): readonly SkySpan[] {
  const spans: SkySpan[] = [];
  for (let atMs = random.between(5, 40) * SECOND; atMs < untilMs; ) {
    const sky = random.choose(SKIES);
    const toMs = Math.min(untilMs, atMs + random.between(0.5, 45) * SECOND);
    spans.push({ fromMs: atMs, toMs, sky });
    atMs = toMs + random.between(5, 60) * SECOND;
  }
  return spans;
}

function drawDisk(random: Random, untilMs: number): readonly DiskSpan[] {
  const spans: DiskSpan[] = [];
  for (let atMs = random.between(20, 80) * SECOND; atMs < untilMs; ) {
    const kind = random.choose({ refusing: 4, lying: 1, slow: 3 });
    const toMs = Math.min(untilMs, atMs + drawLength(random, kind));
    spans.push({ fromMs: atMs, toMs, trouble: drawTrouble(random, kind) });
    atMs = toMs + random.between(20, 120) * SECOND;
  }
  return spans;
}

/** Now and then it lasts for longer than a lease. */
function drawLength(random: Random, kind: DiskSpan['trouble']['kind']): number {
  if (kind === 'lying') return 300;
  return kind === 'refusing' && random.chance(0.25)
    ? random.between(32, 50) * SECOND
    : random.between(0.2, 12) * SECOND;
}

function drawTrouble(random: Random, kind: DiskSpan['trouble']['kind']): DiskSpan['trouble'] {
  switch (kind) {
    case 'refusing':
      return { kind, reason: random.pick(REASONS), alsoReads: random.chance(0.5) };
    case 'slow':
      return { kind, extraMs: random.between(200, 3_000) };
    case 'lying':
      return { kind };
  }
}

function drawInterruptions(random: Random, untilMs: number): readonly Interruption[] {
  const downMs = () => random.between(0.1, 4) * SECOND;
  const byMs = () => random.between(-10, 10) * HOUR;
  const found: Interruption[] = [
    ...drawTimes(random, untilMs, { everyMs: 90 * SECOND }).map(
      (atMs): Interruption => ({ kind: 'crash', atMs, downMs: downMs() }),
    ),
    ...drawTimes(random, untilMs, { everyMs: 240 * SECOND }).map(
      (atMs): Interruption => ({ kind: 'stop', atMs, downMs: downMs() }),
    ),
    ...drawTimes(random, untilMs, { everyMs: 200 * SECOND }).map(
      (atMs): Interruption => ({ kind: 'jump', atMs, byMs: byMs() }),
    ),
  ];
  return found.sort((one, other) => one.atMs - other.atMs);
}

function drawTimes(
  random: Random,
  untilMs: number,
  { everyMs }: { readonly everyMs: number },
): readonly number[] {
  const times: number[] = [];
  let atMs = random.between(0.2, 1.5) * everyMs;
  while (atMs < untilMs) {
    times.push(atMs);
    atMs += random.between(0.2, 1.8) * everyMs;
  }
  return times;
}

export function spanAt<Kind extends Span>(spans: readonly Kind[], atMs: number): Kind | undefined {
  return spans.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
}

/** Whether a provider did nothing but what it should, for long enough that nothing of earlier days is left. */
export function wasCalm(spans: readonly SkySpan[], fromMs: number, toMs: number): boolean {
  return !spans.some((span) => span.fromMs <= toMs && span.toMs + SKY_AFTERMATH_MS >= fromMs);
}

/** Attempts, queues and the breaker of an outage are over this much later. */
const SKY_AFTERMATH_MS = 15_000;
/** What a slow disk began may end this much later. */
const DISK_AFTERMATH_MS = 8_000;

/** Whether the disk refused, lied or was slow between two times, or right before. */
export function hadDiskTrouble(weather: Weather, fromMs: number, toMs: number): boolean {
  return weather.disk.some(
    (span) => span.fromMs <= toMs && span.toMs + DISK_AFTERMATH_MS >= fromMs,
  );
}
