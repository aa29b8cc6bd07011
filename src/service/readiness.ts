// What /readyz says: able to deliver or not, and what an operator has to fix.

import { nameOfProvider, stateOf } from '../core/finding/words.ts';
import type { Receipts } from '../core/receipts/receipts.ts';
import type { Skew } from '../core/sending/attempts.ts';
import type { Lane } from '../core/sending/lane.ts';
import type { Ledger } from '../core/sending/ledger.ts';
import { storeRemedy } from '../core/store-remedies.ts';
import type { RefusalFigures } from '../core/tokens/device-refusals.ts';
import type { Doubt } from '../core/tokens/doubt.ts';
import type { Readiness, ReadinessCheck } from '../http/health.ts';
import { type Configured, likelyCause } from './configured.ts';

export interface ReadinessParts {
  readonly lanes: readonly Lane[];
  readonly ledger: Ledger;
  /** Since when the log has a gap, wall time; undefined while it has none. */
  readonly logStoppedAtMs?: (() => number | undefined) | undefined;
  readonly doubt: Doubt;
  readonly skew: Skew;
  readonly receipts?: Pick<Receipts, 'isDeaf'> | undefined;
  readonly isDraining: () => boolean;
  /** This machine among those that share a database. */
  readonly node?: string | undefined;
  /** False if a crash of the database may lose what was committed. */
  readonly commitsAreSafe?: (() => boolean) | undefined;
  /** Entries for parts that are not needed to deliver. */
  readonly others?: (() => Readonly<Record<string, ReadinessCheck>>) | undefined;
  /** The configuration of a lane, to name the value that is probably wrong. */
  readonly configuredFor?: ((lane: Lane) => Configured | undefined) | undefined;
}

const NO_RECEIPTS =
  'receipts fell by half: check that phones can reach NOTIFY_EXTERNAL_URL; meanwhile no phone is called silent';

const UNSAFE_COMMITS =
  'synchronous_commit is off: a crash of PostgreSQL loses what was answered 200; set it to on';

/** Uses only what is known already; asks neither providers nor disk. */
export function readReadiness(parts: ReadinessParts): Readiness {
  const checks: Record<string, ReadinessCheck> = { store: storeCheck(parts) };
  for (const lane of parts.lanes) {
    checks[`${lane.app}/${lane.provider.name}`] = laneCheck(lane, parts);
  }
  const skew = parts.skew.detail;
  if (skew !== undefined) checks.clock = { ready: false, detail: skew };
  if (parts.receipts?.isDeaf === true) checks.receipts = degraded(NO_RECEIPTS);
  if (parts.commitsAreSafe?.() === false) checks.commits = degraded(UNSAFE_COMMITS);
  Object.assign(checks, parts.others?.());
  if (parts.isDraining()) checks.service = { ready: false, detail: 'is stopping' };
  const ready = Object.values(checks).every((check) => check.ready);
  return { ready, node: parts.node, checks };
}

function storeCheck({ ledger, logStoppedAtMs }: ReadinessParts): ReadinessCheck {
  const { trouble } = ledger;
  if (trouble === undefined) return { ready: true };
  const sinceMs = logStoppedAtMs?.();
  const since = sinceMs === undefined ? undefined : new Date(sinceMs).toISOString();
  return { ready: false, detail: storeRemedy(trouble), since };
}

function laneCheck(lane: Lane, { doubt, configuredFor }: ReadinessParts): ReadinessCheck {
  const health = lane.provider.health();
  if (!health.ready) return broken(health.detail);
  if (lane.failure !== undefined) {
    const name = nameOfProvider(lane.provider.name);
    return broken(`${name} is ${stateOf(lane.failure)} (${lane.failure})`);
  }
  const { app } = lane;
  const { name } = lane.provider;
  const figures = doubt.refusals(app, name);
  if (figures?.isTotal === true) return broken(sentenceOf(figures, configuredFor?.(lane)));
  const doubted = doubt.of(app, name);
  if (doubted !== undefined) return broken(doubted);
  if (figures !== undefined) return degraded(sentenceOf(figures, configuredFor?.(lane)));
  return health.detail === undefined ? { ready: true, status: 'ready' } : degraded(health.detail);
}

function broken(detail: string | undefined): ReadinessCheck {
  return { ready: false, status: 'broken', detail };
}

function degraded(detail: string): ReadinessCheck {
  return { ready: true, status: 'degraded', detail };
}

/** Such as "62 of 62 BadDeviceToken in 12 min, sandbox configured: builds from TestFlight … need production". */
function sentenceOf(
  { reason, refused, answers, overMs }: RefusalFigures,
  configured: Configured | undefined,
): string {
  const cause = configured === undefined ? '' : `, ${likelyCause(configured, reason)}`;
  const minutes = Math.max(1, Math.ceil(overMs / 60_000));
  return `${refused} of ${answers} ${reason} in ${minutes} min${cause}`;
}
