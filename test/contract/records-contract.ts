// The contract of the Records port: every adapter passes it, together with the Store of the same log.

import { describe, expect, test } from 'vitest';
import type { Gap, Outage, Records, Refusal } from '../../src/core/ports/records.ts';
import type { LoggedDelivery, Store } from '../../src/core/ports/store.ts';
import { adding, BARE_REFUSAL, FULL_REFUSAL, ORIGIN, sampleRefusal } from './records-samples.ts';
import { accept, DAY_MS, NOW, sampleDelivery, sampleId, settlement } from './store-samples.ts';

/** All rows, the oldest first. */
export interface RecordedRows {
  readonly refusals: readonly Refusal[];
  readonly outages: readonly Outage[];
  readonly gaps: readonly Gap[];
}

export interface RecordedLog {
  readonly store: Store;
  readonly records: Records;
  read(): Promise<RecordedRows>;
}

const OUTAGE: Outage = {
  app: 'default',
  provider: 'fcm',
  reason: 'connection_refused',
  beganAtMs: NOW,
};

export function describeRecords(open: () => Promise<RecordedLog>): void {
  const find = async ({ store }: RecordedLog, number: number): Promise<LoggedDelivery> => {
    // What a caller was told is written with the next write.
    await store.probe();
    const [found] = await store.findDeliveries({ id: sampleId(number), limit: 1 });
    if (found === undefined) throw new Error('no such delivery');
    return found;
  };

  describe('what a caller was told', () => {
    const told = { deliveryId: sampleId(1), told: 'delivered', status: 200, atMs: NOW + 90 };
    const shown = { told: 'delivered', toldStatus: 200, toldAtMs: NOW + 90 };

    test('is kept with the end of the delivery that was recorded in the same moment', async () => {
      const log = await open();
      const delivery = sampleDelivery(1, { origin: ORIGIN });
      await log.store.insert(accept(delivery));
      const settled = log.store.settle(settlement(delivery));
      log.records.tell(told);
      expect(await settled).toBe(true);
      const { isBroadcast: _, ...kept } = ORIGIN;
      expect(await find(log, 1)).toMatchObject({ ...kept, ...shown, repeats: 0 });
    });

    test('is kept with the plan of a delivery that stays queued', async () => {
      const log = await open();
      const delivery = sampleDelivery(1);
      await log.store.insert(accept(delivery));
      const next = { status: 'queued', dueAtMs: NOW + 1_000 } as const;
      const settled = log.store.settle(settlement(delivery, next));
      log.records.tell({ ...told, told: 'queued' });
      await settled;
      expect(await find(log, 1)).toMatchObject({ ...shown, told: 'queued', status: 'queued' });
    });

    test('is kept before the delivery ends and after', async () => {
      const log = await open();
      for (const number of [1, 2]) {
        await log.store.insert(accept(sampleDelivery(number)));
        if (number === 1) await log.store.settle(settlement(sampleDelivery(number)));
        log.records.tell({ ...told, deliveryId: sampleId(number) });
        expect(await find(log, number)).toMatchObject(shown);
      }
    });

    test('is the first answer', async () => {
      const log = await open();
      const delivery = sampleDelivery(1);
      await log.store.insert(accept(delivery));
      log.records.tell(told);
      await log.store.probe();
      const settled = log.store.settle(settlement(delivery));
      log.records.tell({ ...told, told: 'expired', status: 503, atMs: NOW + 5_000 });
      await settled;
      log.records.tell({ ...told, told: 'queued' });
      expect(await find(log, 1)).toMatchObject(shown);
    });

    test('makes no delivery', async () => {
      const log = await open();
      log.records.tell(told);
      await log.store.probe();
      expect(await log.store.findDeliveries({ limit: 10 })).toEqual([]);
    });
  });

  describe('refusals', () => {
    test('are kept with all their fields, and without any', async () => {
      const { records, read } = await open();
      const rowIds = await records.writeRefusals(adding(FULL_REFUSAL, BARE_REFUSAL));
      expect(new Set(rowIds).size).toBe(2);
      expect((await read()).refusals).toEqual([FULL_REFUSAL, BARE_REFUSAL]);
    });

    test('count up', async () => {
      const { records, read } = await open();
      const [first = 0] = await records.writeRefusals(adding(sampleRefusal(1), sampleRefusal(2)));
      const counted = [{ rowId: first, count: 7, lastAtMs: NOW + 30_000 }];
      expect(await records.writeRefusals({ added: [], counted, repeats: [] })).toEqual([]);
      expect((await read()).refusals).toEqual([
        { ...sampleRefusal(1), count: 7, lastAtMs: NOW + 30_000 },
        sampleRefusal(2),
      ]);
    });

    test('count repeats at the delivery that was repeated', async () => {
      const log = await open();
      await log.store.insert(accept(sampleDelivery(1)));
      const repeats = [{ deliveryId: sampleId(1), calls: 2, lastAtMs: NOW + 300 }];
      const write = { added: [], counted: [], repeats };
      await log.records.writeRefusals(write);
      await log.records.writeRefusals({
        ...write,
        repeats: [
          { deliveryId: sampleId(1), calls: 1, lastAtMs: NOW + 900 },
          { deliveryId: sampleId(8), calls: 1, lastAtMs: NOW },
        ],
      });
      expect(await find(log, 1)).toMatchObject({ repeats: 3, repeatedAtMs: NOW + 900 });
    });

    test('are trimmed to the newest of their door and code', async () => {
      const { records, read } = await open();
      const many = [5, 3, 4, 1, 2].map((number) => sampleRefusal(number));
      const other = sampleRefusal(0, { code: 'bad_signature', status: 401 });
      await records.writeRefusals(adding(...many, other));
      const of = { door: '/api/v1/notify', code: 'rate_limited' };
      expect(await records.trimRefusals({ of, keep: 2, limit: 2 })).toBe(2);
      expect(await records.trimRefusals({ of, keep: 2, limit: 2 })).toBe(1);
      expect(await records.trimRefusals({ of, keep: 2, limit: 2 })).toBe(0);
      expect((await read()).refusals).toEqual([sampleRefusal(5), sampleRefusal(4), other]);
    });

    test('of strangers are trimmed together, and no others', async () => {
      const { records, read } = await open();
      const strangers = [1, 2, 3].map((number) =>
        sampleRefusal(number, { isKnown: false, door: `/${number}` }),
      );
      await records.writeRefusals(adding(...strangers, sampleRefusal(0)));
      expect(await records.trimRefusals({ of: 'strangers', keep: 1, limit: 10 })).toBe(2);
      expect((await read()).refusals).toEqual([strangers[2], sampleRefusal(0)]);
    });

    test('are pruned by the time of the first', async () => {
      const { records, read } = await open();
      await records.writeRefusals(adding(sampleRefusal(1), sampleRefusal(2), sampleRefusal(3)));
      const options = { refusedBeforeMs: NOW + 3, endedBeforeMs: NOW, limit: 1 };
      expect(await records.prune(options)).toBe(1);
      expect(await records.prune({ ...options, limit: 10 })).toBe(1);
      expect(await records.prune({ ...options, limit: 10 })).toBe(0);
      expect((await read()).refusals).toEqual([sampleRefusal(3)]);
    });
  });

  describe('outages', () => {
    test('begin and end, and are recorded as often as one likes', async () => {
      const { records, read } = await open();
      await records.recordOutage(OUTAGE);
      await records.recordOutage(OUTAGE);
      expect((await read()).outages).toEqual([OUTAGE]);
      const ended = { ...OUTAGE, endedAtMs: NOW + 5_000 };
      await records.recordOutage(ended);
      const later = { ...OUTAGE, beganAtMs: NOW + 9_000, endedAtMs: NOW + 9_500 };
      await records.recordOutage(later);
      expect((await read()).outages).toEqual([ended, later]);
    });

    test('end with the process that saw them', async () => {
      const { store, records, read } = await open();
      await records.begin({ wallMs: NOW - 10 });
      await store.insert(accept(sampleDelivery(1)));
      await records.recordOutage(OUTAGE);
      await records.end({ wallMs: NOW + 100 });
      await records.begin({ wallMs: NOW + 7_000 });
      expect((await read()).outages).toEqual([{ ...OUTAGE, endedAtMs: NOW + 100 }]);
    });

    test('are pruned when they ended long ago', async () => {
      const { records, read } = await open();
      const ended = { ...OUTAGE, endedAtMs: NOW + 1 };
      await records.recordOutage(ended);
      await records.recordOutage({ ...OUTAGE, beganAtMs: NOW + 5 });
      const options = { refusedBeforeMs: NOW, endedBeforeMs: NOW + DAY_MS, limit: 10 };
      expect(await records.prune(options)).toBe(1);
      expect((await read()).outages).toEqual([{ ...OUTAGE, beganAtMs: NOW + 5 }]);
    });
  });

  describe('gaps', () => {
    const sinceEver = { kind: 'stopped', beganAtMs: 0, endedAtMs: NOW, unlogged: 0 } as const;

    test('begin with all the time before the log', async () => {
      const { records, read } = await open();
      await records.begin({ wallMs: NOW });
      expect((await read()).gaps).toEqual([sinceEver]);
    });

    test('last from the end of a process to the beginning of the next', async () => {
      const { records, read } = await open();
      await records.begin({ wallMs: NOW });
      await records.end({ wallMs: NOW + 1_000 });
      await records.end({ wallMs: NOW + 1_001 });
      const stopped: Gap = { kind: 'stopped', beganAtMs: NOW + 1_000, unlogged: 0 };
      expect((await read()).gaps).toEqual([sinceEver, stopped]);
      await records.begin({ wallMs: NOW + 9_000 });
      expect((await read()).gaps).toEqual([sinceEver, { ...stopped, endedAtMs: NOW + 9_000 }]);
    });

    test('last from the last delivery if a process left no other sign of life', async () => {
      const { store, records, read } = await open();
      await records.begin({ wallMs: NOW });
      await store.insert(accept(sampleDelivery(1, { receivedAtMs: NOW + 70 })));
      await records.begin({ wallMs: NOW + 9_000 });
      const gap: Gap = {
        kind: 'stopped',
        beganAtMs: NOW + 70,
        endedAtMs: NOW + 9_000,
        unlogged: 0,
      };
      expect((await read()).gaps).toEqual([sinceEver, gap]);
    });

    test('are not negative when the clock was set back', async () => {
      const { store, records, read } = await open();
      await records.begin({ wallMs: NOW });
      await store.insert(accept(sampleDelivery(1, { receivedAtMs: NOW + 70 })));
      await records.begin({ wallMs: NOW + 20 });
      await records.end({ wallMs: NOW + 30 });
      await records.begin({ wallMs: NOW + 10 });
      for (const { beganAtMs, endedAtMs } of (await read()).gaps) {
        expect(endedAtMs).toBeGreaterThanOrEqual(beganAtMs);
      }
    });

    test('count the deliveries that left no row', async () => {
      const { records, read } = await open();
      const gap: Gap = { kind: 'store', beganAtMs: NOW, endedAtMs: NOW + 4, unlogged: 12 };
      await records.recordGap(gap);
      expect((await read()).gaps).toEqual([gap]);
    });

    test('are pruned when they ended long ago', async () => {
      const { records, read } = await open();
      await records.begin({ wallMs: NOW });
      await records.end({ wallMs: NOW + 5 });
      const options = { refusedBeforeMs: NOW, endedBeforeMs: NOW + DAY_MS, limit: 10 };
      expect(await records.prune(options)).toBe(1);
      expect((await read()).gaps).toEqual([{ kind: 'stopped', beganAtMs: NOW + 5, unlogged: 0 }]);
    });
  });
}
