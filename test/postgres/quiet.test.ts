// One payment of a vendor with little traffic, in real time: no other delivery helps it, so it is sent by its own plan
// alone.

import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ANDROID_TOKEN, setup } from '../support/service.ts';
import { SERVERS, useDatabases } from './databases.ts';
import { startRelay } from './drill/relay.ts';

/** Far below the 30 s of a lease. */
const SOON_MS = 8_000;
const OUTAGE_MS = 6_000;

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase } = useDatabases(server);

  test('a payment goes out soon after an outage of six seconds', async () => {
    const { sandbox, service, notify } = await setup({
      environment: { NDS_DATABASE: await newDatabase(), NDS_DRAIN: '0ms' },
    });
    await sandbox.refuseConnections('fcm', true, { reset: true });
    const queued = await notify(ANDROID_TOKEN, 'aa');
    expect(await queued.json()).toMatchObject({ status: 'queued' });
    await setTimeout(OUTAGE_MS);
    await sandbox.refuseConnections('fcm', false);
    const overAtMs = performance.now();
    await sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 1);
    expect(performance.now() - overAtMs).toBeLessThan(SOON_MS);
    await service.settled();
    const [row] = await service.store.findDeliveries({ limit: 1 });
    expect(row?.status).toBe('delivered');
    expect(row?.attempts.length).toBeGreaterThan(1);
    expect(sandbox.received()).toHaveLength(1);
  });

  test('a payment goes out soon after an outage although the answer to its claim was lost after the commit', async () => {
    const url = new URL(await newDatabase());
    const relay = await startRelay(Number(url.port));
    const { sandbox, service, notify } = await setup({
      environment: {
        NDS_DATABASE: Object.assign(url, { port: String(relay.port) }).href,
        NDS_DRAIN: '0ms',
      },
    });
    await sandbox.refuseConnections('fcm', true, { reset: true });
    const queued = await notify(ANDROID_TOKEN, 'aa');
    expect(await queued.json()).toMatchObject({ status: 'queued' });
    await relay.loseAnswer(['chosen AS MATERIALIZED', 'COMMIT']);
    const lostAtMs = performance.now();
    const [leased] = await service.store.findDeliveries({ limit: 1 });
    expect(leased).toMatchObject({ status: 'queued' });
    await sandbox.refuseConnections('fcm', false);

    await sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 1);
    expect(performance.now() - lostAtMs).toBeLessThan(SOON_MS);
    await service.settled();
    const [row] = await service.store.findDeliveries({ limit: 1 });
    expect(row?.status).toBe('delivered');
    const numbers = row?.attempts.map(({ number }) => number);
    expect(numbers).toEqual(numbers?.map((_, index) => index + 1));
    expect(sandbox.received()).toHaveLength(1);
    await relay.close();
  });
});
