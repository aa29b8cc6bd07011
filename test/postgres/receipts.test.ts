// Receipts in PostgreSQL against the contract of every adapter.

import { describe } from 'vitest';
import { missedReceiptsContract } from '../contract/missed-receipts-contract.ts';
import { receiptStoreContract } from '../contract/receipt-store-contract.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  receiptStoreContract(async () => await open(await newDatabase()));
  missedReceiptsContract(async () => await open(await newDatabase()));
});
