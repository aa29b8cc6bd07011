// The receipts in SQLite against the contract of every adapter, and what remains of a phone that was forgotten.

import { expect, test } from 'vitest';
import { FORGOTTEN_TOKEN } from '../../../src/core/ports/operating.ts';
import { receiptStoreContract } from '../../contract/receipt-store-contract.ts';
import { accept, NOW, sampleDelivery, settlement } from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

receiptStoreContract(() => open(newFile()));

test('a forgotten phone has no history, and a later receipt makes none', async () => {
  const { store, receipts, operating } = await open(newFile());
  const delivery = sampleDelivery(1);
  const { id: deliveryId, tokenHash } = delivery;
  await store.insert(accept(delivery));
  await receipts.recordPush({
    ...{ deliveryId, atMs: NOW, isAsked: true, isJudged: true },
    tokenSha256: 'aa'.repeat(32),
  });
  await store.settle(settlement(delivery));
  expect(await receipts.findHistory(tokenHash)).toMatchObject({ pushes: 1 });

  await operating.forget({ userHashes: [], tokenHashes: [tokenHash], wallMs: NOW + 5 });
  expect(await receipts.findHistory(tokenHash)).toBeUndefined();
  const receipt = { stage: 'started', n: 1 } as const;
  await receipts.recordReceipt({ deliveryId, receipt, atMs: NOW + 10, endsOpen: true });
  expect(await receipts.findHistory(tokenHash)).toBeUndefined();
  expect(await receipts.findHistory(FORGOTTEN_TOKEN)).toBeUndefined();
});
