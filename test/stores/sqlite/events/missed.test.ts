// Missed receipts in SQLite against the contract of every adapter, and how they are found.

import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { missedReceiptsContract } from '../../../contract/missed-receipts-contract.ts';
import { NOW } from '../../../contract/store-samples.ts';
import { useFiles } from '../files.ts';

const { newFile, open } = useFiles();

missedReceiptsContract(() => open(newFile()));

test('finds receipts whose time is over by an index, however many wait', async () => {
  const file = newFile();
  await (await open(file)).store.close();
  const db = new Database(file, { readonly: true });
  const plan = db
    .prepare<[number], { detail: string }>(
      'EXPLAIN QUERY PLAN SELECT * FROM awaited_receipts WHERE until_ms < ? ORDER BY until_ms LIMIT 500',
    )
    .all(NOW);
  db.close();
  expect(plan.map(({ detail }) => detail)).toEqual([
    'SEARCH awaited_receipts USING INDEX awaited_receipts_by_end (until_ms<?)',
  ]);
});
