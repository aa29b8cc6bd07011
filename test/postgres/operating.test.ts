// What operators list and change in PostgreSQL against the contract of every adapter.

import { describe, expect, test } from 'vitest';
import { operatingContract } from '../contract/operating-contract.ts';
import { OPERATOR_ENVIRONMENT, operate } from '../support/operator-calls.ts';
import { setup } from '../support/service.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  operatingContract({ newPlace: newDatabase, open });

  test('a NUL, which PostgreSQL does not take, is refused as a mistake of the caller', async () => {
    const environment = { ...OPERATOR_ENVIRONMENT, NDS_DATABASE: await newDatabase() };
    const service = await setup({ environment: { ...environment, NDS_DRAIN: '0ms' } });
    for (const path of [
      '/deliveries?app=a%00',
      '/devices?app=a%00',
      '/quarantine?app=a%00',
      '/refusals?app=a%00',
      '/refusals?door=a%00',
    ]) {
      const { status, text } = await operate(service, { path });
      expect([path, status]).toEqual([path, 400]);
      expect(text).toContain('must not contain a NUL');
    }
  });
});
