// The store in memory against the contract of every adapter, so that results of the core's tests hold for SQLite, too.

import { storeContract } from '../contract/store-contract.ts';
import { MemoryStore } from './memory-store.ts';

storeContract(async () => new MemoryStore());
