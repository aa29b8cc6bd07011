// A database that is full, locked, read-only or damaged: pushes still go out, no delivery is answered `queued` without
// being stored, readiness says what is wrong, and the service recovers by itself.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { checkService } from '../../src/cli/check-service.ts';
import type { StoreUnavailableError } from '../../src/core/ports/store.ts';
import { startService } from '../../src/main.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { problemOf, refusalOf } from '../support/callers.ts';
import { askService } from '../support/command.ts';
import { registerPhone, wake } from '../support/device-calls.ts';
import { androidToken, iosToken, SECOND, setupDriven } from '../support/driven-service.ts';
import { KEYS, OPERATOR_ENVIRONMENT } from '../support/operator-calls.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, createTestLog, IOS_TOKEN, temporaryFolder } from '../support/service.ts';

const UNAVAILABLE = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
const REASONS: readonly (readonly [StoreUnavailableError['reason'], RegExp])[] = [
  ['full', /disk is full/],
  ['locked', /another process/],
  ['read_only', /read-only/],
  ['io', /fails to read or write/],
  ['corrupt', /damaged/],
  ['moved', /moved, deleted or replaced/],
  ['busy', /does not keep up/],
];

async function setup() {
  const driven = await setupDriven();
  const { service, sandbox, log } = driven.running;
  return {
    ...driven,
    sandbox,
    file: join(driven.running.folder, 'nds.sqlite'),
    storeCheck: () => service.readiness().checks.store,
    told: (name: string) => log.events.filter((event) => event.name === name).length,
  };
}

for (const [reason, remedy] of REASONS) {
  test(`while the store is ${reason}, pushes that succeed at once go out, and the other calls are refused`, async () => {
    const { pay, store, sandbox, storeCheck, elapse, rows, told } = await setup();
    store.fail(reason);
    expect(await pay(ANDROID_TOKEN, 'aa')).toMatchObject({
      status: 200,
      body: { status: 'delivered', logged: false },
    });
    expect((await pay(ANDROID_TOKEN, 'aa')).body.status).toBe('duplicate');
    sandbox.script({ provider: 'fcm', fault: UNAVAILABLE });
    const refused = await pay(ANDROID_TOKEN, 'bb');
    expect(refused).toMatchObject({
      status: 503,
      body: {
        code: 'store_unavailable',
        detail: expect.stringMatching(/push could not be stored/),
      },
    });
    expect(Number(refused.retryAfter)).toBeGreaterThan(0);
    expect(storeCheck()).toEqual({
      ready: false,
      detail: expect.stringMatching(remedy),
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    await elapse(10 * SECOND, SECOND);
    expect(told('store_failed')).toBe(1);
    expect(sandbox.received()).toHaveLength(1);

    store.repair();
    await elapse(SECOND);
    expect(storeCheck()).toEqual({ ready: true });
    expect(told('store_recovered')).toBe(1);
    const kept = await pay(ANDROID_TOKEN, 'cc');
    expect(kept.body).toEqual({ id: kept.body.id, status: 'delivered' });
    expect((await rows()).map(({ id }) => id)).toEqual([kept.body.id]);
  });
}

test('a handle that a damaged database cannot look up is 503, and the answer does not say that a push was tried', async () => {
  const { running } = await setupDriven({ environment: REGISTRY_ENVIRONMENT });
  const device = await registerPhone(running);
  for (const name of ['nds.sqlite', 'nds.sqlite-wal']) {
    const file = join(running.folder, name);
    writeFileSync(file, readFileSync(file).fill(0x5a));
  }
  const answer = await wake(running, device, 'aa');
  expect(refusalOf(answer)).toBe('503 store_unavailable');
  expect(answer.headers['retry-after']).toBe('1');
  const { detail } = problemOf(answer);
  expect(detail).toMatch(/^The handle could not be looked up, and no push was tried\. .*\/readyz/);
  expect(running.sandbox.received()).toEqual([]);
});

const found = z.looseObject({
  verdict: z.looseObject({ sentence: z.string() }),
  log: z.looseObject({ gaps: z.array(z.unknown()) }),
});

test('find does not say that no call came while the store takes no rows', async () => {
  const { running, pay, store, elapse } = await setupDriven({ environment: OPERATOR_ENVIRONMENT });
  const ask = async () => {
    const found = await fetch(`${running.service.url}/api/v1/find?q=deadbeef`, {
      headers: { authorization: `Bearer ${KEYS.read}` },
    });
    return await found.text();
  };
  const command = async () => {
    const args = ['find', 'deadbeef', '--json'];
    return (await askService(args, { environment: running.environment })).stdout;
  };
  expect(await ask()).not.toContain('has taken no rows');
  expect(await command()).not.toContain('has taken no rows');
  store.fail('full');
  await pay(ANDROID_TOKEN, 'aa');
  await elapse(10 * SECOND, SECOND);
  for (const answer of [await ask(), await command()]) {
    const { verdict, log } = found.parse(JSON.parse(answer));
    expect(verdict.sentence).toMatch(
      /^The database has taken no rows since 2025-08-01 12:00:0\d .*`delivery_settled`\. Until then: Nothing/,
    );
    expect(log.gaps).toEqual([expect.objectContaining({ kind: 'store', unlogged: 0 })]);
  }
  for (const read of [['find'], ['stats']]) {
    const { stdout } = await askService(read, { environment: running.environment });
    expect(stdout).toMatch(/^No (delivery|calls).*\nThe database has taken no rows since 2025/m);
  }
  const since = running.service.readiness().checks.store?.since;
  expect(since).toMatch(/^2025-08-01T12:00:0/);
  store.repair();
  await elapse(SECOND);
  expect(await command()).not.toContain('has taken no rows');
});

test('doctor tells what the running service says of itself', async () => {
  const { running, pay, store, elapse } = await setupDriven();
  const { environment, service } = running;
  const found = async () => await checkService(environment);
  expect(await found()).toMatchObject([{ code: 'service_ready' }]);
  store.fail('full');
  await pay(ANDROID_TOKEN, 'aa');
  await elapse(10 * SECOND, SECOND);
  expect(await found()).toEqual([
    {
      check: 'service',
      code: 'service_not_ready',
      text: expect.stringMatching(/^store since 2025-08-01 12:00:0\d: the disk is full/),
    },
  ]);
  store.repair();
  await service.stop();
  expect(await found()).toMatchObject([{ code: 'service_silent' }]);
});

test('doctor finds a service that hangs', async () => {
  const folder = temporaryFolder();
  const NDS_DATABASE = join(folder, 'nds.sqlite');
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(`${NDS_DATABASE}.sock`, resolve));
  onTestFinished(() => void silent.close());
  expect(await checkService({ NDS_DATABASE }, 50)).toMatchObject([{ code: 'service_hangs' }]);
});

test('permanent refusals are answered as usual while the store fails', async () => {
  const { pay, store, sandbox } = await setup();
  store.fail('full');
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'Unregistered' } });
  expect((await pay(IOS_TOKEN, 'aa')).status).toBe(410);
  expect((await pay(IOS_TOKEN, 'bb')).status).toBe(410);
});

test('ends and attempts that the store missed are written when it works again', async () => {
  const { pay, store, sandbox, elapse, rows, clock, untilAsked, asked } = await setup();
  sandbox.script({ provider: 'apns', fault: { kind: 'hang' } });
  const answer = pay(IOS_TOKEN, 'aa');
  await untilAsked(1);
  await store.idle();
  store.fail('io');
  clock.advance(2 * SECOND);
  expect((await answer).body).toEqual({ id: (await answer).body.id, status: 'delivered' });
  await elapse(5 * SECOND, SECOND);
  expect(await rows()).toMatchObject([{ status: 'queued', attempts: [] }]);
  store.repair();
  await elapse(60 * SECOND, SECOND);
  expect(await rows()).toMatchObject([
    { status: 'delivered', attempts: [{ number: 1 }, { number: 2, outcome: 'delivered' }] },
  ]);
  expect(asked()).toBe(2);
});

test('deliveries that were queued before go out as soon as the store works again', async () => {
  const { pay, store, sandbox, elapse, clock, untilAsked } = await setup();
  sandbox.script({ provider: 'fcm', fault: { kind: 'hang' } });
  sandbox.script({ provider: 'fcm', fault: UNAVAILABLE });
  const answer = pay(ANDROID_TOKEN, 'aa');
  await untilAsked(1);
  await store.idle();
  store.fail('locked');
  clock.advance(2 * SECOND);
  expect((await answer).body.status).toBe('queued');
  await elapse(8 * SECOND, SECOND);
  store.repair();
  // Long before the lease of the first try would end.
  await elapse(2 * SECOND, 250);
  await sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 1);
});

test('a lock that another process holds on the file delays no push, and its end is noticed', async () => {
  const { pay, file, storeCheck, elapse, rows } = await setup();
  const other = new Database(file);
  other.exec('BEGIN EXCLUSIVE');
  const answers = await Promise.all([pay(ANDROID_TOKEN, 'aa'), pay(IOS_TOKEN, 'aa')]);
  for (const { body } of answers) {
    expect(body).toMatchObject({ status: 'delivered', logged: false });
  }
  expect(storeCheck()).toMatchObject({ ready: false });
  other.exec('ROLLBACK');
  other.close();
  await elapse(SECOND);
  expect(storeCheck()).toEqual({ ready: true });
  expect((await pay(androidToken(1), 'bb')).body.logged).toBeUndefined();
  expect(await rows()).toHaveLength(1);
});

test('a file that was deleted under the running service is noticed within seconds', async () => {
  const { running, pay, store, file, storeCheck, elapse, sandbox } = await setup();
  await pay(ANDROID_TOKEN, 'aa');
  await store.idle();
  rmSync(file);
  await elapse(2 * SECOND, SECOND);
  expect(storeCheck()).toMatchObject({ ready: false, detail: expect.stringMatching(/deleted/) });
  expect(await checkService(running.environment)).toMatchObject([
    { code: 'service_not_ready', text: expect.stringMatching(/deleted/) },
  ]);
  expect((await pay(androidToken(1), 'bb')).body).toMatchObject({
    status: 'delivered',
    logged: false,
  });
  sandbox.script({ provider: 'fcm', fault: UNAVAILABLE });
  expect((await pay(androidToken(2), 'cc')).status).toBe(503);
});

test('starts on a full disk although it cannot change what an earlier process left, and sends that later', async () => {
  const { pay, running, store, sandbox, rows, elapse } = await setup();
  sandbox.script({ provider: 'fcm', times: 2, fault: UNAVAILABLE });
  await pay(ANDROID_TOKEN, 'aa');
  store.fail('full');
  await running.restart();
  expect(await pay(IOS_TOKEN, 'bb')).toMatchObject({
    body: { status: 'delivered', logged: false },
  });
  store.repair();
  await elapse(40 * SECOND, SECOND);
  expect(await rows()).toMatchObject([{ status: 'delivered', platform: 'android' }]);
});

test('a second process does not start on the same file, and says who holds it', async () => {
  const { running } = await setup();
  const clock = createSystemClock();
  const prepared = await prepare(running.environment, clock);
  await expect(startService(prepared, createTestLog(), { clock })).rejects.toThrow(
    new RegExp(`in use by the process ${process.pid} since .*NDS_DATABASE`),
  );
});

test('a damaged database is refused at the start, with what to do', async () => {
  const { pay, running, file } = await setup();
  await pay(iosToken(1), 'aa');
  await running.service.stop();
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0x5a, 0, 4_096));
  await expect(running.restart()).rejects.toThrow(/cannot be used: .*restore a backup/);
  writeFileSync(file, 'no database');
  await expect(running.restart()).rejects.toThrow(/cannot be used: .*restore a backup/);
});

test('a database of another secret is refused at the start, with what to do', async () => {
  const { running } = await setup();
  const restarted = running.restart({ NDS_SECRET: 'quite another secret' });
  await expect(restarted).rejects.toThrow(/made with another secret\. Set NDS_SECRET/);
});
