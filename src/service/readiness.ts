// What /readyz says: able to deliver or not, and what an operator has to mend.

import type { Lane } from '../core/sending/lane.ts';
import type { Ledger } from '../core/sending/ledger.ts';
import type { Quarantine } from '../core/tokens/quarantine.ts';
import type { Readiness } from '../http/health.ts';

export interface ReadinessParts {
  readonly lanes: readonly Lane[];
  readonly ledger: Ledger;
  readonly quarantine: Quarantine;
  readonly isDraining: () => boolean;
}

type Check = { readonly ready: boolean; readonly detail?: string };

const STORE_REMEDIES: Readonly<Record<string, string>> = {
  full: 'the disk is full: free some space or enlarge the volume',
  locked: 'another process holds the database: end it',
  read_only: 'the database file or its folder is read-only: check owner and mount',
  corrupt: 'the database is damaged: stop the service and restore a backup, see docs/operating.md',
  busy: 'the disk does not keep up with the deliveries',
  io: 'the disk fails to read or write: check the volume',
};

/** Reads only what is known; asks neither providers nor disk. */
export function readReadiness(parts: ReadinessParts): Readiness {
  const checks: Record<string, Check> = { store: storeCheck(parts.ledger) };
  for (const lane of parts.lanes) {
    checks[`${lane.app}/${lane.provider.name}`] = laneCheck(lane, parts.quarantine);
  }
  if (parts.isDraining()) checks.service = { ready: false, detail: 'is stopping' };
  return { ready: Object.values(checks).every((check) => check.ready), checks };
}

function storeCheck(ledger: Ledger): Check {
  const { trouble } = ledger;
  return trouble === undefined
    ? { ready: true }
    : { ready: false, detail: STORE_REMEDIES[trouble] ?? trouble };
}

function laneCheck(lane: Lane, quarantine: Quarantine): Check {
  if (lane.isOpen) return { ready: false, detail: 'the provider does not answer' };
  const doubt = quarantine.doubtOf(lane.app, lane.provider.name);
  if (doubt !== undefined) return { ready: false, detail: doubt };
  return lane.provider.health();
}
