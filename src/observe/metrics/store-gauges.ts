// What is known at the moment of a scrape about the log and its volume. A disk that hangs must not hide the rest:
// values that do not come in time are NaN.

import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Gauge, type Registry } from '@prometheus-io/client';
import type { Clock } from '../../core/ports/clock.ts';
import type { Store } from '../../core/ports/store.ts';
import type { Ledger } from '../../core/sending/ledger.ts';

export interface StoreGaugesParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly ledger: Ledger;
  /** Path of the database; absent if the database is not a file of this machine. */
  readonly database: string | undefined;
}

/** Prometheus gives up a scrape after 10 s as a rule. */
const DISK_TIMEOUT_MS = 2_000;
const FILES = ['', '-wal', '-shm'];

/** Returns a function that reads all of them. */
export function createStoreGauges(
  registry: Registry,
  parts: StoreGaugesParts,
): () => Promise<void> {
  const { clock, store, ledger, database } = parts;
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers: [registry] });
  const healthy = gauge('nds_store_healthy', '0 while the database cannot take rows.');
  const queued = gauge('nds_queue_deliveries', 'Open deliveries, being sent or waiting.');
  const oldest = gauge(
    'nds_queue_oldest_due_seconds',
    'How long the most overdue delivery has been due; 0 if none is.',
  );
  const readQueue = async () => {
    const state = await inTime(clock, store.queueState({ nowMs: clock.nowMs() }));
    queued.set(state?.deliveries ?? Number.NaN);
    oldest.set(state === undefined ? Number.NaN : state.oldestDueForMs / 1_000);
  };
  const readDisk =
    database === undefined ? undefined : createDiskGauges(gauge, { clock, database });
  return async () => {
    healthy.set(ledger.trouble === undefined ? 1 : 0);
    await Promise.all([readQueue(), readDisk?.()]);
  };
}

/** Of a file on this machine. */
function createDiskGauges(
  gauge: (name: string, help: string) => Gauge,
  { clock, database }: { readonly clock: Clock; readonly database: string },
): () => Promise<unknown> {
  const bytes = gauge('nds_store_bytes', 'Size of the database with its WAL.');
  const free = gauge('nds_volume_free_bytes', 'Free space of the volume of the database.');
  const size = gauge('nds_volume_size_bytes', 'Size of the volume of the database.');
  const readFiles = async () => {
    const sizes = FILES.map((suffix) => sizeOf(`${database}${suffix}`));
    const all = await inTime(clock, Promise.all(sizes));
    bytes.set(all?.reduce((sum, one) => sum + one, 0) ?? Number.NaN);
  };
  const readVolume = async () => {
    const volume = await inTime(clock, statfs(dirname(database)));
    free.set(volume === undefined ? Number.NaN : volume.bavail * volume.bsize);
    size.set(volume === undefined ? Number.NaN : volume.blocks * volume.bsize);
  };
  return () => Promise.all([readFiles(), readVolume()]);
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    // The WAL exists only while the database is open.
    return 0;
  }
}

/** Undefined if the work fails or takes too long. */
async function inTime<Result>(clock: Clock, work: Promise<Result>): Promise<Result | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const timer = clock.after(DISK_TIMEOUT_MS, () => resolve(undefined));
  const done = work.catch((): undefined => undefined);
  const result = await Promise.race([done, over]);
  timer.cancel();
  return result;
}
