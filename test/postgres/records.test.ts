// What PostgreSQL stores besides deliveries, against the contract of every adapter.

import { describe, expect, test } from 'vitest';
import { describeRecords } from '../contract/records-contract.ts';
import { NOW } from '../contract/store-samples.ts';
import { query, SERVERS, useDatabases } from './databases.ts';

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

  test('leaves no gap while another machine runs, and ends the outages of a machine when it stops', async () => {
    const url = await newDatabase();
    const [first, second] = [await open(url), await open(url)];
    const read = async () => await second.log.gather({ keys: [], limit: 1 });
    await first.records.begin({ wallMs: NOW });
    const before = (await read()).gaps;
    await second.records.begin({ wallMs: NOW + 10 });
    const outage = {
      app: 'default',
      provider: 'fcm',
      reason: 'timeout',
      beganAtMs: NOW + 20,
    } as const;
    for (const { records } of [first, second]) await records.recordOutage(outage);
    expect((await read()).outages).toHaveLength(2);
    await first.records.end({ wallMs: NOW + 30 });
    await first.store.close();
    const ends = (await read()).outages.map(({ endedAtMs }) => endedAtMs);
    expect(ends.toSorted()).toEqual([NOW + 30, undefined]);
    const third = await open(url);
    await third.records.begin({ wallMs: NOW + 40 });
    await third.store.close();
    expect((await read()).gaps).toEqual(before);
  });

  test('a gap begins with the end of the last machine', async () => {
    const url = await newDatabase();
    const { records, log } = await open(url);
    await records.begin({ wallMs: NOW });
    await records.end({ wallMs: NOW + 50 });
    const { gaps } = await log.gather({ keys: [], limit: 1 });
    expect(gaps.at(-1)).toMatchObject({ kind: 'stopped', beganAtMs: NOW + 50 });
  });

  test('counts the gap after a crash of all machines from their last beat', async () => {
    const url = await newDatabase();
    const beatenAtMs = NOW + 60_000;
    await query(
      url,
      `INSERT INTO nodes (id, beat, epoch, started_at, beaten_at) VALUES
         ('a', 9, 1, '${iso(NOW)}', '${iso(NOW + 1_000)}'), ('b', 9, 1, '${iso(NOW)}', '${iso(beatenAtMs)}');
       INSERT INTO gaps (kind, began_at, ended_at, unlogged) VALUES ('stopped', 'epoch', '${iso(NOW)}', 0)`,
    );
    const { records, log } = await open(url);
    await records.begin({ wallMs: NOW + 90_000 });
    const { gaps } = await log.gather({ keys: [], limit: 1 });
    expect(gaps.at(-1)).toEqual({
      ...{ kind: 'stopped', beganAtMs: beatenAtMs, endedAtMs: NOW + 90_000, unlogged: 0 },
    });
  });
});

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
