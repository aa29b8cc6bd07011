// Searches in the log in PostgreSQL, against the contract of every adapter.

import { describe } from 'vitest';
import { logReaderContract } from '../contract/log-reader-contract.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  logReaderContract(async () => await open(await newDatabase()));
});
