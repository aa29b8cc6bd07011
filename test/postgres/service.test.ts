// The service over PostgreSQL, alone and as several machines.

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { QuarantineEntry } from '../../src/core/ports/store.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { ANDROID_TOKEN, setup } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { startMachines } from './machines.ts';

const DELIVERED = z.object({ id: z.string(), status: z.literal('delivered') });
const UNAVAILABLE = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
const UNREGISTERED = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, newEmptyDatabase } = useDatabases(server);

  test('pushes, logs, answers repeats, and knows all of it after a restart', async () => {
    const NDS_DATABASE = await newEmptyDatabase();
    const { sandbox, notify, restart } = await setup({
      environment: { NDS_DATABASE, NDS_DRAIN: '0ms' },
    });
    const first = await notify(ANDROID_TOKEN, 'aa');
    expect(first.status).toBe(200);
    const { id } = DELIVERED.parse(await first.json());
    expect(await (await notify(ANDROID_TOKEN, 'aa')).json()).toEqual({ id, status: 'duplicate' });

    const { store } = await restart();
    expect(await store.findDeliveries({ limit: 9 })).toMatchObject([
      { id, status: 'delivered', told: 'delivered', attempts: [{ outcome: 'delivered' }] },
    ]);
    expect(await (await notify(ANDROID_TOKEN, 'aa')).json()).toEqual({ id, status: 'duplicate' });
    expect(sandbox.received()).toHaveLength(1);
  });

  test('leaves no token and no payload in the database when a delivery has ended', async () => {
    const NDS_DATABASE = await newDatabase();
    const { notify, service } = await setup({
      environment: { NDS_DATABASE, NDS_DRAIN: '0ms' },
    });
    await notify(ANDROID_TOKEN, 'aa');
    // The caller does not wait for the erasure.
    await service.settled();
    for (const table of ['deliveries', 'queue', 'attempts', 'duplicate_keys', 'refusals']) {
      const rows = await query(NDS_DATABASE, `SELECT to_jsonb(t)::text AS row FROM ${table} t`);
      expect(JSON.stringify(rows)).not.toContain(ANDROID_TOKEN.slice(-12));
    }
    expect(await query(NDS_DATABASE, 'SELECT count(*) FROM queue')).toEqual([{ count: '0' }]);
  });

  test('a call that comes to two machines at once is pushed by only one of them', async () => {
    const { first, start, payAt } = await startMachines(await newDatabase());
    const other = await start();
    const calls = Array.from({ length: 10 }, (_, number) =>
      number % 2 === 0 ? payAt(first, ANDROID_TOKEN, 'aa') : other.pay(ANDROID_TOKEN, 'aa'),
    );
    const answers = await Promise.all(calls);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const statuses = answers.map(({ body }) => body.status).sort();
    expect(statuses).toEqual(['delivered', ...Array.from({ length: 9 }, () => 'duplicate')]);
    expect(first.sandbox.received()).toHaveLength(1);
  });

  test('a repeat at another machine counts as a first call once the first one failed', async () => {
    const { first, start, payAt } = await startMachines(await newDatabase());
    const other = await start();
    first.sandbox.script({ provider: 'fcm', fault: UNREGISTERED });
    expect(await payAt(first, ANDROID_TOKEN, 'aa')).toMatchObject({ status: 410 });
    const isKnown = async () =>
      (await other.service.store.listQuarantine({ wallMs: Date.now(), limit: 1 })).length > 0;
    while (!(await isKnown())) await other.service.store.probe();
    // Every machine knows that the token is dead.
    expect(await other.pay(ANDROID_TOKEN, 'aa')).toMatchObject({ status: 410 });
    expect(await other.pay(ANDROID_TOKEN, 'bb')).toMatchObject({ status: 410 });
    const pushes = first.sandbox.requests().filter(({ provider }) => provider === 'fcm');
    expect(pushes).toHaveLength(1);
  });

  test('a token that was released at one machine gets pushes from another one that had refused it', async () => {
    const { first, start, payAt } = await startMachines(await newDatabase());
    const other = await start();
    first.sandbox.script({ provider: 'fcm', fault: UNREGISTERED });
    await other.pay(ANDROID_TOKEN, 'aa');
    expect(await other.pay(ANDROID_TOKEN, 'bb')).toMatchObject({ status: 410 });
    const { store } = first.service;
    let entries: readonly QuarantineEntry[] = [];
    // The caller does not wait for the entry.
    while (entries.length === 0) {
      entries = await store.listQuarantine({ wallMs: Date.now(), limit: 1 });
    }
    for (const { tokenHash } of entries) await store.releaseQuarantine(tokenHash);
    expect(await payAt(first, ANDROID_TOKEN, 'cc')).toMatchObject({ status: 200 });
    expect(await other.pay(ANDROID_TOKEN, 'bb')).toMatchObject({ body: { status: 'delivered' } });
  });

  test('another machine sends what a machine left queued when it stopped', async () => {
    const { first, start, payAt } = await startMachines(await newDatabase());
    const other = await start();
    first.sandbox.script({ provider: 'fcm', fault: UNAVAILABLE, times: 2 });
    const { body } = await payAt(first, ANDROID_TOKEN, 'aa');
    expect(body.status).toBe('queued');
    await first.service.stop();
    const isDelivered = async () => {
      const [row] = await other.service.store.findDeliveries({ id: String(body.id), limit: 1 });
      return row?.status === 'delivered';
    };
    // By itself it would look only after 30 s.
    while (!(await isDelivered())) await other.service.store.probe();
    expect(first.sandbox.received()).toHaveLength(1);
  });

  test('refuses a machine with another secret, and a machine without one', async () => {
    const { first, start } = await startMachines(await newDatabase());
    await expect(start({ NDS_SECRET: 'another secret for tests' })).rejects.toMatchObject({
      kind: 'unknown_key',
      message: expect.stringContaining('was made with another secret'),
    });
    const { NDS_SECRET: _, ...without } = first.environment;
    await expect(prepare(without, createSystemClock())).rejects.toThrow('NDS_SECRET is required');
  });
});

test('says what to do about a database that cannot be reached, without its password', async () => {
  const NDS_DATABASE = 'postgres://user:very-secret@127.0.0.1:1/nds';
  const started = setup({ environment: { NDS_DATABASE } });
  await expect(started).rejects.toMatchObject({
    name: 'DatabaseRefusedError',
    message: expect.stringMatching(
      /^NDS_DATABASE names 127\.0\.0\.1:1\/nds, which cannot be used: .*ECONNREFUSED/,
    ),
  });
  await expect(started).rejects.not.toThrow('very-secret');
});
