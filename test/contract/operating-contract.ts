// What every adapter of the port to what operators list and change must do: pages that read a bounded part of the log,
// deliveries that are made due, and forgetting, which may be interrupted at any moment.

import { expect, test } from 'vitest';
import type { DeviceStore } from '../../src/core/ports/devices.ts';
import type { OperatingStore } from '../../src/core/ports/operating.ts';
import type { Records } from '../../src/core/ports/records.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { add, sampleDevice, sampleDeviceId, userHash } from './device-samples.ts';
import { adding, sampleRefusal } from './records-samples.ts';
import {
  accept,
  claimedIds,
  NOW,
  quarantineEntry,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  sampleNews,
  settlement,
  wait,
} from './store-samples.ts';

export interface OpenedOperating {
  readonly store: Store;
  readonly devices: DeviceStore;
  readonly records: Records;
  readonly operating: OperatingStore;
}

/** Makes places for empty databases, and opens the database at a place. */
export interface Places {
  newPlace(): Promise<string>;
  open(place: string): Promise<OpenedOperating>;
}

/** Delivers one delivery for each number. */
async function deliver({ store }: OpenedOperating, numbers: readonly number[], deviceId?: string) {
  const token = deviceId === undefined ? {} : { deviceId, tokenHash: sampleFingerprint('token 1') };
  const deliveries = numbers.map((number) => sampleDelivery(number, token));
  await Promise.all(
    deliveries.flatMap((delivery) => [
      store.insert(accept(delivery)),
      store.settle(settlement(delivery)),
    ]),
  );
}

const range = (length: number, from = 1) => Array.from({ length }, (_, index) => from + index);

/** A user with two devices, whose rows name device and token; another user has the second token, too. */
async function setupUser(opened: OpenedOperating) {
  const { store, devices } = opened;
  await add(devices, sampleDevice(1, { user: 'alice' }));
  await add(devices, sampleDevice(2, { user: 'alice' }));
  await add(devices, sampleDevice(3, { user: 'bob', token: 2 }));
  await deliver(opened, range(450), sampleDeviceId(1));
  const shared = { deviceId: sampleDeviceId(2), tokenHash: sampleFingerprint('token 2') };
  await wait(store, sampleNews(900, shared), NOW + 50_000);
  await wait(store, sampleNews(901, { ...shared, deviceId: sampleDeviceId(3) }), NOW + 50_000);
  await store.quarantine(quarantineEntry('token 1'));
  await store.quarantine(quarantineEntry('token 2'));
}

function forget({ operating }: OpenedOperating) {
  return operating.forget({ userHashes: [userHash('alice')], tokenHashes: [], wallMs: NOW + 5 });
}

async function expectForgotten({ store, devices, operating }: OpenedOperating): Promise<void> {
  expect(await devices.findDevice(sampleDeviceId(1))).toBeUndefined();
  expect(await devices.findDevice(sampleDeviceId(2))).toBeUndefined();
  expect(await devices.findDevice(sampleDeviceId(3))).toBeDefined();
  const rows = await store.findDeliveries({ limit: 1_000 });
  const named = rows.filter(({ tokenHash }) => tokenHash !== '0'.repeat(32));
  expect(named.map(({ id, status }) => [id, status])).toEqual([[sampleId(901), 'queued']]);
  const known = rows.filter(({ deviceId, subjectHash }) => deviceId ?? subjectHash);
  expect(known.map(({ id }) => id)).toEqual([sampleId(901)]);
  expect(rows.find(({ id }) => id === sampleId(900))).toMatchObject({
    status: 'rejected',
    reason: 'device_deleted',
    settledAtMs: NOW + 5,
  });
  const { entries } = await operating.listQuarantine({ wallMs: NOW, limit: 9 });
  expect(entries.map(({ tokenHash }) => tokenHash)).toEqual([sampleFingerprint('token 2')]);
}

export function operatingContract({ newPlace, open }: Places): void {
  test('an empty log is one empty page', async () => {
    const { operating } = await open(await newPlace());
    const query = { limit: 10, wallMs: NOW };
    expect(await operating.listDeliveries(query)).toEqual({ entries: [] });
    expect(await operating.listRefusals(query)).toEqual({ entries: [] });
    expect(await operating.listDevices(query)).toEqual({ entries: [] });
    expect(await operating.listQuarantine(query)).toEqual({ entries: [] });
  });

  test('a filter that matches few rows goes on page by page and still finds them', async () => {
    const opened = await open(await newPlace());
    const rare = sampleDelivery(1, { target: { ...sampleDelivery(1).target, app: 'rare' } });
    await opened.store.insert(accept(rare));
    const many = range(25_000, 2);
    for (let from = 0; from < many.length; from += 1_000) {
      await Promise.all(
        many
          .slice(from, from + 1_000)
          .map((number) => opened.store.insert(accept(sampleDelivery(number)))),
      );
    }
    const first = await opened.operating.listDeliveries({ app: 'rare', limit: 10 });
    expect(first.entries).toEqual([]);
    expect(first.next).toBeGreaterThan(1);
    const second = await opened.operating.listDeliveries({
      app: 'rare',
      limit: 10,
      cursor: first.next,
    });
    expect(second.entries.map(({ id }) => id)).toEqual([rare.id]);
    expect(second.next).toBeUndefined();
  });

  test('a cursor beyond the ends is the first page or an empty one', async () => {
    const opened = await open(await newPlace());
    await deliver(opened, range(3));
    const page = async (cursor: number) => {
      const { entries } = await opened.operating.listDeliveries({ limit: 10, cursor });
      return entries.length;
    };
    expect([await page(1), await page(2), await page(Number.MAX_SAFE_INTEGER)]).toEqual([0, 1, 3]);
  });

  test('makes a waiting delivery due, and earlier than it was if it is due already', async () => {
    const { store, operating } = await open(await newPlace());
    await wait(store, sampleNews(1), NOW + 50_000);
    expect(await claimedIds(store, { nowMs: NOW + 1_000 })).toEqual([]);
    const hurried = await operating.hurry({ deliveryId: sampleId(1), nowMs: NOW + 1_000.4 });
    expect(hurried).toEqual({ kind: 'due', app: 'default', provider: 'fcm' });
    expect(await claimedIds(store, { nowMs: NOW + 1_001 })).toEqual([sampleId(1)]);
  });

  test('leaves alone what is leased, held, ended or unknown', async () => {
    const opened = await open(await newPlace());
    const { store, operating } = opened;
    await store.insert(accept(sampleNews(1)));
    await wait(store, sampleNews(2), NOW + 50_000, {
      next: { status: 'queued', dueAtMs: NOW + 50_000, notBeforeMs: NOW + 40_000 },
    });
    await deliver(opened, [3]);
    const hurry = (number: number, nowMs = NOW + 1_000) =>
      operating.hurry({ deliveryId: sampleId(number), nowMs });
    expect(await hurry(1)).toEqual({ kind: 'under_way' });
    expect(await hurry(2)).toEqual({ kind: 'held', untilMs: NOW + 40_000 });
    expect(await hurry(3)).toEqual({ kind: 'ended' });
    expect(await hurry(4)).toEqual({ kind: 'unknown' });
    expect(await claimedIds(store, { nowMs: NOW + 1_000 })).toEqual([]);
    expect(await hurry(1, NOW + 60_000)).toMatchObject({ kind: 'due' });
    expect(await hurry(2, NOW + 40_000)).toMatchObject({ kind: 'due' });
  });

  test('forgets a user in many small steps, and no other user', async () => {
    const opened = await open(await newPlace());
    await setupUser(opened);
    expect(await forget(opened)).toEqual({
      devices: 2,
      deliveries: 451,
      tokenHashes: [sampleFingerprint('token 1')],
    });
    await expectForgotten(opened);
    expect(await forget(opened)).toEqual({ devices: 0, deliveries: 0, tokenHashes: [] });
  });

  test('forgetting that was interrupted after any step is finished by the same call', async () => {
    for (let steps = 0; steps < 4; steps += 1) {
      const place = await newPlace();
      const first = await open(place);
      await setupUser(first);
      const forgetting = forget(first);
      forgetting.catch(() => {});
      for (let step = 0; step < steps; step += 1) await first.store.probe();
      await first.store.close();
      const second = await open(place);
      await forget(second);
      await expectForgotten(second);
      await second.store.close();
    }
  });

  test('a call that was under way when its device was forgotten leaves neither device nor token', async () => {
    const opened = await open(await newPlace());
    const { store, devices } = opened;
    await add(devices, sampleDevice(1, { user: 'alice' }));
    await forget(opened);
    const late = sampleDelivery(1, { deviceId: sampleDeviceId(1) });
    await store.insert(accept(late));
    const [row] = await store.findDeliveries({ limit: 1 });
    expect(row).toMatchObject({ reason: 'device_deleted', tokenHash: '0'.repeat(32) });
    expect(row).not.toHaveProperty('deviceId');
    expect(row).not.toHaveProperty('subjectHash');
  });

  test('a token without a device is forgotten in the log, and the deliveries that wait for it end', async () => {
    const { store, operating } = await open(await newPlace());
    await wait(store, sampleNews(1), NOW + 50_000);
    const tokenHashes = [sampleFingerprint('token 1')];
    expect(await operating.forget({ userHashes: [], tokenHashes, wallMs: NOW })).toEqual({
      devices: 0,
      deliveries: 1,
      tokenHashes,
    });
    expect(await store.findDeliveries({ limit: 9 })).toMatchObject([
      { status: 'rejected', reason: 'device_deleted', tokenHash: '0'.repeat(32) },
    ]);
    expect(await claimedIds(store, { nowMs: NOW + 60_000 })).toEqual([]);
  });

  test('lists deliveries by every filter, page by page and newest first', async () => {
    const opened = await open(await newPlace());
    const { store, operating } = opened;
    const second = sampleDelivery(2, { receivedAtMs: NOW + 2_000, id: idAt(NOW + 2_000) });
    const other = sampleDelivery(3, {
      receivedAtMs: NOW + 3_000,
      id: idAt(NOW + 3_000),
      provider: 'apns',
    });
    await deliver(opened, [1]);
    for (const delivery of [second, other]) await store.insert(accept(delivery));
    const listed = async (query: Partial<Parameters<OperatingStore['listDeliveries']>[0]>) => {
      const { entries } = await operating.listDeliveries({ limit: 10, ...query });
      return entries.map(({ id }) => id);
    };
    expect(await listed({})).toEqual([other.id, second.id, sampleId(1)]);
    expect(await listed({ status: 'queued' })).toEqual([other.id, second.id]);
    expect(await listed({ provider: 'apns' })).toEqual([other.id]);
    expect(await listed({ app: 'default', type: 'tx_confirmed' })).toEqual([]);
    expect(await listed({ sinceMs: NOW + 2_000 })).toEqual([other.id, second.id]);
    expect(await listed({ sinceMs: NOW + 9_000 })).toEqual([]);
    const first = await operating.listDeliveries({ limit: 2 });
    const rest = await operating.listDeliveries({ limit: 2, cursor: first.next });
    expect(rest.entries.map(({ id, attempts }) => [id, attempts.length])).toEqual([
      [sampleId(1), 1],
    ]);
  });

  test('lists refusals, devices and quarantines', async () => {
    const { store, records, devices, operating } = await open(await newPlace());
    await records.writeRefusals(
      adding(sampleRefusal(1), sampleRefusal(2, { door: '/r/:id', app: 'b' })),
    );
    const refusals = async (query: Partial<Parameters<OperatingStore['listRefusals']>[0]>) => {
      const { entries } = await operating.listRefusals({ limit: 10, ...query });
      return entries.map(({ atMs }) => atMs - NOW);
    };
    expect(await refusals({})).toEqual([2, 1]);
    expect(await refusals({ app: 'b', door: '/r/:id', code: 'rate_limited' })).toEqual([2]);
    expect(await refusals({ tokenHash: sampleFingerprint('token 1') })).toEqual([1]);
    expect(await refusals({ deviceId: sampleId(3_002), sinceMs: NOW + 2 })).toEqual([2]);
    expect(await refusals({ sinceMs: NOW + 3 })).toEqual([]);

    for (const number of [1, 2, 3]) await add(devices, sampleDevice(number));
    const page = await operating.listDevices({ limit: 2, app: 'default' });
    expect(page.entries).toEqual([3, 2].map((number) => sampleDevice(number).device));
    const next = await operating.listDevices({ limit: 2, cursor: page.next });
    expect(next.entries).toEqual([sampleDevice(1).device]);

    const entries = [1, 2, 3].map((number) =>
      quarantineEntry(`token ${number}`, {
        sinceMs: NOW + Math.floor(number / 2),
        untilMs: NOW + 50 * number,
      }),
    );
    for (const entry of entries) await store.quarantine(entry);
    const wallMs = NOW + 50;
    const held = await operating.listQuarantine({ limit: 1, wallMs });
    const others = await operating.listQuarantine({ limit: 5, wallMs, cursor: held.next });
    const found = [...held.entries, ...others.entries].map(({ tokenHash }) => tokenHash);
    const late = entries.slice(1).map(({ tokenHash }) => tokenHash);
    expect(found.toSorted()).toEqual(late.toSorted());
    expect(await operating.listQuarantine({ limit: 5, wallMs: NOW, app: 'b' })).toEqual({
      entries: [],
    });
  });

  test('says how many deliveries wait in each lane, and since when', async () => {
    const { store, operating } = await open(await newPlace());
    await store.insert(accept(sampleDelivery(1)));
    await store.insert(accept(sampleDelivery(2, { receivedAtMs: NOW + 5 })));
    await store.insert(accept(sampleDelivery(3, { provider: 'apns', receivedAtMs: NOW + 9 })));
    const lanes = await operating.listWaiting();
    expect(lanes.toSorted((one, other) => one.provider.localeCompare(other.provider))).toEqual([
      { app: 'default', provider: 'apns', deliveries: 1, oldestAtMs: NOW + 9 },
      { app: 'default', provider: 'fcm', deliveries: 2, oldestAtMs: NOW },
    ]);
  });
}

function idAt(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000001`;
}
