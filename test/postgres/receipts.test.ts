// Receipts in PostgreSQL against the contract of every adapter.

import { describe } from 'vitest';
import { receiptStoreContract } from '../contract/receipt-store-contract.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  receiptStoreContract(async () => await open(await newDatabase()));
});
