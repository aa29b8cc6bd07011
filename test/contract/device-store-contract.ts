// What every DeviceStore adapter must do. An adapter's test file calls `deviceStoreContract` with a way to
// open an empty database; each test opens its own.

import { afterEach, expect, test } from 'vitest';
import type { Device } from '../../src/core/ports/devices.ts';
import fc, { anyText } from '../support/properties.ts';
import { deviceLimitsContract } from './device-limits-contract.ts';
import { deviceLogContract } from './device-log-contract.ts';
import {
  add,
  DOORS,
  handleHash,
  type SetupStores,
  type Stores,
  sampleDevice,
  sampleDeviceId,
  userHash,
} from './device-samples.ts';
import { NOW, sampleFingerprint } from './store-samples.ts';

export function deviceStoreContract(open: SetupStores): void {
  const opened: Stores[] = [];

  async function setup(): Promise<Stores> {
    const stores = await open();
    opened.push(stores);
    return stores;
  }

  afterEach(async () => {
    await Promise.all(opened.splice(0).map(({ store }) => store.close()));
  });

  testsOfRegistering(setup);
  testsOfReplacing(setup);
  testsOfSignatures(setup);
  deviceLimitsContract(setup);
  deviceLogContract(setup);

  test('is closed with the store', async () => {
    const { store, devices } = await setup();
    const added = add(devices, sampleDevice(1));
    await store.close();

    expect(await added).toMatchObject({ kind: 'added' });
    await expect(add(devices, sampleDevice(2))).rejects.toMatchObject({ reason: 'closed' });
    await expect(devices.findDevice(sampleDeviceId(1))).rejects.toMatchObject({ reason: 'closed' });
  });
}

function testsOfRegistering(setup: SetupStores): void {
  test('finds a device by its id, by each of its handles and by its user', async () => {
    const { devices } = await setup();
    const added = sampleDevice(1, { user: 'alice', locale: 'de-AT' });
    expect(await add(devices, added)).toEqual({ kind: 'added', device: added.device });

    expect(await devices.findDevice(added.device.id)).toEqual(added.device);
    for (const door of DOORS) {
      expect(await devices.findDeviceByHandle(handleHash(1, door))).toEqual(added.device);
    }
    expect(await devices.findDevicesByUser({ userHash: userHash('alice'), limit: 9 })).toEqual([
      added.device,
    ]);
  });

  test('finds nothing under ids, handles and users that it does not know', async () => {
    const { devices } = await setup();
    await add(devices, sampleDevice(1, { user: 'alice' }));

    for (const id of [sampleDeviceId(2), 'nonsense', '']) {
      expect(await devices.findDevice(id)).toBeUndefined();
    }
    for (const hash of [handleHash(1, 'epay'), 'nonsense', '']) {
      expect(await devices.findDeviceByHandle(hash)).toBeUndefined();
    }
    for (const hash of [userHash('bob'), 'nonsense']) {
      expect(await devices.findDevicesByUser({ userHash: hash, limit: 9 })).toEqual([]);
    }
  });

  test('lists the devices of a user, newest first', async () => {
    const { devices } = await setup();
    for (const number of [2, 1, 3]) await add(devices, sampleDevice(number, { user: 'alice' }));
    await add(devices, sampleDevice(4, { user: 'bob' }));
    const found = await devices.findDevicesByUser({ userHash: userHash('alice'), limit: 2 });

    expect(found.map(({ id }) => id)).toEqual([3, 1].map(sampleDeviceId));
  });

  test('returns a known device with its handles to the backend that registers it again', async () => {
    const { devices } = await setup();
    const first = sampleDevice(1, { user: 'alice' });
    await add(devices, first);
    const again = sampleDevice(2, { token: 1, user: 'alice', locale: 'fr' });

    expect(await add(devices, again)).toEqual({ kind: 'known', device: first.device });
    expect(await devices.findDevice(sampleDeviceId(2))).toBeUndefined();
    expect(await devices.findDeviceByHandle(handleHash(2, 'notify'))).toBeUndefined();
  });

  test('makes one device of registrations that come at the same time', async () => {
    const { devices } = await setup();
    const all = [1, 2, 3, 4].map((number) => sampleDevice(number, { token: 1 }));
    const results = await Promise.all(all.map((added) => add(devices, added)));

    expect(results.map(({ kind }) => kind).sort()).toEqual(['added', 'known', 'known', 'known']);
    const ids = results.map((result) => 'device' in result && result.device.id);
    expect(new Set(ids).size).toBe(1);
  });

  test.each(['app', 'self'] as const)(
    'never gives a device of the registrar "%s" to another registrar, or the backend’s to it',
    async (registrar) => {
      const { devices } = await setup();
      await add(devices, sampleDevice(1, { registrar }), { reuse: false });
      const second = sampleDevice(2, { token: 1, registrar });
      expect(await add(devices, second, { reuse: false })).toMatchObject({ kind: 'added' });
      const backends = sampleDevice(3, { token: 1 });
      expect(await add(devices, backends)).toEqual({ kind: 'added', device: backends.device });
      const third = sampleDevice(4, { token: 1, registrar });
      expect(await add(devices, third, { reuse: false })).toMatchObject({ kind: 'added' });
    },
  );

  test('returns unchanged whatever a device registers with', async () => {
    const { devices } = await setup();
    let number = 0;
    const text = anyText({ maxLength: 100 });
    // For apps and sources, whose names come from the configuration.
    const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/);
    const details = fc.record(
      {
        user: text,
        locale: text,
        deadSinceMs: fc.nat(),
        nodeIds: fc.array(text, { maxLength: 3 }),
        secrets: fc.dictionary(name, fc.array(text, { maxLength: 3 }), { noNullPrototype: true }),
        handles: fc.dictionary(name, text, { noNullPrototype: true }),
        registrar: fc.constantFrom('backend', 'app', 'self'),
      },
      { requiredKeys: ['nodeIds', 'secrets', 'handles', 'registrar'], noNullPrototype: true },
    );
    const target = fc.record(
      { app: name, platform: fc.constantFrom('ios', 'android'), token: text, appData: text },
      { requiredKeys: ['app', 'platform', 'token'], noNullPrototype: true },
    );
    const rule = fc.asyncProperty(details, target, async (said, at) => {
      number += 1;
      const sample = sampleDevice(number);
      const device: Device = {
        id: sample.device.id,
        createdAtMs: NOW,
        registeredAtMs: NOW + number,
        seenAtMs: NOW + number,
        ...said,
        target: at,
      };
      expect(await add(devices, { ...sample, device })).toEqual({ kind: 'added', device });
      expect(await devices.findDevice(device.id)).toEqual(device);
    });
    await fc.assert(rule, { numRuns: 200 });
  });
}

function testsOfReplacing(setup: SetupStores): void {
  const others = { user: 'bob', locale: 'pt', token: 7, deadSinceMs: NOW + 5, seenAtMs: NOW + 4 };

  test('replaces what a device registered, the keys by which it is found, and its handles', async () => {
    const { devices } = await setup();
    await add(devices, sampleDevice(1, { user: 'alice' }));
    const replaced = sampleDevice(1, { ...others, doors: ['lsps5', 'epay'] });
    expect(await devices.replaceDevice(replaced)).toBe(true);

    expect(await devices.findDevice(sampleDeviceId(1))).toEqual(replaced.device);
    expect(await devices.findDeviceByHandle(handleHash(1, 'epay'))).toEqual(replaced.device);
    expect(await devices.findDeviceByHandle(handleHash(1, 'lsps5'))).toEqual(replaced.device);
    expect(await devices.findDeviceByHandle(handleHash(1, 'notify'))).toBeUndefined();
    const foundOf = (user: string) =>
      devices.findDevicesByUser({ userHash: userHash(user), limit: 9 });
    expect(await foundOf('alice')).toEqual([]);
    expect(await foundOf('bob')).toEqual([replaced.device]);
    expect(await add(devices, sampleDevice(2, others))).toMatchObject({ kind: 'known' });
    const freed = sampleDevice(3, { token: 1, user: 'alice' });
    expect(await add(devices, freed)).toMatchObject({ kind: 'added' });
  });

  test('replaces nothing if the device does not exist', async () => {
    const { devices } = await setup();
    expect(await devices.replaceDevice(sampleDevice(1))).toBe(false);
    expect(await devices.findDevice(sampleDeviceId(1))).toBeUndefined();
  });

  test('changes nothing if another device of the backend has the new identity', async () => {
    const { devices } = await setup();
    const first = sampleDevice(1);
    await add(devices, first);
    await add(devices, sampleDevice(2));
    const taken = sampleDevice(1, { token: 2, doors: ['epay'] });

    expect(await devices.replaceDevice(taken)).toBe(false);
    expect(await devices.findDeviceByHandle(handleHash(1, 'notify'))).toEqual(first.device);
  });

  test('lets a device that an app registered have the identity of one of the backend', async () => {
    const { devices } = await setup();
    await add(devices, sampleDevice(1, { registrar: 'app' }), { reuse: false });
    await add(devices, sampleDevice(2));
    const replaced = sampleDevice(1, { token: 2, registrar: 'app' });

    expect(await devices.replaceDevice(replaced)).toBe(true);
  });
}

function testsOfSignatures(setup: SetupStores): void {
  const keyHash = sampleFingerprint('signature');

  test('lets a signature be used once until it ends', async () => {
    const { devices } = await setup();
    const use = (nowMs: number) => devices.useOnce({ keyHash, nowMs, expiresAtMs: nowMs + 1_000 });
    expect(await Promise.all([use(NOW), use(NOW), use(NOW + 1)])).toEqual([true, false, false]);

    expect(await use(NOW + 999)).toBe(false);
    expect(await use(NOW + 1_000)).toBe(true);
    expect(await use(NOW + 1_999)).toBe(false);
  });

  test('tells signatures apart', async () => {
    const { devices } = await setup();
    const times = { nowMs: NOW, expiresAtMs: NOW + 1_000 };
    expect(await devices.useOnce({ keyHash, ...times })).toBe(true);
    expect(await devices.useOnce({ keyHash: sampleFingerprint('b'), ...times })).toBe(true);
  });
}
