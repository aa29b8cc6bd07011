// Opens the store that NDS_DATABASE names: an SQLite file, which one process owns, or a PostgreSQL, which machines share. The
// driver of a database that is not used is not loaded.

import type { Config } from './config/config.ts';
import { isServer, showPath } from './config/files.ts';
import { loadSecrets } from './config/secret.ts';
import type { Clock } from './core/ports/clock.ts';
import type { Observer } from './core/ports/observer.ts';
import type { MachineList, Peers } from './core/ports/peers.ts';
import type { ProofMemory } from './core/ports/proofs.ts';
import type { Log } from './observe/log.ts';
import type { PostgresStoreOptions } from './stores/postgres/store.ts';
import { makeFile } from './stores/sqlite/file/make-file.ts';
import { type OpenedStore, openSqliteStore } from './stores/sqlite/store.ts';

/** The same ports, whichever database it is. */
export type Storing = Omit<OpenedStore, 'sqliteVersion'> & {
  readonly sqliteVersion?: string | undefined;
  /** The name of this machine among those that share the database. */
  readonly owner?: string | undefined;
  /** The others. */
  readonly peers?: Peers | undefined;
  readonly machineList?: MachineList | undefined;
  /** Absent for a file, whose commits are on the disk. */
  readonly commitsAreSafe?: (() => boolean) | undefined;
};

export interface StoringParts {
  readonly clock: Clock;
  readonly observer: Observer;
  /** Deliveries that a stopped or dead machine left may be claimed, now or later. */
  readonly onLeft: () => void;
}

export async function openStore(config: Config, log: Log, parts: StoringParts): Promise<Storing> {
  const { clock, observer } = parts;
  const onBatchEnded: PostgresStoreOptions['onBatchEnded'] =
    config.metricsAddress === undefined && config.otlpEndpoint === undefined
      ? undefined
      : (batch) => observer.observe({ ...batch, name: 'store_batch_ended' });
  const tellRotation = (resealedRows: number) =>
    log.say('info', 'key_rotated', { resealed_rows: resealedRows });
  if (isServer(config.database)) {
    const { openPostgresStore } = await import('./stores/postgres/store.ts');
    return await openPostgresStore({
      url: config.database,
      keys: loadSecrets({ configured: config.secret, previous: config.previousSecrets }),
      clock,
      onBatchEnded,
      onEvent: ({ resealedRows }) => tellRotation(resealedRows),
      onTakenOver: ({ nodeId, deliveries }) => {
        log.say('warn', 'node_taken_over', { node: nodeId, count: deliveries });
        parts.onLeft();
      },
      onGone: parts.onLeft,
    });
  }
  makeFile(config.database);
  const secrets = loadSecrets({
    configured: config.secret,
    previous: config.previousSecrets,
    databaseFile: config.database,
  });
  if (secrets.madeFile !== undefined) {
    log.say('warn', 'secret_beside_database', {
      file: showPath(secrets.madeFile),
      detail:
        'NDS_SECRET is not set. A copy of the folder or the volume is enough to read tokens and payloads.',
    });
  }
  return await openSqliteStore({
    file: config.database,
    keys: secrets,
    clock,
    onBatchEnded,
    onEvent: (event) => {
      if (event.name === 'worker_crashed') {
        log.say('error', 'store_worker_crashed', { role: event.role, cause: event.error.message });
      } else if (event.name === 'key_rotated') tellRotation(event.resealedRows);
    },
  });
}

/**
 * The libraries are loaded late: the first proof needs them, not the start. Undefined if proofs cannot be remembered.
 */
export async function openMemory(database: string, clock: Clock): Promise<ProofMemory | undefined> {
  if (isServer(database)) {
    const { openProofMemory } = await import('./stores/postgres/proofs.ts');
    return openProofMemory(database, clock);
  }
  const { openProofMemory } = await import('./stores/sqlite/proofs.ts');
  try {
    // Writes two small rows without waiting for a sync, so this thread may do it.
    return openProofMemory(database);
  } catch {
    // The disk is full or not writable: the proof says that Apple was not asked.
    return undefined;
  }
}
