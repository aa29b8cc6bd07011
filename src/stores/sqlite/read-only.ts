// The log for commands that only read: no migration, no lock, no new file, and the file's key is not replaced. Works
// beside a running service, on the file of a stopped one, and on a copy in a folder that cannot be written.

import { existsSync } from 'node:fs';
import type { CountedPage, CountOptions, Evidence, LogQuestion } from '../../core/ports/log.ts';
import type { DeliveryWake } from '../../core/ports/receipts.ts';
import type { DeliveryQuery, LoggedDelivery } from '../../core/ports/store.ts';
import { DatabaseRefusedError } from '../refused.ts';
import type { Keys } from '../sealing/keys.ts';
import { corruptDatabase, nodeReasonOf, reasonOf, unusableLocation } from './errors.ts';
import { findKeys } from './file/keys.ts';
import { checkMigrations } from './file/migrations.ts';
import { openForReading } from './file/open-reading.ts';
import { findSignOfLife } from './file/owner.ts';
import { prepareCount } from './operations/count.ts';
import { prepareFollow } from './operations/follow.ts';
import { prepareGather } from './operations/gather.ts';
import { prepareSearch } from './operations/search.ts';
import { prepareReceiptQueries } from './receipts/queries.ts';

export interface ReadOnlyStore {
  /** 32 bytes: the key of `Ids.fingerprint`. */
  readonly lookupKey: Uint8Array;
  findDeliveries(query: DeliveryQuery): readonly LoggedDelivery[];
  /** As in `LogReader`. */
  gather(question: LogQuestion): Evidence;
  countPage(options: CountOptions): CountedPage;
  readonly follow: ReturnType<typeof prepareFollow>;
  /** What is known about the wake that a delivery should cause. */
  findWake(deliveryId: string): DeliveryWake | undefined;
  close(): void;
}

/** Throws a `DatabaseRefusedError`, whose message says what the operator must do. */
export function openReadOnly(options: {
  readonly file: string;
  readonly keys: Keys;
}): ReadOnlyStore {
  const { file, keys } = options;
  if (!existsSync(file)) throw unusableLocation(file, 'which does not exist');
  try {
    const db = openForReading(file);
    try {
      checkMigrations(db, file);
      const { lookupKey, sealer } = findKeys(db, keys, file);
      const gather = prepareGather(db, sealer);
      return {
        lookupKey,
        findDeliveries: prepareSearch(db),
        findWake: prepareReceiptQueries(db).findWake,
        gather: (question) => ({ ...gather(question), aliveUntilMs: findSignOfLife(file) }),
        countPage: prepareCount(db),
        follow: prepareFollow(db),
        close: () => db.close(),
      };
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    throw refusalOf(file, error);
  }
}

function refusalOf(file: string, error: unknown): unknown {
  if (error instanceof DatabaseRefusedError) return error;
  switch (reasonOf(error) ?? nodeReasonOf(error)) {
    case 'corrupt':
      return corruptDatabase(file, 'it is damaged or no database', { cause: error });
    case 'io':
    case 'read_only':
      return unusableLocation(
        file,
        `which cannot be read from here: ${file}-wal lies beside it and its folder cannot be written, or this user ` +
          'may not read it. Copy both files to a folder of your own and set NDS_DATABASE to the copy',
        { cause: error },
      );
    default:
      return error;
  }
}
