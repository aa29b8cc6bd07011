// What a start over PostgreSQL proves about its credentials: Apple is asked once for all machines, and all act on the
// answer.

import { describe, expect, onTestFinished, test } from 'vitest';
import { startService } from '../../src/main.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { openProofMemory } from '../../src/stores/postgres/proofs.ts';
import { proofMemoryContract } from '../contract/proof-memory-contract.ts';
import { APNS_KEY } from '../support/credentials.ts';
import { createTestLog, setup } from '../support/service.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, newEmptyDatabase } = useDatabases(server);

  proofMemoryContract({
    newPlace: newDatabase,
    open: (url) => openProofMemory(url, createSystemClock()),
  });

  test('machines that start together ask Apple once, and a refused key turns the readiness of each', async () => {
    const url = await newEmptyDatabase();
    const environment = { NDS_DATABASE: url, NDS_DRAIN: '0ms', APNS_KEY };
    const first = await setup({ environment, proves: true, clock: createSystemClock() });
    const start = async () => {
      const clock = createSystemClock();
      const prepared = await prepare(first.environment, clock);
      const service = await startService(prepared, createTestLog(), { clock });
      onTestFinished(() => service.stop());
      return service;
    };
    const broken = { ready: false, status: 'broken' };
    for (const service of [first.service, ...(await Promise.all([start(), start()]))]) {
      const proofs = await Promise.all(service.proofs);
      const codes = proofs.flatMap(({ findings }) => findings.map(({ code }) => code));
      expect(codes).toEqual(['apns_refused', 'fcm_proven']);
      expect(service.readiness().checks['default/apns']).toMatchObject(broken);
    }
    const asked = first.sandbox.requests().filter(({ provider }) => provider === 'apns');
    expect(asked).toHaveLength(1);
  });
});
