// The records in memory against the contract of every adapter.

import { describeRecords } from '../contract/records-contract.ts';
import { MemoryRecords } from './memory-records.ts';
import { MemoryStore } from './memory-store.ts';

describeRecords(async () => {
  const store = new MemoryStore();
  const records = new MemoryRecords(store);
  const read = async () => ({
    refusals: [...records.refusals.values()],
    outages: records.outages,
    gaps: records.gaps,
  });
  return { store, records, read };
});
