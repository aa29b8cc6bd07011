// Registering devices: which two registrations are of one device, who may add devices, and what a change leaves as it
// was.

import { expect, test } from 'vitest';
import { handleKey, Registry } from '../../../src/core/devices/registry.ts';
import type { DeviceDetails, Registrar } from '../../../src/core/ports/devices.ts';
import { Ledger } from '../../../src/core/sending/ledger.ts';
import { tokenKey } from '../../../src/core/target.ts';
import { Quarantine } from '../../../src/core/tokens/quarantine.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { MemoryDevices } from './memory-devices.ts';

const DOORS = ['notify', 'lsps5'];
const DEAD = { kind: 'unregistered', reason: 'UNREGISTERED' } as const;

function setup({ maxPerUser = 3, maxDevices = 10 } = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const devices = new MemoryDevices();
  let ids = 0;
  const next = (prefix: string) => {
    ids += 1;
    return `${prefix} ${ids}`;
  };
  const quarantine = new Quarantine(clock, {
    unregisteredMs: 86_400_000,
    badTokenMs: 600_000,
    maxEntries: 100,
    maxProvenTokens: 100,
  });
  const registry = new Registry({
    clock,
    ids: {
      deliveryId: () => next('device'),
      secret: () => next('secret'),
      fraction: () => 0.5,
      fingerprint: (value) => `hash of ${value}`,
      deriveKey: (purpose) => Buffer.from(purpose),
    },
    devices,
    quarantine,
    ledger: new Ledger({ store, clock, observer: { observe: () => {} }, onRecovered: () => {} }),
    doors: DOORS,
    maxPerUser,
    maxDevices,
  });
  const register = (token: string, given: Partial<DeviceDetails> = {}, registrar?: Registrar) =>
    registry.register(detailsOf(token, given), registrar ?? 'backend');
  const condemn = (token: string) => {
    const tokenHash = `hash of ${tokenKey(detailsOf(token).target)}`;
    quarantine.condemn({ app: 'default', provider: 'fcm', tokenHash }, DEAD);
    return () => quarantine.find(tokenHash) !== undefined;
  };
  return { clock, devices, registry, register, condemn };
}

function detailsOf(token: string, given: Partial<DeviceDetails> = {}): DeviceDetails {
  const target = { app: 'default', platform: 'android', token } as const;
  return { target, user: 'alice', nodeIds: [], secrets: {}, ...given };
}

test('a new device has a handle of its own for every door', async () => {
  const { register, devices } = setup();
  const { device, isNew } = await register('a');
  expect(isNew).toBe(true);
  expect(Object.keys(device.handles)).toEqual(DOORS);
  expect(new Set(Object.values(device.handles)).size).toBe(2);
  const handle = device.handles.notify ?? '';
  const byHandle = await devices.findDeviceByHandle(`hash of ${handleKey('notify', handle)}`);
  expect(byHandle?.id).toBe(device.id);
  const elsewhere = await devices.findDeviceByHandle(`hash of ${handleKey('lsps5', handle)}`);
  expect(elsewhere).toBeUndefined();
});

test('if the backend registers a device again, it keeps its URLs and takes the new details', async () => {
  const { register } = setup();
  const first = await register('a', { locale: 'de' });
  const again = await register('a', { locale: 'fr' });
  expect(again.isNew).toBe(false);
  expect(again.device).toMatchObject({ id: first.device.id, locale: 'fr' });
  expect(again.device.handles).toEqual(first.device.handles);
});

test.each(['app', 'self'] as const)(
  '%s only adds: it never reads or changes existing devices',
  async (registrar) => {
    const { register, registry } = setup();
    const first = await register('a', { locale: 'de' });
    const added = await register('a', { locale: 'fr' }, registrar);
    expect(added.isNew).toBe(true);
    expect(added.device.id).not.toBe(first.device.id);
    expect((await registry.find(first.device.id)).locale).toBe('de');
  },
);

test('two registrations of one device at once are one device', async () => {
  const { register, registry } = setup();
  const [one, other] = await Promise.all([register('a'), register('a')]);
  expect(one.device.id).toBe(other.device.id);
  expect(await registry.findByUser('default', 'alice')).toHaveLength(1);
});

test('token, user and app_data identify a device; with another user it is another device', async () => {
  const { register } = setup();
  const target = { app: 'default', platform: 'android', token: 'a', appData: 'x' } as const;
  const ids = [
    (await register('a')).device.id,
    (await register('a', { user: 'bob' })).device.id,
    (await register('a', { target })).device.id,
  ];
  expect(new Set(ids).size).toBe(3);
});

test('there is a limit for each user and for the service, and each refusal names its setting', async () => {
  const { register } = setup({ maxPerUser: 2, maxDevices: 3 });
  await register('a');
  await register('b');
  await expect(register('c')).rejects.toMatchObject({
    code: 'too_many_devices',
    details: { detail: expect.stringContaining('NDS_MAX_DEVICES_PER_USER') },
  });
  await register('c', { user: 'bob' });
  await expect(register('d', { user: 'carol' })).rejects.toMatchObject({
    details: { detail: expect.stringContaining('(NDS_MAX_DEVICES)') },
  });
});

test('a device cannot be moved to a user who has reached the limit', async () => {
  const { register, registry } = setup({ maxPerUser: 1 });
  await register('a');
  const { device } = await register('b', { user: 'bob' });
  await expect(registry.change(device.id, { user: 'alice' })).rejects.toMatchObject({
    code: 'too_many_devices',
  });
  await registry.change(device.id, { user: 'bob', locale: 'fr' });
});

test('a registration by the backend ends a token’s death, one by an app does not', async () => {
  const { register, condemn } = setup();
  const isDead = condemn('a');
  await register('a', {}, 'app');
  expect(isDead()).toBe(true);
  await register('a');
  expect(isDead()).toBe(false);
});

test('a new token starts without the old one’s death, and the URLs stay', async () => {
  const { register, registry, condemn, clock } = setup();
  const { device } = await register('a');
  const isDead = condemn('b');
  clock.advance(1_000);
  const changed = await registry.change(device.id, { token: 'b' });
  expect(isDead()).toBe(false);
  expect(changed.handles).toEqual(device.handles);
  expect(changed).toMatchObject({ target: { token: 'b' }, seenAtMs: clock.wallMs() });
  expect(changed.deadSinceMs).toBeUndefined();
});

test('a change that would make two devices the same is refused', async () => {
  const { register, registry } = setup();
  await register('a');
  const { device } = await register('b');
  await expect(registry.change(device.id, { token: 'a' })).rejects.toMatchObject({
    code: 'device_exists',
  });
});

test('a revoked URL stays revoked, whatever is changed at the same moment', async () => {
  const { register, registry } = setup();
  const { device } = await register('a');
  await Promise.all([
    registry.revokeHandle(device.id, 'notify'),
    registry.change(device.id, { locale: 'fr' }),
    registry.change(device.id, { user: 'bob' }),
  ]);
  const after = await registry.find(device.id);
  expect(Object.keys(after.handles)).toEqual(['lsps5']);
  expect(after).toMatchObject({ locale: 'fr', user: 'bob' });
  await expect(registry.revokeHandle(device.id, 'notify')).rejects.toMatchObject({
    code: 'unknown_handle',
  });
});

test('a renewed URL is another one, and those of the other doors stay', async () => {
  const { register, registry } = setup();
  const { device } = await register('a');
  const renewed = await registry.renewHandle(device.id, 'notify');
  expect(renewed.handles.notify).not.toBe(device.handles.notify);
  expect(renewed.handles.lsps5).toBe(device.handles.lsps5);
  await expect(registry.renewHandle(device.id, 'no such door')).rejects.toMatchObject({
    code: 'unknown_source',
  });
});

test('a change that fails does not block the next one', async () => {
  const { register, registry } = setup();
  const { device } = await register('a');
  const wrong = registry.revokeHandle(device.id, 'no such door');
  const right = registry.change(device.id, { locale: 'fr' });
  await expect(wrong).rejects.toMatchObject({ code: 'unknown_handle' });
  expect((await right).locale).toBe('fr');
});

test('what was removed is unknown', async () => {
  const { register, registry } = setup();
  const { device } = await register('a');
  await registry.remove(device.id);
  const unknown = { code: 'unknown_device' };
  await expect(registry.find(device.id)).rejects.toMatchObject(unknown);
  await expect(registry.remove(device.id)).rejects.toMatchObject(unknown);
  await expect(registry.change(device.id, {})).rejects.toMatchObject(unknown);
});
