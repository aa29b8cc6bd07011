// Events in PostgreSQL against the contract of every adapter, and the order that several machines give them.

import { describe } from 'vitest';
import { eventStoreContract } from '../contract/event-store-contract.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  eventStoreContract(async () => await open(await newDatabase()));
});
