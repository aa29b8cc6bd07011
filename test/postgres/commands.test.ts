// The operator's commands over a PostgreSQL that machines share, as programs of their own.

import { existsSync, statSync } from 'node:fs';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { findSharedPath } from '../../src/service/sockets/shared-sockets.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { openReadOnly } from '../../src/stores/postgres/read-only.ts';
import { KEY_B, KEYS } from '../stores/sqlite/keys.ts';
import { runCommand } from '../support/command.ts';
import { startReceiver } from '../support/event-receiver.ts';
import { contractionOf, migrationsOf } from '../support/next-release.ts';
import { USER, withDevice } from '../support/operated.ts';
import { startProgram } from '../support/program.ts';
import { ANDROID_TOKEN, notifyPath } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { startMachines } from './machines.ts';

const PAYMENT_HASH = 'ab'.repeat(32);

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, newEmptyDatabase, open } = useDatabases(server);

  test('find and stats read the log of all machines, and do not count as a machine', async () => {
    const url = await newEmptyDatabase();
    const { first, start } = await startMachines(url);
    const other = await start();
    await first.notify(ANDROID_TOKEN, PAYMENT_HASH);
    await other.pay('another-phone:APA91b', 'cd'.repeat(32));
    await Promise.all([first.service.settled(), other.service.settled()]);

    const { environment, folder } = first;
    const run = (...args: readonly string[]) => runCommand(args, { environment, folder });
    const found = await run('find', PAYMENT_HASH.slice(0, 8));
    expect([found.code, found.stderr]).toEqual([0, '']);
    expect(found.stdout).toMatch(/delivered/);
    expect(found.stdout).not.toContain('cdcdcdcd');
    for (const known of [ANDROID_TOKEN, `${first.service.url}${notifyPath(ANDROID_TOKEN)}`]) {
      expect((await run('find', known)).code).toBe(0);
    }
    expect((await run('find')).stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(await run('find', 'ef'.repeat(32))).toMatchObject({ code: 1, stderr: '' });
    const stats = await run('stats');
    expect([stats.code, stats.stderr]).toEqual([0, '']);
    expect(stats.stdout).toMatch(/^default\/fcm +2 +0 +0 +- +0 +\d+ m?s +\d+ m?s$/m);
    expect(await query(url, 'SELECT count(*) FROM nodes')).toEqual([{ count: '2' }]);
  });

  test('tail shows what every machine does, and ends when it is interrupted', async () => {
    const { first, start } = await startMachines(await newEmptyDatabase());
    const other = await start();
    const { environment, folder } = first;
    const tail = startProgram({ args: ['tail'], environment, folder });
    let isShown = false;
    const shown = tail.line('payment_received').finally(() => {
      isShown = true;
    });
    for (let phone = 0; !isShown; phone += 1) {
      await first.notify(`phone-${phone}:APA91b`, PAYMENT_HASH);
      await first.service.settled();
    }
    await shown;
    first.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
    expect((await other.pay('a-phone:that-is-gone', PAYMENT_HASH)).status).toBe(410);
    expect(await tail.line('UNREGISTERED')).toMatch(
      / {2}unregistered +\d+ ms .*UNREGISTERED {2}paym/,
    );
    expect((await other.pay('no token', PAYMENT_HASH)).status).toBe(400);
    expect(await tail.line('refused')).toMatch(/ {2}refused 400 +bad_query {2}notify/);
    tail.signal('SIGINT');
    expect(await tail.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test('a row that is committed late is followed, once', async () => {
    const url = await newDatabase();
    await open(url);
    const log = await openReadOnly({ url, keys: KEYS, clock: createSystemClock() });
    const writer = new Client({ connectionString: url });
    await writer.connect();
    const refuse = (id: string) =>
      `INSERT INTO refusals (at, last_at, count, door, code, status, request_id, known)
       VALUES (now(), now(), 1, 'notify', 'bad_body', 400, '${id}', false)`;
    await query(url, refuse('before'));
    let place = await log.follow.end();
    const next = async () => {
      const news = await log.follow.after(place, 10);
      place = news.place;
      return news.refusals.map(({ requestId }) => requestId);
    };
    expect(await next()).toEqual([]);
    await writer.query('BEGIN');
    await writer.query(refuse('slow'));
    await query(url, refuse('quick'));
    expect(await next()).toEqual(['quick']);
    await writer.query('COMMIT');
    expect(await next()).toEqual(['slow']);
    expect(await next()).toEqual([]);
    await Promise.all([log.close(), writer.end()]);
  });

  test('a command that reads says what is wrong with the database, and makes nothing there', async () => {
    const url = await newEmptyDatabase();
    const NDS_SECRET = 'a secret for tests only';
    const said = async (environment: Record<string, string>) => {
      const { code, stdout, stderr } = await runCommand(['find'], { environment });
      expect([code, stdout]).toEqual([1, '']);
      return stderr;
    };
    expect(await said({ NDS_DATABASE: url })).toContain('NDS_SECRET is required');
    expect(await said({ NDS_DATABASE: url, NDS_SECRET })).toMatch(
      /^nds find: the database .* has no log: no service has started on it\. Set NDS_DATABASE/,
    );
    expect(await query(url, `SELECT FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);

    const made = await newDatabase();
    await open(made, { keys: { current: KEY_B, previous: [] } });
    expect(await said({ NDS_DATABASE: made, NDS_SECRET })).toContain('made with another secret');
    await query(made, contractionOf('postgres'));
    expect(await said({ NDS_DATABASE: made, NDS_SECRET })).toContain('does not fit this version');
    await query(made, `DELETE FROM migrations WHERE number = ${migrationsOf('postgres')}`);
    expect(await said({ NDS_DATABASE: made, NDS_SECRET })).toContain('start the service once');
  });

  test('the commands that ask and change the service work as over an SQLite file', async () => {
    const NDS_DATABASE = await newEmptyDatabase();
    const receiver = await startReceiver();
    const { running, id, nds, given } = await withDevice({
      NDS_DATABASE,
      NDS_DRAIN: '0ms',
      NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
    });
    const fault = { kind: 'fcm_error', error: 'UNAVAILABLE', retryAfterSeconds: 600 } as const;
    running.sandbox.script({ token: ANDROID_TOKEN, times: 1, fault });
    const { stdout } = await nds('send', id, '--type', 'swap_updated', '--json');
    const queued = z.looseObject({ id: z.string() }).parse(JSON.parse(stdout)).id;
    const settled = running.log.waitFor(({ name }) => name === 'delivery_settled');
    expect((await nds('retry', queued)).stdout).toMatch(/^An attempt starts now\.\n/);
    expect(await settled).toMatchObject([{ status: 'delivered' }]);

    const dead = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
    running.sandbox.script({ token: ANDROID_TOKEN, times: 1, fault: dead });
    expect((await nds('send', id)).stdout).toContain('Not delivered: unregistered');
    await running.service.settled();
    const held = await given(ANDROID_TOKEN, 'token', 'show', '-');
    expect([held.code, held.stdout]).toEqual([1, expect.stringContaining('UNREGISTERED')]);
    const released = await given(ANDROID_TOKEN, 'token', 'release', '-');
    expect([released.code, released.stdout]).toEqual([
      0,
      expect.stringMatching(/^Released: the next call is sent\./),
    ]);
    const ready = 'ready    default/apns\nready    default/fcm\n';
    expect((await nds('apps', 'list')).stdout).toBe(ready);
    const added = await nds('endpoints', 'add', receiver.url, '--json');
    const endpoint = z.looseObject({ id: z.string() }).parse(JSON.parse(added.stdout)).id;
    expect((await nds('endpoints', 'list')).stdout).toContain(endpoint);
    expect((await nds('endpoints', 'test', endpoint)).stdout).toMatch(/^Delivered: 20\d after/);

    expect((await nds('devices', 'list')).stdout).toContain(id);
    const forgotten = await nds('forget', USER);
    expect([forgotten.code, forgotten.stderr]).toEqual([0, '']);
    expect(forgotten.stdout).toMatch(/^Forgotten: 1 device .*\n2 deliveries in the log/);
    expect((await nds('devices', 'list')).stdout).toBe('');
    expect(await query(NDS_DATABASE, 'SELECT count(*) FROM devices')).toEqual([{ count: '0' }]);
  });

  test('a command asks any service of this machine; without one it says what to do', async () => {
    const url = await newEmptyDatabase();
    const { first, start } = await startMachines(url);
    const other = await start();
    const { environment, folder } = first;
    const nds = (...args: readonly string[]) => runCommand(args, { environment, folder });
    for (const { service } of [other, first]) {
      expect(await nds('devices', 'list')).toMatchObject({ code: 0, stdout: '', stderr: '' });
      await service.stop();
    }
    const killed = startProgram({ args: ['serve'], environment, folder });
    await killed.line('listening');
    expect(await nds('apps', 'list')).toMatchObject({ code: 0, stderr: '' });
    const left = (await findSharedPath(url)) ?? '';
    killed.signal('SIGKILL');
    await killed.ended;
    for (const args of [
      ['apps', 'list'],
      ['devices', 'list'],
      ['forget', 'alice'],
    ]) {
      const { code, stdout, stderr } = await nds(...args);
      expect([code, stdout], args.join(' ')).toEqual([1, '']);
      expect(stderr, args.join(' ')).toMatch(
        /^nds \w+: No service on this PostgreSQL listens in \/(run\/nds|tmp\/nds-\d+): start one /,
      );
    }
    expect(existsSync(left)).toBe(true);
    const next = await start();
    expect(existsSync(left)).toBe(false);
    const path = (await findSharedPath(url)) ?? '';
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await next.service.stop();
    expect(existsSync(path)).toBe(false);
  });

  test('a command that works only on an SQLite file says what to do instead', async () => {
    const environment = {
      NDS_DATABASE: await newEmptyDatabase(),
      NDS_SECRET: 'a secret for tests only',
    };
    const commands: readonly (readonly [words: string, instead: string])[] = [
      ['backup copy.sqlite', 'pg_dump copies'],
      ['restore copy.sqlite', 'pg_restore brings back'],
      ['check', '`nds doctor` examines'],
      ['keys rotate', 'Stop the service on every machine, set NDS_SECRET_PREVIOUS'],
    ];
    for (const [words, instead] of commands) {
      const { code, stdout, stderr } = await runCommand(words.split(' '), { environment });
      expect([code, stdout], words).toEqual([1, '']);
      expect(stderr, words).toContain('this command works on an SQLite file');
      expect(stderr, words).toContain(instead);
    }
  });
});
