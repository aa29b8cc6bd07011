// What PostgreSQL keeps beside deliveries against the contract of every adapter.

import { describe } from 'vitest';
import { describeRecords } from '../contract/records-contract.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  describeRecords(async () => {
    const { store, records, operating, log } = await open(await newDatabase());
    const read = async () => {
      const { entries } = await operating.listRefusals({ limit: 1_000 });
      const { outages, gaps } = await log.gather({ keys: [], limit: 1 });
      return { refusals: entries.toReversed(), outages, gaps };
    };
    return { store, records, read };
  });
});
