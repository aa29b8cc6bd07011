// The part of the DeviceStore contract about numbers: how many devices there may be, and which ones are pruned.

import { expect, test } from 'vitest';
import fc from '../support/properties.ts';
import {
  add,
  handleHash,
  type SetupStores,
  sampleDevice,
  sampleDeviceId,
  userHash,
} from './device-samples.ts';
import { accept, claim, DAY_MS, NOW, sampleDelivery, sampleFingerprint } from './store-samples.ts';

export function deviceLimitsContract(setup: SetupStores): void {
  testsOfLimits(setup);
  testsOfPruning(setup);
}

function testsOfLimits(setup: SetupStores): void {
  test('refuses a device that is one too many for its user, exactly', async () => {
    const { devices } = await setup();
    const all = Array.from({ length: 10 }, (_, number) => sampleDevice(number, { user: 'alice' }));
    const results = await Promise.all(all.map((added) => add(devices, added, { maxPerUser: 7 })));

    const kinds = results.map(({ kind }) => kind);
    expect(kinds.slice(0, 7)).toEqual(Array(7).fill('added'));
    expect(kinds.slice(7)).toEqual(Array(3).fill('too_many_of_user'));
    expect(await devices.findDevice(sampleDeviceId(7))).toBeUndefined();
    expect(await devices.findDeviceByHandle(handleHash(7, 'notify'))).toBeUndefined();
    const known = sampleDevice(20, { token: 3, user: 'alice' });
    expect(await add(devices, known, { maxPerUser: 7 })).toMatchObject({ kind: 'known' });
    const ofBob = sampleDevice(21, { user: 'bob' });
    expect(await add(devices, ofBob, { maxPerUser: 1 })).toMatchObject({ kind: 'added' });
    const nobodys = sampleDevice(22);
    expect(await add(devices, nobodys, { maxPerUser: 1 })).toMatchObject({ kind: 'added' });
  });

  test('refuses a device that is one too many in all, until one is deleted', async () => {
    const { devices } = await setup();
    const full = { maxDevices: 2 };
    for (const number of [1, 2]) await add(devices, sampleDevice(number), full);
    expect(await add(devices, sampleDevice(3), full)).toEqual({ kind: 'too_many' });
    expect(await add(devices, sampleDevice(4, { token: 1 }), full)).toMatchObject({
      kind: 'known',
    });
    expect(await devices.findDevice(sampleDeviceId(3))).toBeUndefined();

    await devices.deleteDevice({ id: sampleDeviceId(1), wallMs: NOW });
    expect(await add(devices, sampleDevice(3), full)).toMatchObject({ kind: 'added' });
  });

  test('counts right after any sequence of registering, replacing, deleting and pruning', async () => {
    const number = fc.nat({ max: 9 });
    const step = fc.record({
      what: fc.constantFrom('add', 'add', 'replace', 'delete', 'prune'),
      number,
      token: number,
      user: fc.constantFrom('alice', 'bob', undefined),
    });
    const course = fc.array(step, { minLength: 5, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(course, async (steps) => {
        const { store, devices } = await setup();
        // A step may come twice and then add an id that exists already. That step alone fails, and changes no count.
        await Promise.allSettled(
          steps.map(({ what, number, token, user }) => {
            const changes = { token, seenAtMs: NOW + number, ...(user && { user }) };
            if (what === 'add') return add(devices, sampleDevice(number, changes));
            if (what === 'replace') return devices.replaceDevice(sampleDevice(number, changes));
            if (what === 'delete') {
              return devices.deleteDevice({ id: sampleDeviceId(number), wallMs: NOW });
            }
            return devices.pruneDevices({ ...NOTHING, unseenBeforeMs: NOW + 3, limit: 2 });
          }),
        );
        const ids = Array.from({ length: 10 }, (_, index) => sampleDeviceId(index));
        const found = await Promise.all(ids.map((id) => devices.findDevice(id)));
        const left = found.filter((device) => device !== undefined);
        for (const user of ['alice', 'bob']) {
          const maxPerUser = left.filter((device) => device.user === user).length;
          const one = sampleDevice(90, { user });
          expect(await add(devices, one, { maxPerUser })).toEqual({ kind: 'too_many_of_user' });
        }
        const one = sampleDevice(91);
        const maxDevices = left.length;
        expect(await add(devices, one, { maxDevices })).toEqual({ kind: 'too_many' });
        const added = await add(devices, one, { maxDevices: maxDevices + 1 });
        expect(added).toMatchObject({ kind: 'added' });
        await store.close();
      }),
      { numRuns: 15 },
    );
  });
}

const NOTHING = { deadBeforeMs: 0, unseenBeforeMs: 0, nowMs: NOW, wallMs: NOW, limit: 1_000 };

function testsOfPruning(setup: SetupStores): void {
  test('prunes devices that are dead or unseen for long, and tells how many of each', async () => {
    const { devices } = await setup();
    const long = NOW - 60 * DAY_MS;
    await add(devices, sampleDevice(1, { deadSinceMs: long - 1, user: 'alice' }));
    await add(devices, sampleDevice(2, { deadSinceMs: long, user: 'alice' }));
    await add(devices, sampleDevice(3, { seenAtMs: long - 1, user: 'alice' }));
    await add(devices, sampleDevice(4, { seenAtMs: long, user: 'alice' }));
    await add(devices, sampleDevice(5, { seenAtMs: long - 1, deadSinceMs: long - 1 }));
    const options = {
      deadBeforeMs: long,
      unseenBeforeMs: long,
      nowMs: NOW,
      wallMs: NOW,
      limit: 100,
    };

    expect(await devices.pruneDevices(options)).toEqual({ dead: 2, unseen: 1 });
    expect(await devices.pruneDevices(options)).toEqual({ dead: 0, unseen: 0 });
    const left = await devices.findDevicesByUser({ userHash: userHash('alice'), limit: 9 });
    expect(left.map(({ id }) => id)).toEqual([4, 2].map(sampleDeviceId));
    expect(await devices.findDeviceByHandle(handleHash(1, 'notify'))).toBeUndefined();
  });

  test('prunes no more devices than it is asked to', async () => {
    const { devices } = await setup();
    const all = Array.from({ length: 250 }, (_, number) => sampleDevice(number));
    await Promise.all(all.map((added) => add(devices, added)));
    const options = { ...NOTHING, unseenBeforeMs: NOW + 1 };

    expect(await devices.pruneDevices({ ...options, limit: 7 })).toEqual({ dead: 0, unseen: 7 });
    const most = { ...options, limit: 230 };
    expect(await devices.pruneDevices(most)).toEqual({ dead: 0, unseen: 230 });
    expect(await devices.pruneDevices(most)).toEqual({ dead: 0, unseen: 13 });
  });

  test('prunes the long unseen first', async () => {
    const { devices } = await setup();
    for (const number of [1, 2, 3]) {
      await add(devices, sampleDevice(number, { seenAtMs: NOW - number }));
    }
    await devices.pruneDevices({ ...NOTHING, unseenBeforeMs: NOW, limit: 2 });

    expect(await devices.findDevice(sampleDeviceId(1))).toBeDefined();
  });

  test('ends the open deliveries of a device that it prunes', async () => {
    const { store, devices } = await setup();
    await add(devices, sampleDevice(1));
    const deviceId = sampleDeviceId(1);
    await store.insert(accept(sampleDelivery(1, { deviceId })));
    await devices.pruneDevices({ ...NOTHING, unseenBeforeMs: NOW + 1 });

    expect((await store.claimDue(claim({ nowMs: NOW + 20_000 }))).deliveries).toEqual([]);
    const logged = await store.findDeliveries({ limit: 1 });
    expect(logged).toMatchObject([{ status: 'rejected', reason: 'device_deleted' }]);
  });

  test('prunes used signatures only when they have ended', async () => {
    const { devices } = await setup();
    const keys = Array.from({ length: 250 }, (_, index) => sampleFingerprint(`key ${index}`));
    const use = (keyHash: string) =>
      devices.useOnce({ keyHash, nowMs: NOW, expiresAtMs: NOW + 1_000 });
    await Promise.all(keys.map(use));
    await devices.pruneDevices({ ...NOTHING, nowMs: NOW + 999 });
    expect(await Promise.all(keys.map(use))).toEqual(keys.map(() => false));

    await devices.pruneDevices({ ...NOTHING, nowMs: NOW + 1_000 });
    expect(await Promise.all(keys.map(use))).toEqual(keys.map(() => true));
  });
}
