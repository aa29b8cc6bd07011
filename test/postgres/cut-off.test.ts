// A machine that is cut off from PostgreSQL while packets are dropped: what it wrote arrives long after it has given
// up, and the server does not know that it is gone.

import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { StoreUnavailableError } from '../../src/core/ports/store.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { Database } from '../../src/stores/postgres/database.ts';
import { ANDROID_TOKEN, setup } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { startRelay } from './drill/relay.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase } = useDatabases(server);

  test('a call that went out unclaimed leaves no row when its claim arrives at last', async () => {
    const url = new URL(await newDatabase());
    const relay = await startRelay(Number(url.port));
    const behind = Object.assign(new URL(url), { port: String(relay.port) }).href;
    const { notify, log } = await setup({
      environment: { NDS_DATABASE: behind, NDS_DRAIN: '0ms' },
    });
    relay.cut('silent');
    const answer = await (await notify(ANDROID_TOKEN, 'aa')).json();
    expect(answer).toMatchObject({ status: 'delivered', logged: false });
    // In real time, because the time is PostgreSQL's: a machine's statement is too late after three seconds.
    await pause(3_100);
    relay.heal();
    await log.waitFor(({ name }) => name === 'store_recovered');
    // The old claim arrived before the connection of the recovery was opened, so it has been decided.
    expect(await (await notify(ANDROID_TOKEN, 'bb')).json()).toMatchObject({ status: 'delivered' });
    expect(await query(url.href, 'SELECT id FROM deliveries')).toHaveLength(1);
    expect(await query(url.href, 'SELECT key_hash FROM duplicate_keys')).toHaveLength(1);
    await relay.close();
  });

  test('the locks of a silent machine are free before it counts as dead', async () => {
    const url = await newDatabase();
    const database = new Database({ url, clock: createSystemClock() });
    const { promise: silence, resolve: speak } = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const cutOff = database.transaction(async (run) => {
      await run('LOCK TABLE queue IN ACCESS EXCLUSIVE MODE');
      locked.resolve();
      await silence;
      await run('SELECT');
    });
    const refused = expect(cutOff).rejects.toThrow(StoreUnavailableError);
    await locked.promise;
    const waiting =
      "SET lock_timeout = '5s'; BEGIN; LOCK TABLE queue IN ACCESS EXCLUSIVE MODE; COMMIT";
    await query(url, waiting);
    speak();
    await refused;
    await database.close();
  });
});
