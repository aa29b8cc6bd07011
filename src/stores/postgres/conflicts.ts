// Transactions that are tried again after PostgreSQL ended them because of a deadlock: nothing of them was written.

import type { Database, Run, TransactionOptions } from './database.ts';
import { isConflict } from './errors.ts';

const MAX_TRIES = 3;

export async function transact<Result>(
  database: Database,
  work: (run: Run) => Promise<Result>,
  options?: TransactionOptions,
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await database.transaction(work, options);
    } catch (error) {
      if (tries === MAX_TRIES || !isConflict(error)) throw error;
    }
  }
}
