// What every adapter of the ports to receipts and events must do about receipts that do not come: each is reported
// once, in the transaction that stops waiting for it.

import { expect, test } from 'vitest';
import type { DeviceStore } from '../../src/core/ports/devices.ts';
import { sampleEndpoint } from '../support/endpoints.ts';
import { add, sampleDevice } from './device-samples.ts';
import type { OpenedEvents } from './event-samples.ts';
import {
  accept,
  DAY_MS,
  NOW,
  sampleDelivery,
  sampleFingerprint,
  settlement,
} from './store-samples.ts';

export interface OpenedMissed extends OpenedEvents {
  readonly devices: DeviceStore;
}

const PHONE = sampleFingerprint('one phone');
const STARTED = { stage: 'started', n: 1 } as const;
const [TOKEN_SHA256, SUBJECT_SHA256] = ['a'.repeat(64), 'b'.repeat(64)];
const MINUTE = 60_000;

export async function setup(open: () => Promise<OpenedMissed>): Promise<OpenedMissed> {
  const opened = await open();
  await opened.events.putEndpoint(
    sampleEndpoint({ enabledEvents: ['delivery.no_wake', 'device.*'] }),
  );
  return opened;
}

/** A push that the provider took; its time for a receipt ends a minute later. */
export async function deliver(
  { store, receipts }: OpenedMissed,
  number: number,
  { atMs = NOW, deviceId }: { readonly atMs?: number; readonly deviceId?: string } = {},
): Promise<string> {
  const own = deviceId === undefined ? {} : { deviceId };
  const delivery = sampleDelivery(number, { tokenHash: PHONE, receivedAtMs: atMs, ...own });
  const { id: deliveryId } = delivery;
  await store.insert(accept(delivery));
  await store.settle(settlement(delivery));
  await take({ receipts }, deliveryId, atMs);
  return deliveryId;
}

function take({ receipts }: Pick<OpenedMissed, 'receipts'>, deliveryId: string, atMs: number) {
  const awaited = { untilMs: atMs + MINUTE, subjectSha256: SUBJECT_SHA256 };
  const push = { deliveryId, atMs, isAsked: true, isJudged: true, tokenSha256: TOKEN_SHA256 };
  return receipts.recordPush({ ...push, awaited });
}

function answer({ receipts }: OpenedMissed, deliveryId: string, atMs: number) {
  return receipts.recordReceipt({ deliveryId, receipt: STARTED, atMs, endsOpen: true });
}

/** A phone that sends receipts. */
export async function speak(opened: OpenedMissed): Promise<void> {
  await answer(opened, await deliver(opened, 1), NOW + 700);
}

export function sweep({ receipts }: OpenedMissed, atMs: number, options = {}): Promise<number> {
  const times = { atMs, endedBeforeMs: atMs, judgedFromMs: 0 };
  return receipts.noteMissed({ ...times, limit: 10, ...options });
}

export async function told({ events }: OpenedMissed) {
  const query = { endpointId: 'ep_a', afterRowId: 0, limit: 1_000 };
  return (await events.nextEvents(query)).events;
}

export function missedReceiptsContract(open: () => Promise<OpenedMissed>): void {
  test('reports a push that no receipt answered once, when its time is over', async () => {
    const opened = await setup(open);
    await deliver(opened, 9);
    await speak(opened);
    const id = await deliver(opened, 2);
    expect(await sweep(opened, NOW + MINUTE)).toBe(0);
    expect(await sweep(opened, NOW + MINUTE + 1)).toBe(1);
    expect(await sweep(opened, NOW + DAY_MS)).toBe(0);
    // After a crash before its end was written, it was pushed a second time.
    await take(opened, id, NOW + 5 * MINUTE);
    expect(await sweep(opened, NOW + DAY_MS)).toBe(0);
    expect(await told(opened)).toEqual([
      {
        ...{ rowId: 1, id: expect.stringMatching(/^evt_/), atMs: NOW + MINUTE + 1 },
        ...{ type: 'delivery.no_wake', app: 'default', provider: 'fcm', deliveryId: id },
        notificationType: 'payment_received',
        ...{ tokenSha256: TOKEN_SHA256, subjectSha256: SUBJECT_SHA256 },
      },
    ]);
  });

  test('a receipt or a reply ends the waiting, also if it came before the push was recorded', async () => {
    const opened = await setup(open);
    const { store, receipts } = opened;
    await speak(opened);
    await answer(opened, await deliver(opened, 2), NOW + 50_000);
    const asked = await deliver(opened, 3);
    await receipts.recordReplied({ deliveryId: asked, atMs: NOW + 900 });
    for (const number of [4, 5]) {
      const delivery = sampleDelivery(number, { tokenHash: PHONE });
      await store.insert(accept(delivery));
      if (number === 4) await answer(opened, delivery.id, NOW + 10);
      else await store.recordReply({ deliveryId: delivery.id, answeredAtMs: NOW + 10 });
      await take(opened, delivery.id, NOW + 20);
    }
    expect(await sweep(opened, NOW + DAY_MS)).toBe(0);
    expect(await told(opened)).toEqual([]);
  });

  test('waits for nothing while no endpoint asked for it', async () => {
    const opened = await setup(open);
    await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['device.*'] }));
    await speak(opened);
    await deliver(opened, 2);
    expect(await sweep(opened, NOW + DAY_MS)).toBe(0);
  });

  test('sweeps the oldest first, a few at a time, and does not report those whose time was over before the given one', async () => {
    const opened = await setup(open);
    await speak(opened);
    const ids: string[] = [];
    for (const number of [2, 3, 4, 5, 6]) {
      ids.push(await deliver(opened, number, { atMs: NOW + number * 1_000 }));
    }
    const options = { limit: 2, judgedFromMs: NOW + MINUTE + 3_000 };
    const counts: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      counts.push(await sweep(opened, NOW + DAY_MS, options));
    }
    expect(counts).toEqual([2, 2, 1, 0]);
    expect((await told(opened)).map(({ deliveryId }) => deliveryId)).toEqual(ids.slice(1));
  });

  test('does not report a push if the service was stopped while its receipt could have come', async () => {
    const opened = await setup(open);
    const { records } = opened;
    // One push for each: how long after it the process stopped, and for how long.
    const stops = [
      [2, 10_000, 5_000],
      [3, 10_000, 4_999],
      [4, MINUTE, MINUTE],
      [5, -9_000, 9_000],
    ] as const;
    await speak(opened);
    for (const [number, afterMs, lengthMs] of stops) {
      const atMs = NOW + number * 10 * MINUTE;
      await deliver(opened, number, { atMs });
      await records.end({ wallMs: atMs + afterMs });
      await records.begin({ wallMs: atMs + afterMs + lengthMs });
    }
    expect(await sweep(opened, NOW + DAY_MS)).toBe(4);
    const judged = (await told(opened)).map(({ deliveryId }) => deliveryId);
    expect(judged).toEqual([3, 4, 5].map((number) => sampleDelivery(number).id));
  });

  test('reports nothing about deleted devices and forgotten phones', async () => {
    const opened = await setup(open);
    const { devices, operating } = opened;
    const [gone, kept] = [sampleDevice(1), sampleDevice(2)];
    await add(devices, gone);
    await add(devices, kept);
    await speak(opened);
    await deliver(opened, 2, { deviceId: gone.device.id });
    const id = await deliver(opened, 3, { deviceId: kept.device.id });
    await devices.deleteDevice({ id: gone.device.id, wallMs: NOW + 10 });
    expect(await sweep(opened, NOW + DAY_MS)).toBe(2);
    expect((await told(opened)).map(({ deliveryId }) => deliveryId)).toEqual([id]);

    await deliver(opened, 4);
    await operating.forget({ userHashes: [], tokenHashes: [PHONE], wallMs: NOW + 20 });
    expect(await sweep(opened, NOW + DAY_MS)).toBe(0);
  });

  test('a reply, too, ends a phone’s silence', async () => {
    const opened = await setup(open);
    const { receipts } = opened;
    await speak(opened);
    let last = '';
    for (const number of [2, 3, 4, 5, 6]) {
      last = await deliver(opened, number, { atMs: NOW + number * 7 * 60 * MINUTE });
    }
    const atMs = NOW + 2 * DAY_MS;
    expect(await receipts.noteSilent({ atMs, forgetBeforeMs: 0, limit: 10 })).toHaveLength(1);
    await receipts.recordReplied({ deliveryId: last, atMs: atMs + 1 });
    await receipts.recordReplied({ deliveryId: last, atMs: atMs + 2 });
    const types = (await told(opened)).map(({ type, deliveryId }) => [type, deliveryId]);
    expect(types).toEqual([
      ['device.silent', undefined],
      ['device.returned', last],
    ]);
  });
}
