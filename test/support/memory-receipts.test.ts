// The receipts in memory against the contract of every adapter.

import { receiptStoreContract } from '../contract/receipt-store-contract.ts';
import { MemoryReceipts } from './memory-receipts.ts';
import { MemoryStore } from './memory-store.ts';

receiptStoreContract(async () => {
  const store = new MemoryStore();
  return { store, receipts: new MemoryReceipts(store) };
});
