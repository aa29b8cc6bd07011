// What operators list and change in PostgreSQL against the contract of every adapter.

import { describe, expect, test } from 'vitest';
import { createSystemClock } from '../../src/service/system.ts';
import type { OpenedPostgresStore } from '../../src/stores/postgres/store.ts';
import { operatingContract } from '../contract/operating-contract.ts';
import { quarantineEntry, sampleFingerprint } from '../contract/store-samples.ts';
import { HOUR } from '../support/driven-service.ts';
import { OPERATOR_ENVIRONMENT, operate } from '../support/operator-calls.ts';
import { setup } from '../support/service.ts';
import { SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  operatingContract({ newPlace: newDatabase, open });

  test('a quarantine has the times of the wall clock, even if one machine’s clock was set forward by an hour', async () => {
    const url = await newDatabase();
    const clock = createSystemClock();
    let steppedMs = 0;
    const stepped = { ...clock, wallMs: () => clock.wallMs() + steppedMs };
    const one = await open(url, { clock: stepped });
    const other = await open(url, { clock });
    steppedMs = HOUR;
    const sinceMs = clock.wallMs();
    for (const name of ['token 1', 'token 2']) {
      const times = { sinceMs: sinceMs + HOUR, untilMs: sinceMs + 2 * HOUR };
      await one.store.quarantine(quarantineEntry(name, times));
    }
    const key = { kind: 'token', value: sampleFingerprint('token 1'), isWhole: true } as const;
    const lagsOf = async ({ operating, store, log }: OpenedPostgresStore, wallMs: number) => {
      const first = await operating.listQuarantine({ limit: 1, wallMs });
      const others = await operating.listQuarantine({ limit: 9, wallMs, cursor: first.next });
      const loaded = await store.listQuarantine({ limit: 9, wallMs });
      const { quarantined } = await log.gather({ keys: [key], limit: 1 });
      return [...first.entries, ...others.entries, ...loaded, ...quarantined].flatMap((entry) => [
        wallMs - entry.sinceMs,
        wallMs + HOUR - entry.untilMs,
      ]);
    };
    // Close to zero: the time that the statements took.
    const few = Array.from({ length: 10 }, () => expect.closeTo(0, -4));
    expect(await lagsOf(one, stepped.wallMs())).toEqual(few);
    expect(await lagsOf(other, clock.wallMs())).toEqual(few);
    const ended = { limit: 9, wallMs: stepped.wallMs() + HOUR };
    expect((await one.operating.listQuarantine(ended)).entries).toEqual([]);
  });

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
