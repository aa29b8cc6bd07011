// The commands of an operator over a PostgreSQL that machines share, as programs of their own.

import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { createSystemClock } from '../../src/service/system.ts';
import { openReadOnly } from '../../src/stores/postgres/read-only.ts';
import { KEY_B, KEYS } from '../stores/sqlite/keys.ts';
import { runCommand } from '../support/command.ts';
import { contractionOf, migrationsOf } from '../support/next-release.ts';
import { startProgram } from '../support/program.ts';
import { ANDROID_TOKEN, notifyPath } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { startMachines } from './machines.ts';

const PAYMENT_HASH = 'ab'.repeat(32);

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, newEmptyDatabase, open } = useDatabases(server);

  test('find and stats read the log of all machines, and join none of them', async () => {
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

  test('what is committed late is followed, once', async () => {
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

  test('a command that works on an SQLite file alone says what takes its place', async () => {
    const environment = {
      NDS_DATABASE: await newEmptyDatabase(),
      NDS_SECRET: 'a secret for tests only',
    };
    const commands = [
      ['backup', 'copy.sqlite'],
      ['restore', 'copy.sqlite'],
      ['check'],
      ['keys', 'rotate'],
      ['retry', '01a21c14'],
      ['devices', 'list'],
      ['endpoints', 'list'],
      ['token', 'show', ANDROID_TOKEN],
      ['forget', 'alice'],
    ];
    for (const args of commands) {
      const { code, stdout, stderr } = await runCommand(args, { environment });
      expect([code, stdout], args.join(' ')).toEqual([1, '']);
      expect(stderr, args.join(' ')).toContain('this command works on an SQLite file');
    }
  });
});
