// What goes wrong in a run, and when: drawn once from the seed before the run begins.

import type { StoreUnavailableError } from '../../src/core/ports/store.ts';
import type { ProviderName } from '../../src/core/target.ts';
import type { Random } from './random.ts';

/** How a provider behaves for a while. */
export const SKIES = [
  /** Everything works except for small mishaps; `perfect` has none. */
  'perfect',
  'calm',
  /** Answers no push, though it takes some. */
  'hanging',
  /** Answers late, often after the deadline, though it took the push. */
  'slow',
  /** Cannot be reached. */
  'dark',
  /** Answers with failures of its own. */
  'failing',
  /** The same, with Retry-After. */
  'overloaded',
  /** Too many pushes: for a phone, for the project, or without saying for which. */
  'throttling',
  /** Resets streams after the request was written; `losing` breaks connections. */
  'resetting',
  'losing',
  /** A mixture of all troubles. */
  'mixed',
  /** Answers for every token that it is dead. */
  'wrong_environment',
  /** Refuses the service's credentials. */
  'forbidding',
] as const;
export type Sky = (typeof SKIES)[number];

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
    /** Commits, but reports that it could not. */
    | { readonly kind: 'lying' }
    | { readonly kind: 'slow'; readonly extraMs: number };
}

export type Interruption =
  | { readonly kind: 'crash'; readonly atMs: number; readonly downMs: number }
  | { readonly kind: 'stop'; readonly atMs: number; readonly downMs: number }
  | { readonly kind: 'jump'; readonly atMs: number; readonly byMs: number }
  /** As by SIGSTOP. */
  | { readonly kind: 'pause'; readonly atMs: number; readonly forMs: number };

export interface Weather {
  readonly skies: Readonly<Record<ProviderName, readonly SkySpan[]>>;
  readonly disk: readonly DiskSpan[];
  readonly interruptions: readonly Interruption[];
  /** Moments at which hundreds of calls come at once. */
  readonly floodsAtMs: readonly number[];
  /** Times with few calls: one every few seconds, as at a small vendor. */
  readonly quietSpans: readonly Span[];
  /** From here on nothing goes wrong, so that open deliveries can end. */
  readonly untilMs: number;
}

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

const STORMS: Readonly<Record<Exclude<Sky, 'calm' | 'perfect'>, number>> = {
  hanging: 3,
  slow: 3,
  dark: 3,
  failing: 3,
  overloaded: 3,
  throttling: 3,
  resetting: 2,
  losing: 2,
  mixed: 4,
  wrong_environment: 2,
  forbidding: 1,
};
const REASONS = ['full', 'locked', 'read_only', 'io', 'busy'] as const;

export function drawWeather(random: Random, untilMs: number): Weather {
  return {
    skies: {
      apns: drawSkies(random, untilMs),
      // No app of the simulation has both environments.
      apns_sandbox: [],
      fcm: drawSkies(random, untilMs),
    },
    disk: drawDisk(random, untilMs),
    interruptions: drawInterruptions(random, untilMs),
    floodsAtMs: drawTimes(random, untilMs, { everyMs: 240 * SECOND }),
    quietSpans: drawQuietSpans(random, untilMs),
    untilMs,
  };
}

function drawSkies(random: Random, untilMs: number): readonly SkySpan[] {
  const spans: SkySpan[] = [];
  for (let atMs = random.between(5, 40) * SECOND; atMs < untilMs; ) {
    const sky = random.choose(STORMS);
    const toMs = Math.min(untilMs, atMs + drawStormMs(random));
    spans.push({ fromMs: atMs, toMs, sky });
    atMs = toMs + random.between(5, 60) * SECOND;
  }
  return spans;
}

/** Short outages as often as all others; a few last longer than any payment can wait. */
function drawStormMs(random: Random): number {
  if (random.chance(0.5)) return random.between(3, 15) * SECOND;
  return (random.chance(0.1) ? random.between(60, 110) : random.between(0.5, 45)) * SECOND;
}

/** Half of the run is quiet. */
function drawQuietSpans(random: Random, untilMs: number): readonly Span[] {
  const spans: Span[] = [];
  for (let atMs = random.between(0, 60) * SECOND; atMs < untilMs; ) {
    const toMs = Math.min(untilMs, atMs + random.between(30, 90) * SECOND);
    spans.push({ fromMs: atMs, toMs });
    atMs = toMs + random.between(30, 90) * SECOND;
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

/** Sometimes it lasts longer than a lease. */
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
    ...drawTimes(random, untilMs, { everyMs: 90 * SECOND }).flatMap((atMs) =>
      drawCrashes(random, atMs),
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

/** Sometimes the service dies again every two seconds. */
function drawCrashes(random: Random, atMs: number): readonly Interruption[] {
  const lives = random.chance(0.15) ? random.whole(3, 7) : 1;
  return Array.from({ length: lives }, (_, life) => ({
    kind: 'crash',
    atMs: atMs + life * 2 * SECOND,
    downMs: (lives === 1 ? random.between(0.1, 4) : 0.1) * SECOND,
  }));
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

/** What goes wrong with one of several machines, and with its way to the store that they share. */
export interface MachineWeather {
  readonly disk: readonly DiskSpan[];
  readonly interruptions: readonly Interruption[];
  /** How far its wall clock is ahead of the database's. */
  readonly aheadMs: number;
}

/** Few troubles, since the rules excuse every machine by the troubles of any of them. */
export function drawFleet(
  random: Random,
  { machines, untilMs }: { readonly machines: number; readonly untilMs: number },
): readonly MachineWeather[] {
  // PostgreSQL restarts, and all machines lose their connection.
  const restarts = drawTimes(random, untilMs, { everyMs: 300 * SECOND }).map((fromMs) => ({
    ...{ fromMs, toMs: fromMs + random.between(0.5, 10) * SECOND },
    trouble: UNREACHABLE,
  }));
  return Array.from({ length: machines }, () => ({
    disk: [...restarts, ...drawCuts(random, untilMs)],
    interruptions: drawFleetInterruptions(random, untilMs),
    aheadMs: random.pick([0, 1, -1]) * random.between(0, 5) * SECOND,
  }));
}

const UNREACHABLE = { kind: 'refusing', reason: 'unreachable', alsoReads: true } as const;

function drawCuts(random: Random, untilMs: number): readonly DiskSpan[] {
  return drawTimes(random, untilMs, { everyMs: 150 * SECOND }).map((fromMs) => {
    const kind = random.choose({ refusing: 3, lying: 1, slow: 2 });
    const toMs = fromMs + (kind === 'lying' ? 0.3 : random.between(0.2, 14)) * SECOND;
    const trouble = kind === 'refusing' ? UNREACHABLE : drawTrouble(random, kind);
    return { fromMs, toMs: Math.min(toMs, untilMs), trouble };
  });
}

function drawFleetInterruptions(random: Random, untilMs: number): readonly Interruption[] {
  const found: Interruption[] = [
    ...drawTimes(random, untilMs, { everyMs: 120 * SECOND }).flatMap((atMs) =>
      drawCrashes(random, atMs),
    ),
    ...drawTimes(random, untilMs, { everyMs: 200 * SECOND }).map(
      (atMs): Interruption => ({ kind: 'stop', atMs, downMs: random.between(0.1, 15) * SECOND }),
    ),
    ...drawTimes(random, untilMs, { everyMs: 150 * SECOND }).map(
      (atMs): Interruption => ({ kind: 'pause', atMs, forMs: random.between(0.1, 14) * SECOND }),
    ),
    ...drawTimes(random, untilMs, { everyMs: 300 * SECOND }).map(
      (atMs): Interruption => ({ kind: 'jump', atMs, byMs: random.between(-10, 10) * HOUR }),
    ),
  ];
  return found.sort((one, other) => one.atMs - other.atMs);
}

export function spanAt<Kind extends Span>(spans: readonly Kind[], atMs: number): Kind | undefined {
  return spans.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
}

/** Whether a provider worked without any fault, for long enough that earlier faults have no effect any more. */
export function wasCalm(spans: readonly SkySpan[], fromMs: number, toMs: number): boolean {
  return !spans.some((span) => span.fromMs <= toMs && span.toMs + SKY_AFTERMATH_MS >= fromMs);
}

/** The attempts, queues and open breaker of an outage are over this long after it. */
const SKY_AFTERMATH_MS = 15_000;
/** Operations that a slow disk delayed may end this much later. */
export const DISK_AFTERMATH_MS = 8_000;

/** Whether the disk refused, lied or was slow between two times, or right before. */
export function hadDiskTrouble(weather: Weather, fromMs: number, toMs: number): boolean {
  return weather.disk.some(
    (span) => span.fromMs <= toMs && span.toMs + DISK_AFTERMATH_MS >= fromMs,
  );
}
