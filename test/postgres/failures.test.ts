// What callers get while PostgreSQL is away, slow, or back, and what happens to the deliveries of a machine that was
// killed.

import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { type Store, StoreUnavailableError } from '../../src/core/ports/store.ts';
import { beginLife } from '../chaos/life.ts';
import { ANDROID_TOKEN, setup } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { startMachines } from './machines.ts';
import { makeServer, type Server } from './server.ts';

const UNAVAILABLE = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
const ours: Server[] = [];

afterEach(async () => {
  for (const server of ours.splice(0)) await server.remove();
});

test.each(SERVERS.map(({ major }) => major))(
  'while PostgreSQL %i is away pushes go out unlogged, nothing is promised, and all is well when it is back',
  async (major) => {
    const server = await makeServer(major);
    ours.push(server);
    const { sandbox, service, notify, log } = await setup({
      environment: { NDS_DATABASE: server.url, NDS_DRAIN: '0ms' },
    });
    expect((await notify(ANDROID_TOKEN, 'aa')).status).toBe(200);
    await server.kill();

    const unlogged = await notify(ANDROID_TOKEN, 'bb');
    expect(unlogged.status).toBe(200);
    expect(await unlogged.json()).toMatchObject({ status: 'delivered', logged: false });
    expect(service.readiness().checks.store).toMatchObject({
      ready: false,
      detail: expect.stringContaining('PostgreSQL does not answer'),
    });
    sandbox.script({ provider: 'fcm', fault: UNAVAILABLE });
    expect((await notify(ANDROID_TOKEN, 'cc')).status).toBe(503);
    expect(log.events.filter(({ name }) => name === 'key_unclaimed').length).toBeGreaterThan(0);

    await server.start();
    await log.waitFor(({ name }) => name === 'store_recovered');
    expect(service.readiness().checks.store).toEqual({ ready: true });
    const again = await notify(ANDROID_TOKEN, 'dd');
    expect(await again.json()).toMatchObject({ status: 'delivered' });
    await service.settled();
    const rows = await service.store.findDeliveries({ limit: 9 });
    expect(rows.map(({ status }) => status)).toEqual(['delivered', 'delivered']);
    expect(await query(server.url, 'SELECT count(*) FROM nodes')).toEqual([{ count: '1' }]);
  },
);

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase } = useDatabases(server);

  test('a push waits a quarter of a second for its key and then goes out without it', async () => {
    const NDS_DATABASE = await newDatabase();
    const { notify, log, sandbox } = await setup({
      environment: { NDS_DATABASE, NDS_DRAIN: '0ms' },
    });
    const other = new pg.Client({ connectionString: NDS_DATABASE });
    await other.connect();
    await other.query('BEGIN; LOCK TABLE duplicate_keys IN ACCESS EXCLUSIVE MODE');
    const response = await notify(ANDROID_TOKEN, 'aa');
    await other.end();
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: 'delivered', logged: false });
    expect(log.events.filter(({ name }) => name === 'key_unclaimed')).toHaveLength(1);
    expect(sandbox.received()).toHaveLength(1);
  });

  test('the repeat of a refused call finds its row, which was written without an answer, and is a duplicate', async () => {
    let isLost = true;
    const wrapStore = (store: Store): Store => ({
      ...store,
      async claimKey(keyed) {
        const claim = await store.claimKey?.(keyed);
        if (isLost || claim === undefined) throw new StoreUnavailableError('unreachable');
        return claim;
      },
    });
    const { notify, sandbox, service } = await setup({
      environment: { NDS_DATABASE: await newDatabase(), NDS_DRAIN: '0ms' },
      wrapStore,
    });
    sandbox.script({ provider: 'fcm', fault: UNAVAILABLE });
    expect((await notify(ANDROID_TOKEN, 'aa')).status).toBe(503);
    isLost = false;
    const [row] = await service.store.findDeliveries({ limit: 9 });
    const repeat = await notify(ANDROID_TOKEN, 'aa');
    expect(await repeat.json()).toEqual({ id: row?.id, status: 'duplicate' });
  });

  test('another machine sends within eight seconds what a killed machine was sending', async () => {
    const url = await newDatabase();
    const { first } = await startMachines(url);
    const life = beginLife(first.environment);
    const address = await life.listening;
    first.sandbox.script({ provider: 'fcm', fault: { kind: 'hang' }, times: 100 });
    const call = fetch(`${address}/notify?platform=android&token=${ANDROID_TOKEN}`, {
      method: 'POST',
      body: JSON.stringify({ template: 'payment_received', data: { payment_hash: 'aa' } }),
    }).catch(() => undefined);
    await first.sandbox.waitForRequests(({ provider }) => provider === 'fcm', 1);
    while ((await query(url, 'SELECT FROM queue')).length === 0) await first.service.store.probe();
    life.kill();
    await life.ended;
    first.sandbox.clearFaults();
    const killedAtMs = performance.now();
    await call;
    const [push] = await first.sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 1);
    expect(push).toBeDefined();
    expect(performance.now() - killedAtMs).toBeLessThan(8_000);
    expect(first.log.lines.map(({ message }) => message)).toContain('node_taken_over');
  });
});
