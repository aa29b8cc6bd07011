// What operators list and change in PostgreSQL against the contract of every adapter.

import { describe } from 'vitest';
import { operatingContract } from '../contract/operating-contract.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  operatingContract({ newPlace: newDatabase, open });
});
