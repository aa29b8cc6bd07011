// The part of the DeviceStore contract in which devices and the log meet: how deleting a device affects its open
// deliveries, and what the end of a delivery changes in the device.

import { expect, test } from 'vitest';
import type { DeviceStore } from '../../src/core/ports/devices.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { add, type SetupStores, sampleDevice, sampleDeviceId } from './device-samples.ts';
import {
  accept,
  claim,
  DAY_MS,
  FAILED,
  NOW,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  settlement,
} from './store-samples.ts';

const LATER = NOW + 20_000;

export function deviceLogContract(setup: SetupStores): void {
  testsOfDeleting(setup);
  testsOfErasing(setup);
  testsOfSightings(setup);
}

/** An open delivery to the token of `number`, and by way of a device if one is named. */
async function insert(store: Store, number: number, device?: number, token = number) {
  const delivery = sampleDelivery(number, {
    tokenHash: sampleFingerprint(`token ${token}`),
    ...(device === undefined ? {} : { deviceId: sampleDeviceId(device) }),
  });
  const keyHash = sampleFingerprint(`key ${number}`);
  const duplicateKey = { keyHash, expiresAtMs: NOW + 60_000 };
  await store.insert(accept(delivery, { duplicateKey }));
  return delivery;
}

function remove(devices: DeviceStore, number: number): Promise<boolean> {
  return devices.deleteDevice({ id: sampleDeviceId(number), wallMs: NOW + 50 });
}

async function claimedIds(store: Store): Promise<readonly string[]> {
  const { deliveries } = await store.claimDue(claim({ nowMs: LATER }));
  return deliveries.map(({ id }) => id).sort();
}

function testsOfDeleting(setup: SetupStores): void {
  test('deletes a device with its handles', async () => {
    const { devices } = await setup();
    const { device, hashes } = sampleDevice(1, { user: 'alice' });
    await add(devices, { device, hashes });
    await add(devices, sampleDevice(2));
    expect(await remove(devices, 1)).toBe(true);

    expect(await devices.findDevice(device.id)).toBeUndefined();
    for (const hash of Object.values(hashes.handleHashes)) {
      expect(await devices.findDeviceByHandle(hash)).toBeUndefined();
    }
    expect(await devices.findDevice(sampleDeviceId(2))).toBeDefined();
    expect(await add(devices, { device, hashes })).toMatchObject({ kind: 'added' });
  });

  test('tells when there was nothing to delete', async () => {
    const { devices } = await setup();
    await add(devices, sampleDevice(1));

    expect(await remove(devices, 2)).toBe(false);
    expect(await devices.deleteDevice({ id: 'nonsense', wallMs: NOW })).toBe(false);
    expect(await remove(devices, 1)).toBe(true);
    expect(await remove(devices, 1)).toBe(false);
  });

  test('returns with a delivery which device it is for', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    const ofDevice = await insert(store, 1, 1);
    const ofToken = await insert(store, 2);

    expect((await store.claimDue(claim({ nowMs: LATER }))).deliveries).toEqual([ofDevice, ofToken]);
  });
}

function testsOfErasing(setup: SetupStores): void {
  test('ends the open deliveries of a deleted device and releases their duplicate keys', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    const delivery = await insert(store, 1, 1);
    await remove(devices, 1);

    expect(await claimedIds(store)).toEqual([]);
    expect(await store.settle(settlement(delivery))).toBe(false);
    expect(await store.findDeliveries({ limit: 9 })).toMatchObject([
      { status: 'rejected', reason: 'device_deleted', settledAtMs: NOW + 50, attempts: [] },
    ]);
    const keyHash = sampleFingerprint('key 1');
    expect(await store.findDuplicate({ keyHash, nowMs: NOW })).toBeUndefined();
  });

  test('ends deliveries to the token of a deleted device that did not name it', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    await insert(store, 1, undefined, 1);
    await insert(store, 2);
    await remove(devices, 1);

    expect(await claimedIds(store)).toEqual([sampleId(2)]);
  });

  test('leaves the deliveries of a token alone while another device has it, except the deleted device’s own', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    await add(devices, sampleDevice(2, { token: 1, user: 'bob' }));
    await insert(store, 1, 1, 1);
    await insert(store, 2, 2, 1);
    await insert(store, 3, undefined, 1);
    await remove(devices, 1);
    expect(await claimedIds(store)).toEqual([2, 3].map(sampleId));

    await store.releaseLeases('owner-b');
    await remove(devices, 2);
    expect(await claimedIds(store)).toEqual([]);
  });

  test('ends deliveries of a deleted device that still carry its former token', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    await insert(store, 1, 1);
    await devices.replaceDevice(sampleDevice(1, { token: 9 }));
    await remove(devices, 1);

    expect(await claimedIds(store)).toEqual([]);
  });

  test('keeps settled deliveries of a deleted device as they are', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    const delivery = await insert(store, 1, 1);
    await store.settle(settlement(delivery));
    await remove(devices, 1);

    expect(await store.findDeliveries({ limit: 9 })).toMatchObject([{ status: 'delivered' }]);
    const keyHash = sampleFingerprint('key 1');
    expect(await store.findDuplicate({ keyHash, nowMs: NOW })).toBe(sampleId(1));
  });

  test('ends at once a delivery that is accepted for a device that was deleted meanwhile', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    await remove(devices, 1);
    const delivery = await insert(store, 1, 1);

    expect(await claimedIds(store)).toEqual([]);
    expect(await store.settle(settlement(delivery))).toBe(false);
    expect(await store.findDeliveries({ limit: 9 })).toMatchObject([
      { status: 'rejected', reason: 'device_deleted', settledAtMs: NOW },
    ]);
    const keyHash = sampleFingerprint('key 1');
    expect(await store.findDuplicate({ keyHash, nowMs: NOW })).toBeUndefined();
  });
}

function testsOfSightings(setup: SetupStores): void {
  const unregistered = { status: 'unregistered', reason: 'UNREGISTERED' } as const;
  const delivered = { status: 'delivered' } as const;
  let number = 0;

  /** Settles a delivery to the token of device 1. */
  async function settle(store: Store, next: Parameters<typeof settlement>[1], nowMs: number) {
    number += 1;
    const delivery = await insert(store, number, undefined, 1);
    return await store.settle(settlement(delivery, next, { nowMs }));
  }

  async function timesOf(devices: DeviceStore, device: number) {
    const found = await devices.findDevice(sampleDeviceId(device));
    return { seenAtMs: found?.seenAtMs, deadSinceMs: found?.deadSinceMs };
  }

  test('notes since when the token of a device is dead, for every device that has it', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    await add(devices, sampleDevice(2, { token: 1, user: 'bob' }));
    await add(devices, sampleDevice(3));
    await settle(store, unregistered, NOW + 100);
    await settle(store, unregistered, NOW + 200);

    for (const device of [1, 2]) {
      expect(await timesOf(devices, device)).toEqual({ seenAtMs: NOW, deadSinceMs: NOW + 100 });
    }
    expect(await timesOf(devices, 3)).toEqual({ seenAtMs: NOW, deadSinceMs: undefined });
  });

  test('takes a device for alive again when it took a push', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1, { deadSinceMs: NOW - 5 }));
    await settle(store, delivered, NOW + 100);

    expect(await timesOf(devices, 1)).toEqual({ seenAtMs: NOW + 100, deadSinceMs: undefined });
  });

  test('notes that a device took a push once a day', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    await settle(store, delivered, NOW + DAY_MS - 1);
    expect(await timesOf(devices, 1)).toMatchObject({ seenAtMs: NOW });

    await settle(store, delivered, NOW + DAY_MS);
    expect(await timesOf(devices, 1)).toMatchObject({ seenAtMs: NOW + DAY_MS });
  });

  test.each([
    { status: 'rejected', reason: 'InvalidArgument' },
    { status: 'misconfigured', reason: 'InvalidProviderToken' },
    { status: 'expired' },
    { status: 'queued', dueAtMs: NOW + DAY_MS },
  ] as const)('learns nothing about a device from a delivery that is $status', async (next) => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    await add(devices, sampleDevice(2, { token: 1, user: 'bob', deadSinceMs: NOW - 5 }));
    await settle(store, next, NOW + 2 * DAY_MS);

    expect(await timesOf(devices, 1)).toEqual({ seenAtMs: NOW, deadSinceMs: undefined });
    expect(await timesOf(devices, 2)).toEqual({ seenAtMs: NOW, deadSinceMs: NOW - 5 });
  });

  test('learns nothing from a settlement of an owner that lost the lease', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    const delivery = await insert(store, 500, undefined, 1);
    const late = { owner: 'another', attempt: FAILED };
    expect(await store.settle(settlement(delivery, unregistered, late))).toBe(false);

    expect(await timesOf(devices, 1)).toEqual({ seenAtMs: NOW, deadSinceMs: undefined });
  });
}
