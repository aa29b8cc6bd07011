// The log in PostgreSQL against the contract of every adapter.

import { describe } from 'vitest';
import { storeContract } from '../contract/store-contract.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  storeContract(async () => (await open(await newDatabase())).store);
});
