// Changes at one machine affect the others: new tokens of devices, and keys of a machine that died.

import { describe, expect, test } from 'vitest';
import type { KeyedDelivery } from '../../src/core/ports/store.ts';
import {
  accept,
  claim,
  NOW,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  settlement,
} from '../contract/store-samples.ts';
import { send } from '../support/callers.ts';
import { callRegistry, paymentBody, registerPhone } from '../support/device-calls.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { pathOf, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { startMachines } from './machines.ts';

const UNREGISTERED = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
const NEW_TOKEN = 'new-token:APA91bAfterTheAppWasInstalledAgain';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  test('if a device gets a new token at one machine, another one pushes to it', async () => {
    const { first, start } = await startMachines(await newDatabase(), REGISTRY_ENVIRONMENT);
    const other = await start();
    const device = await registerPhone(first);
    const callOther = (paymentHash: string) =>
      send(other.service.url, {
        path: pathOf(device, 'notify'),
        body: paymentBody(paymentHash),
      });
    const tokens = () => first.sandbox.received().map(({ token }) => token);
    expect((await callOther('aa')).status).toBe(200);
    first.sandbox.script({ provider: 'fcm', fault: UNREGISTERED });
    expect((await callOther('bb')).status).toBe(410);
    expect(tokens()).toEqual([ANDROID_TOKEN]);

    const body = { token: NEW_TOKEN };
    const rotation = { method: 'PUT', path: `/${device.id}/token`, body };
    expect((await callRegistry(first, rotation)).status).toBe(200);
    expect((await callOther('cc')).status).toBe(200);
    expect(tokens()).toEqual([ANDROID_TOKEN, NEW_TOKEN]);
  });

  test('another machine sends, under the same key, what a machine claimed but did not push before it died', async () => {
    const url = await newDatabase();
    const dead = await open(url, { clock: new ManualClock(NOW) });
    const clock = new ManualClock(NOW);
    let taken = 0;
    const alive = await open(url, {
      clock,
      onTakenOver: ({ deliveries }) => {
        taken += deliveries;
      },
    });
    const key = { keyHash: sampleFingerprint('key'), expiresAtMs: NOW + 60_000 };
    const keyed = (number: number, owner: string): KeyedDelivery => {
      const accepted = accept(sampleDelivery(number), { owner, leaseUntilMs: NOW + 3_600_000 });
      return { ...accepted, duplicateKey: key };
    };
    expect(await dead.store.claimKey?.(keyed(1, dead.owner))).toMatchObject({ kind: 'taken' });
    // The dead machine's clock stands still from here on: it neither pushes nor beats.
    const repeat = () => alive.store.claimKey?.(keyed(2, alive.owner));
    expect(await repeat()).toEqual({ kind: 'held', deliveryId: sampleId(1) });

    const beatOf = async () => {
      const rows = await query(url, `SELECT beat FROM nodes WHERE id = '${alive.owner}'`);
      return Number(rows[0]?.beat);
    };
    for (let second = 0; second < 8; second += 1) {
      const before = await beatOf();
      clock.advance(1_000);
      while ((await beatOf()) === before) await alive.store.probe();
    }
    while (taken === 0) await alive.store.probe();
    const request = claim({ owner: alive.owner, nowMs: NOW + 8_000, leaseUntilMs: NOW + 60_000 });
    const { deliveries } = await alive.store.claimDue(request);
    expect(deliveries.map(({ id }) => id)).toEqual([sampleId(1)]);
    // The key has one delivery, before and after its end.
    expect(await repeat()).toEqual({ kind: 'held', deliveryId: sampleId(1) });
    const sent = settlement(sampleDelivery(1), undefined, { owner: alive.owner });
    expect(await alive.store.settle(sent)).toBe(true);
    expect(await repeat()).toEqual({ kind: 'held', deliveryId: sampleId(1) });
    expect(await alive.store.findDeliveries({ limit: 9 })).toHaveLength(1);
  });
});
