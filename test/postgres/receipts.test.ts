// Receipts in PostgreSQL against the contract of every adapter, and what several machines do with them at once.

import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import {
  deliver,
  missedReceiptsContract,
  setup,
  speak,
  sweep,
  told,
} from '../contract/missed-receipts-contract.ts';
import { receiptStoreContract } from '../contract/receipt-store-contract.ts';
import { accept, DAY_MS, NOW, sampleDelivery, settlement } from '../contract/store-samples.ts';
import { countLockWaits, directAddress, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  receiptStoreContract(async () => await open(await newDatabase()));
  missedReceiptsContract(async () => await open(await newDatabase()));

  test('machines that sweep at once report each missed push once, and do not wait for each other', async () => {
    const url = await newDatabase();
    const machines = [await setup(() => open(url)), await open(url)] as const;
    const [first, second] = machines;
    await speak(first);
    const ids: string[] = [];
    for (const number of [2, 3, 4, 5, 6, 7]) {
      ids.push(await deliver(machines[number % 2 === 0 ? 0 : 1], number));
    }
    const third = new Client({ connectionString: url });
    await third.connect();
    await third.query('BEGIN');
    await third.query('SELECT FROM awaited_receipts ORDER BY row_id LIMIT 2 FOR UPDATE');
    const counts = await Promise.all(machines.map((machine) => sweep(machine, NOW + DAY_MS)));
    expect(counts.reduce((sum, count) => sum + count)).toBe(4);
    await third.query('ROLLBACK');
    await third.end();
    expect(await sweep(second, NOW + DAY_MS)).toBe(2);
    const missed = (await told(first)).map(({ deliveryId }) => deliveryId);
    expect(missed.toSorted()).toEqual(ids.toSorted());
  });

  test('nothing remains of a phone that is forgotten while its push is being recorded', async () => {
    const url = await newDatabase();
    const { store, receipts, operating } = await open(url);
    const delivery = sampleDelivery(1);
    const { id: deliveryId, tokenHash } = delivery;
    await store.insert(accept(delivery));
    await store.settle(settlement(delivery));
    const other = new Client({ connectionString: url });
    await other.connect();
    await other.query('BEGIN');
    await other.query('LOCK TABLE wakes IN SHARE MODE');
    const waiting = () => countLockWaits(directAddress(server, url));
    const tokenSha256 = 'aa'.repeat(32);
    const push = { deliveryId, atMs: NOW, isAsked: true, isJudged: true, tokenSha256 };
    const recorded = receipts.recordPush(push);
    while ((await waiting()) < 1);
    let hasEnded = false;
    const forgotten = operating
      .forget({ userHashes: [], tokenHashes: [tokenHash], wallMs: NOW + 5 })
      .finally(() => {
        hasEnded = true;
      });
    while (!hasEnded && (await waiting()) < 2);
    await other.query('COMMIT');
    await other.end();
    expect(await recorded).toMatchObject({ isAnswered: false });
    expect(await forgotten).toMatchObject({ deliveries: 1 });
    expect(await receipts.findHistory(tokenHash)).toBeUndefined();
  });
});
