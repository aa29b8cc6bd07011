// The registry in PostgreSQL against the contract of every adapter.

import { describe } from 'vitest';
import { deviceStoreContract } from '../contract/device-store-contract.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  deviceStoreContract(async () => await open(await newDatabase()));
});
