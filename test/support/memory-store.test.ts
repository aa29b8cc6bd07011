// The store in memory against the contract of every adapter, so that what tests of the core show of it holds for SQLite.

import { storeContract } from '../contract/store-contract.ts';
import { MemoryStore } from './memory-store.ts';

storeContract(async () => new MemoryStore());
