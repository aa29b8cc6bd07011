// The registry in PostgreSQL against the contract of every adapter, and used by several machines.

import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { add, sampleDevice, sampleDeviceId } from '../contract/device-samples.ts';
import { deviceStoreContract } from '../contract/device-store-contract.ts';
import {
  accept,
  NOW,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
} from '../contract/store-samples.ts';
import { countLockWaits, directAddress, query, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  deviceStoreContract(async () => await open(await newDatabase()));

  test('keeps limits exact, and a signature used once, whichever machine is asked', async () => {
    const url = await newDatabase();
    const machines = [await open(url), await open(url)] as const;
    const all = Array.from({ length: 20 }, (_, number) => sampleDevice(number, { user: 'alice' }));
    const devicesOf = (number: number) => machines[number % 2 === 0 ? 0 : 1].devices;
    const added = await Promise.all(
      all.map((device, number) => add(devicesOf(number), device, { maxPerUser: 7 })),
    );
    expect(added.filter(({ kind }) => kind === 'added')).toHaveLength(7);
    const others = Array.from({ length: 20 }, (_, number) => sampleDevice(100 + number));
    const results = await Promise.all(
      others.map((device, number) => add(devicesOf(number), device, { maxDevices: 12 })),
    );
    expect(results.filter(({ kind }) => kind === 'added')).toHaveLength(5);
    const once = { keyHash: sampleFingerprint('once'), nowMs: NOW, expiresAtMs: NOW + 1_000 };
    const used = await Promise.all(machines.map(({ devices }) => devices.useOnce(once)));
    expect(used.toSorted()).toEqual([false, true]);
  });

  test('takes a device that cannot be decrypted for missing, and lets it register again', async () => {
    const url = await newDatabase();
    const { devices } = await open(url);
    const lost = sampleDevice(1, { user: 'alice' });
    await add(devices, lost);
    await query(url, `UPDATE devices SET sealed = '\\x00'`);
    expect(await devices.findDevice(lost.device.id)).toBeUndefined();
    const again = sampleDevice(2, { token: 1, user: 'alice' });
    const result = await add(devices, again, { maxPerUser: 1, maxDevices: 1 });
    expect(result).toEqual({ kind: 'added', device: again.device });
  });

  test('deletes a device although PostgreSQL ends the first try in favour of another transaction', async () => {
    const url = await newDatabase();
    const { devices, store } = await open(url);
    await add(devices, sampleDevice(1));
    const { id, deviceId } = { id: sampleId(1), deviceId: sampleDeviceId(1) };
    await store.insert(accept(sampleDelivery(1, { deviceId })));
    const direct = directAddress(server, url);
    const [other, gate] = await Promise.all([connect(direct), connect(direct)]);
    // A deadlock ends the transaction whose deadlock_timeout passes first, which is never this one.
    await other.query(
      'BEGIN; SET LOCAL deadlock_timeout = 86400000; SELECT FROM devices FOR UPDATE',
    );
    await gate.query('BEGIN; SELECT FROM queue FOR UPDATE');
    const deleted = devices.deleteDevice({ id: deviceId, wallMs: NOW });
    while ((await countLockWaits(direct)) < 1);
    const taken = other.query('SELECT FROM counts FOR UPDATE');
    while ((await countLockWaits(direct)) < 2);
    await gate.query('COMMIT');
    await taken;
    await other.query('COMMIT');
    await Promise.all([other.end(), gate.end()]);
    expect(await deleted).toBe(true);
    expect(await store.findDeliveries({ id, limit: 1 })).toMatchObject([
      { reason: 'device_deleted' },
    ]);
  });
});

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
}
