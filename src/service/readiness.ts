// What /readyz says: able to deliver or not, and what an operator has to fix.

import type { Skew } from '../core/sending/attempts.ts';
import type { Lane } from '../core/sending/lane.ts';
import type { Ledger } from '../core/sending/ledger.ts';
import type { Doubt } from '../core/tokens/doubt.ts';
import type { Readiness } from '../http/health.ts';

export interface ReadinessParts {
  readonly lanes: readonly Lane[];
  readonly ledger: Ledger;
  readonly doubt: Doubt;
  readonly skew: Skew;
  readonly isDraining: () => boolean;
}

type Check = { readonly ready: boolean; readonly detail?: string };

const STORE_REMEDIES: Readonly<Record<string, string>> = {
  full: 'the disk is full: free some space or enlarge the volume',
  locked: 'another process holds the database: end it',
  read_only: 'the database file or its folder is read-only: check owner and mount',
  moved:
    'the database file was moved, deleted or replaced while the service runs: put it back or restart the service',
  corrupt: 'the database is damaged: stop the service and restore a backup, see docs/operating.md',
  busy: 'the disk does not keep up with the deliveries',
  io: 'the disk fails to read or write: check the volume',
};

/** Reads only what is known; asks neither providers nor disk. */
export function readReadiness(parts: ReadinessParts): Readiness {
  const checks: Record<string, Check> = { store: storeCheck(parts.ledger) };
  for (const lane of parts.lanes) {
    checks[`${lane.app}/${lane.provider.name}`] = laneCheck(lane, parts.doubt);
  }
  const skew = parts.skew.detail;
  if (skew !== undefined) checks.clock = { ready: false, detail: skew };
  if (parts.isDraining()) checks.service = { ready: false, detail: 'is stopping' };
  return { ready: Object.values(checks).every((check) => check.ready), checks };
}

function storeCheck(ledger: Ledger): Check {
  const { trouble } = ledger;
  return trouble === undefined
    ? { ready: true }
    : { ready: false, detail: STORE_REMEDIES[trouble] ?? trouble };
}

function laneCheck(lane: Lane, doubt: Doubt): Check {
  const health = lane.provider.health();
  if (!health.ready) return health;
  if (lane.isFailing) return { ready: false, detail: 'the provider does not answer' };
  const doubted = doubt.of(lane.app, lane.provider.name);
  return doubted === undefined ? health : { ready: false, detail: doubted };
}
