// `nds doctor` with a PostgreSQL, as an operator runs it.

import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { findingsOf } from '../../src/doctor/check-postgres.ts';
import type { InspectedServer } from '../../src/stores/postgres/inspect.ts';
import { startProgram } from '../support/program.ts';
import { sandboxEnvironment, setup, temporaryFolder } from '../support/service.ts';
import { addressOf, IS_POOLED, query, SERVERS, useDatabases } from './databases.ts';

const REPORT = z.object({
  findings: z.array(z.object({ check: z.string(), code: z.string(), text: z.string() })),
});

/** What it reports about the database, by the names of its checks. */
async function examine(
  url: string,
  changed: Record<string, string> = {},
  args: readonly string[] = ['--deploy'],
) {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const folder = temporaryFolder();
  const program = startProgram({
    args: ['doctor', '--json', ...args],
    environment: { ...sandboxEnvironment(sandbox, folder), NDS_DATABASE: url, ...changed },
    folder,
  });
  const { code, stdout, stderr } = await program.ended;
  expect(stderr).toBe('');
  const { findings } = REPORT.parse(JSON.parse(stdout));
  const found = findings.filter(({ check }) => check.startsWith('database'));
  return {
    ...{ code, found: Object.fromEntries(found.map((one) => [one.check, one])) },
    apns: findings.find(({ check }) => check === 'default/apns')?.code,
  };
}

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newEmptyDatabase, newDatabase, newCopy } = useDatabases(server);

  test('finds an empty one fit for the first start, and changes nothing there', async () => {
    const url = await newEmptyDatabase();
    const { code, found, apns } = await examine(url);
    expect([code, apns]).toEqual([0, 'apns_not_asked']);
    expect(Object.values(found).map((one) => one.code)).toEqual([
      'database_new',
      'postgres_rights_ok',
      'postgres_latency_ok',
      'postgres_clock_ok',
      'postgres_commits_ok',
      'postgres_pooling_ok',
    ]);
    expect(found.database?.text).toMatch(
      new RegExp(`^PostgreSQL ${server.major}\\.\\d+; its tables are made at the first start$`),
    );
    expect(found.database_commits?.text).toBe(
      'synchronous_commit is on; no synchronous standby: a failover may lose the last commits',
    );
    expect(found.database_pooling?.text).toBe(
      IS_POOLED ? 'through a pooler in transaction mode' : 'connected directly',
    );
    const tables = await query(url, `SELECT FROM pg_tables WHERE schemaname = 'public'`);
    expect(tables).toEqual([]);
  });

  test('counts the machines that run, and names a wrong secret, which ends a deploy', async () => {
    const NDS_DATABASE = await newDatabase();
    await setup({ environment: { NDS_DATABASE, NDS_DRAIN: '0ms' } });
    const { code, found, apns } = await examine(NDS_DATABASE);
    expect([code, apns]).toEqual([0, 'apns_proven']);
    expect(found.database?.code).toBe('database_ok');
    expect(found.database?.text).toContain('; machines: 1');
    const other = await examine(NDS_DATABASE, { NDS_SECRET: 'another secret for tests' });
    expect(other.code).toBe(2);
    expect(other.found.database?.code).toBe('database_wrong_secret');
  });

  test('warns of commits that a crash loses', async () => {
    const url = await newCopy();
    const name = new URL(url).pathname.slice(1);
    await query(server.url, `ALTER DATABASE ${name} SET synchronous_commit = off`);
    const { code, found } = await examine(url);
    expect(code).toBe(0);
    expect(found.database_commits?.code).toBe('postgres_commits_unsafe');
    // It does not end a deploy; without `--deploy` it is a warning.
    expect((await examine(url, {}, [])).code).toBe(1);
  });

  test('says which rights the user lacks, which ends a deploy', async () => {
    const url = await newDatabase();
    const role = new URL(url).pathname.slice(1);
    await query(url, `CREATE ROLE ${role} LOGIN`);
    onTestFinished(async () => {
      await query(server.url, `DROP ROLE ${role}`);
    });
    // Directly at the server, because a pooler may decide who the user is.
    const asRole = Object.assign(new URL(addressOf(server.url, role)), { username: role }).href;
    const { code, found } = await examine(asRole);
    expect(code).toBe(2);
    expect(found.database_rights?.code).toBe('postgres_rights_missing');
    expect(found.database_rights?.text).toMatch(
      /^the user may not read and write attempts, .*, and \d+ more$/,
    );
    const empty = await newEmptyDatabase();
    const inEmpty = Object.assign(new URL(asRole), { pathname: new URL(empty).pathname }).href;
    expect((await examine(inEmpty)).found.database_rights?.text).toBe(
      'the user may not create tables',
    );
  });

  test('a database that was made read-only is broken', async () => {
    const url = await newCopy();
    const name = new URL(url).pathname.slice(1);
    await query(server.url, `ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    const { found } = await examine(url);
    expect(found.database?.code).toBe('postgres_read_only');
    expect(found.database?.text).toContain('takes no writes');
  });
});

test('says that it cannot be reached, without its password, and does not end a deploy', async () => {
  const { code, found } = await examine('postgres://user:very-secret@127.0.0.1:1/nds');
  expect(code).toBe(0);
  expect(found.database?.code).toBe('database_unusable');
  expect(found.database?.text).toContain('127.0.0.1:1/nds, which cannot be used');
  expect(JSON.stringify(found)).not.toContain('very-secret');
});

const SOUND: InspectedServer = {
  versionNumber: 180_004,
  version: '18.4',
  encoding: 'UTF8',
  isReadOnly: false,
  tables: 'there',
  machines: 2,
  lackingRights: [],
  roundTripMs: 0.4,
  aheadMs: 3,
  synchronousCommit: 'on',
  synchronousStandbys: 'ANY 1 (a, b)',
  pooling: 'transaction',
};

test.each<[Partial<InspectedServer>, string, string]>([
  [{ versionNumber: 150_019, version: '15.19' }, 'postgres_too_old', 'PostgreSQL 15.19'],
  [{ encoding: 'SQL_ASCII' }, 'postgres_encoding_wrong', 'PostgreSQL 18.4; encoding: SQL_ASCII'],
  [{ roundTripMs: 31.26 }, 'postgres_far', '31.3 ms there and back'],
  [{ aheadMs: 5_400 }, 'postgres_clock_off', 'this machine is 5 s ahead of the database'],
  [{ aheadMs: -7_000 }, 'postgres_clock_off', 'this machine is 7 s behind the database'],
  [
    { pooling: 'statement' },
    'postgres_pooling_wrong',
    'through a pooler in statement mode, which refuses transactions',
  ],
])('of %j it says %s', (changed, code, text) => {
  expect(findingsOf(SOUND).map((one) => one.code)).not.toContain(code);
  const found = findingsOf({ ...SOUND, ...changed });
  expect(found).toContainEqual(expect.objectContaining({ code, text }));
});

test('recognises a synchronous standby, unless commits do not wait for it', () => {
  const textOf = (changed: Partial<InspectedServer>) =>
    findingsOf({ ...SOUND, ...changed }).find(({ check }) => check === 'database_commits')?.text;
  expect(textOf({})).toContain('a synchronous standby has every commit');
  expect(textOf({ synchronousCommit: 'local' })).toContain('no synchronous standby');
});
