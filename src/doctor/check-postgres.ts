// Checks whether nds can work with a PostgreSQL that machines share, and what that PostgreSQL promises.

import type { Secrets } from '../config/secret.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Finding } from '../service/findings.ts';
import type { InspectedServer, Pooling } from '../stores/postgres/inspect.ts';
import { DatabaseRefusedError } from '../stores/refused.ts';

const MIN_VERSION = 160_000;
/** In one region it is 1 or 2 ms, and a call waits for two or three of them before its push, 250 ms at most. */
const SLOW_MS = 20;
/**
 * The same as for Google's clock: machines compare theirs with the database's, so a smaller difference does no harm.
 */
const TOLERANCE_MS = 5_000;
const SHOWN_RIGHTS = 3;

/** Never rejects. The first finding says whether it can be used at all; without it there are no others. */
export async function checkPostgres(
  url: string,
  { keys, clock }: { readonly keys: Secrets; readonly clock: Clock },
): Promise<readonly Finding[]> {
  // The driver is loaded only if there is such a database.
  const { inspectServer } = await import('../stores/postgres/inspect.ts');
  let found: InspectedServer;
  try {
    found = await inspectServer(url, { keys, clock });
  } catch (error) {
    const isSecret = error instanceof DatabaseRefusedError && error.kind === 'unknown_key';
    const text = error instanceof Error ? error.message : String(error);
    const code = isSecret ? 'database_wrong_secret' : 'database_unusable';
    return [{ check: 'database', code, text }];
  }
  return findingsOf(found);
}

export function findingsOf(found: InspectedServer): readonly Finding[] {
  return [
    checkServer(found),
    checkRights(found),
    checkLatency(found),
    checkDatabaseClock(found),
    checkCommits(found),
    checkPooling(found.pooling),
  ];
}

function checkServer(found: InspectedServer): Finding {
  const { versionNumber, version, encoding, isReadOnly, tables, machines } = found;
  const check = 'database';
  const text = `PostgreSQL ${version}`;
  if (versionNumber < MIN_VERSION) return { check, code: 'postgres_too_old', text };
  if (isReadOnly) {
    return { check, code: 'postgres_read_only', text: `${text} takes no writes` };
  }
  if (encoding !== 'UTF8') {
    return { check, code: 'postgres_encoding_wrong', text: `${text}; encoding: ${encoding}` };
  }
  if (tables === 'new') {
    return { check, code: 'database_new', text: `${text}; its tables are made at the first start` };
  }
  const sharing = machines === undefined ? '' : `; machines: ${machines}`;
  return { check, code: 'database_ok', text: `${text}${sharing}` };
}

function checkRights({ lackingRights }: InspectedServer): Finding {
  const check = 'database_rights';
  if (lackingRights.length === 0) {
    return { check, code: 'postgres_rights_ok', text: 'the user may do what nds needs' };
  }
  const more = lackingRights.length - SHOWN_RIGHTS;
  const shown = lackingRights.slice(0, SHOWN_RIGHTS).join(', ');
  const text = `the user may not ${shown}${more > 0 ? `, and ${more} more` : ''}`;
  return { check, code: 'postgres_rights_missing', text };
}

function checkLatency({ roundTripMs }: InspectedServer): Finding {
  const code = roundTripMs < SLOW_MS ? 'postgres_latency_ok' : 'postgres_far';
  return { check: 'database_latency', code, text: `${roundTripMs.toFixed(1)} ms there and back` };
}

function checkDatabaseClock({ aheadMs }: InspectedServer): Finding {
  const check = 'database_clock';
  if (Math.abs(aheadMs) <= TOLERANCE_MS) {
    return { check, code: 'postgres_clock_ok', text: 'agrees with this machine’s' };
  }
  const seconds = Math.round(Math.abs(aheadMs) / 1_000);
  const direction = aheadMs > 0 ? 'ahead of' : 'behind';
  const text = `this machine is ${seconds} s ${direction} the database`;
  return { check, code: 'postgres_clock_off', text };
}

function checkCommits({ synchronousCommit, synchronousStandbys }: InspectedServer): Finding {
  const check = 'database_commits';
  if (synchronousCommit === 'off') {
    return { check, code: 'postgres_commits_unsafe', text: 'synchronous_commit is off' };
  }
  const waits = synchronousStandbys !== '' && synchronousCommit !== 'local';
  const standby = waits
    ? 'a synchronous standby has every commit'
    : 'no synchronous standby: a failover may lose the last commits';
  const text = `synchronous_commit is ${synchronousCommit}; ${standby}`;
  return { check, code: 'postgres_commits_ok', text };
}

const POOLING: Readonly<Record<Pooling, string>> = {
  none: 'connected directly',
  transaction: 'through a pooler in transaction mode',
  session:
    'through a pooler, in session mode as it seems: it needs 10 connections for each machine',
  statement: 'through a pooler in statement mode, which refuses transactions',
};

function checkPooling(pooling: Pooling): Finding {
  const code = pooling === 'statement' ? 'postgres_pooling_wrong' : 'postgres_pooling_ok';
  return { check: 'database_pooling', code, text: POOLING[pooling] };
}
