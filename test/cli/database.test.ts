// backup, restore, check and keys: the commands that save and move the log, beside a running service and without one.

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { expectReadable, runCommand } from '../support/command.ts';
import { ANDROID_TOKEN, type Setup, setup, temporaryFolder } from '../support/service.ts';

const HASHES = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(32));

async function withDeliveries(count = 1): Promise<Setup & { readonly database: string }> {
  const running = await setup();
  for (const hash of HASHES.slice(0, count)) await running.notify(ANDROID_TOKEN, hash);
  await running.service.settled();
  return Object.assign(running, { database: join(running.folder, 'nds.sqlite') });
}

function countRows(file: string): unknown {
  const db = new Database(file, { readonly: true });
  try {
    return db.prepare('SELECT count(*) FROM deliveries').pluck().get();
  } finally {
    db.close();
  }
}

async function find(environment: Record<string, string>, hash = ''): Promise<number | null> {
  return (await runCommand(['find', hash], { environment })).code;
}

test('a backup is made while the service writes, complete, readable only by its owner, without the secret', async () => {
  const { environment, folder, notify, service } = await withDeliveries(1);
  const file = join(folder, 'copy.sqlite');
  const writes: Promise<unknown>[] = [];
  let isOver = false;
  const write = async () => {
    for (let number = 0; !isOver; number += 1) {
      await notify(ANDROID_TOKEN, number.toString(16).padStart(64, '0'));
    }
  };
  writes.push(write(), write());
  const done = await runCommand(['backup', file], { environment });
  isOver = true;
  await Promise.all(writes);
  expect([done.code, done.stderr]).toEqual([0, '']);
  expectReadable(done);
  expect(done.stdout).toContain('The secret is not in it.');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(countRows(file)).toBeGreaterThanOrEqual(1);
  await service.settled();
  expect((await runCommand(['check', file], { environment })).code).toBe(0);
  const left = readdirSync(folder).filter((name) => name.startsWith('copy.sqlite'));
  expect(left).toEqual(['copy.sqlite']);
  expect(readFileSync(file).includes(environment.NDS_SECRET ?? '')).toBe(false);
});

test('a backup replaces nothing, and says why it cannot be written', async () => {
  const { environment, folder } = await withDeliveries();
  const there = join(folder, 'there.sqlite');
  writeFileSync(there, 'something');
  const refused = await runCommand(['backup', there], { environment });
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toBe(`nds backup: ${there} exists: choose another name\n`);
  expect(readFileSync(there, 'utf8')).toBe('something');
  const nowhere = await runCommand(['backup', join(folder, 'no/folder.sqlite')], { environment });
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toMatch(/cannot be written: ENOENT/);
  expect(nowhere.stderr).not.toContain('NDS_DATABASE');
  const unreadable = { ...environment, NDS_DATABASE: folder };
  const copy = join(folder, 'copy.sqlite');
  const end = await runCommand(['backup', copy], { environment: unreadable });
  expect([end.code, end.stderr.includes(`${folder}, which is a folder: `)]).toEqual([1, true]);
  expect(existsSync(copy)).toBe(false);
});

test('check names what is wrong, of the database and of a backup', async () => {
  const { environment, folder, service, database } = await withDeliveries();
  const beside = await runCommand(['check'], { environment });
  expect([beside.code, beside.stdout]).toEqual([
    0,
    'ok      integrity: every page and index is sound\n' +
      'ok      foreign_keys: no row refers to one that is gone\n' +
      'ok      layout: the tables are those of this version\n' +
      'ok      secret: the configured secret opens it\n',
  ]);
  const wrongSecret = { ...environment, NDS_SECRET: 'quite another secret' };
  const refused = await runCommand(['check'], { environment: wrongSecret });
  expect(refused.code).toBe(1);
  expectReadable(refused);
  expect(refused.stdout).toMatch(/^broken {2}secret: /m);
  await service.stop();
  const broken = join(folder, 'broken.sqlite');
  const bytes = readFileSync(database);
  bytes.fill(0xff, 8_192, 40_960);
  writeFileSync(broken, bytes);
  const damaged = await runCommand(['check', broken, '--json'], { environment });
  expect(damaged.code).toBe(1);
  expect(JSON.parse(damaged.stdout)).toMatchObject({ file: broken, sound: false });
  writeFileSync(broken, 'no database at all');
  expect((await runCommand(['check', broken], { environment })).code).toBe(1);
});

test('check and backup read a database in another user’s folder, and leave no file there', async () => {
  const { environment, service, folder } = await withDeliveries();
  await service.stop();
  const before = readdirSync(folder).toSorted();
  const elsewhere = join(temporaryFolder(), 'copy.sqlite');
  expect((await runCommand(['check'], { environment })).code).toBe(0);
  expect((await runCommand(['backup', elsewhere], { environment })).code).toBe(0);
  expect(readdirSync(folder).toSorted()).toEqual(before);
});

test('restore never runs beside a service, and keeps the previous database', async () => {
  const running = await withDeliveries(1);
  const { environment, folder, service, notify, database } = running;
  const backup = join(folder, 'backup.sqlite');
  expect((await runCommand(['backup', backup], { environment })).code).toBe(0);
  await notify(ANDROID_TOKEN, HASHES[1] ?? '');
  await service.settled();
  const refused = await runCommand(['restore', backup], { environment });
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toMatch(/in use by the process \d+ since /);
  await service.stop();

  const restored = await runCommand(['restore', backup], { environment });
  expect([restored.code, restored.stderr]).toEqual([0, '']);
  const [aside = ''] = readdirSync(folder).filter((name) => name.includes('.before-'));
  expect(restored.stdout).toContain(join(folder, aside));
  expect([countRows(database), countRows(join(folder, aside))]).toEqual([1, 2]);
  expect(statSync(database).mode & 0o777).toBe(0o600);
  expect(await find(environment, HASHES[1])).toBe(1);
  expect(await find(environment, HASHES[0])).toBe(0);
  await running.restart();
  expect((await notify(ANDROID_TOKEN, HASHES[2] ?? '')).status).toBe(200);
});

test('restore takes back what a killed service left in its WAL', async () => {
  const { environment, folder, service, database } = await withDeliveries(2);
  const backup = join(folder, 'backup.sqlite');
  expect((await runCommand(['backup', backup], { environment })).code).toBe(0);
  // As they are while a service runs.
  const files = ['', '-wal', '-shm'].map((end) => [end, readFileSync(database + end)] as const);
  await service.stop();
  for (const [end, bytes] of files) writeFileSync(database + end, bytes);
  // That service's last sign of life says nothing about the restored log.
  writeFileSync(`${database}.owner.json`, '{}');
  expect((await runCommand(['restore', backup], { environment })).code).toBe(0);
  const [aside = ''] = readdirSync(folder).filter((name) => /\.before-[^-]+$/.test(name));
  expect([countRows(database), countRows(join(folder, aside))]).toEqual([2, 2]);
  expect(existsSync(`${database}.owner.json`)).toBe(false);
});

test('restore changes nothing for a backup that does not fit', async () => {
  const { environment, folder, service, database } = await withDeliveries();
  await service.stop();
  const before = readFileSync(database);
  const cases = [
    [join(folder, 'missing.sqlite'), environment],
    [join(folder, 'text.sqlite'), environment],
    [database, { ...environment, NDS_SECRET: 'quite another secret' }],
  ] as const;
  writeFileSync(join(folder, 'text.sqlite'), 'no database');
  for (const [file, variables] of cases) {
    const refused = await runCommand(['restore', file], { environment: variables });
    expect([refused.code, refused.stderr], file).toEqual([1, '']);
    expect(refused.stdout).toMatch(/^broken {2}/m);
    expect(refused.stdout).toContain('Nothing was changed.');
    expectReadable(refused);
  }
  expect(readFileSync(database).equals(before)).toBe(true);
  expect(readdirSync(folder).filter((name) => name.includes('restored'))).toEqual([]);
});

test('restore makes the database if there was none', async () => {
  const { environment, folder, service } = await withDeliveries();
  const backup = join(folder, 'backup.sqlite');
  expect((await runCommand(['backup', backup], { environment })).code).toBe(0);
  await service.stop();
  const database = join(temporaryFolder(), 'new/nds.sqlite');
  const moved = { ...environment, NDS_DATABASE: database };
  const done = await runCommand(['restore', backup, '--json'], { environment: moved });
  expect(JSON.parse(done.stdout)).toEqual({ restored: true, file: database });
  expect(countRows(database)).toBe(1);
});

test('keys rotate encrypts the database under the present NDS_SECRET, while no service runs', async () => {
  const { environment, service } = await withDeliveries();
  const changed = {
    ...environment,
    NDS_SECRET: 'the secret that follows',
    NDS_SECRET_PREVIOUS: environment.NDS_SECRET ?? '',
  };
  const early = await runCommand(['keys', 'rotate'], { environment: changed });
  expect(early.stderr).toMatch(/in use by the process/);
  await service.stop();
  const same = await runCommand(['keys', 'rotate'], { environment });
  expect(same.stdout).toContain('under the present NDS_SECRET already');
  const done = await runCommand(['keys', 'rotate'], { environment: changed });
  expect([done.code, done.stderr]).toEqual([0, '']);
  expectReadable(done);
  expect(done.stdout).toContain('Remove NDS_SECRET_PREVIOUS');
  const { NDS_SECRET_PREVIOUS: _, ...alone } = changed;
  expect(await find(alone, HASHES[0])).toBe(0);
  const old = await runCommand(['find'], { environment });
  expect(old.stderr).toContain('another secret');
});

test('keys rotate replaces a secret that nds made itself, and an interruption by a crash loses nothing', async () => {
  const running = await setup({ environment: { NDS_SECRET: undefined } });
  const { environment, folder, service } = running;
  await running.notify(ANDROID_TOKEN, HASHES[0] ?? '');
  await service.stop();
  const file = join(folder, 'nds.sqlite.secret');
  const before = readFileSync(file, 'utf8').trim();
  const done = await runCommand(['keys', 'rotate'], { environment });
  expect([done.code, done.stderr]).toEqual([0, '']);
  const after = readFileSync(file, 'utf8').trim();
  expect([after === before, after.includes(before), statSync(file).mode & 0o777]).toEqual([
    false,
    false,
    0o600,
  ]);
  expect(done.stdout).not.toContain(after);
  expect(await find(environment, HASHES[0])).toBe(0);

  // In the middle, the file has both secrets, before and after everything was encrypted under the new one.
  for (const lines of [
    ['a secret that nothing is under yet', after],
    [after, before],
  ]) {
    writeFileSync(file, `${lines.join('\n')}\n`);
    expect(await find(environment, HASHES[0])).toBe(0);
  }
  writeFileSync(file, `a secret that nothing is under yet\n${after}\n`);
  await running.restart();
  expect((await running.notify(ANDROID_TOKEN, HASHES[1] ?? '')).status).toBe(200);
  expect(await find(environment, HASHES[0])).toBe(0);
});

test('commands report that a database is not there, and make none', async () => {
  const folder = temporaryFolder();
  const environment = { NDS_DATABASE: join(folder, 'nds.sqlite') };
  for (const args of [
    ['backup', join(folder, 'copy')],
    ['keys', 'rotate'],
    ['retry', 'aa'],
  ]) {
    const { code, stderr } = await runCommand(args, { environment });
    expect([code, stderr.includes('which does not exist')], args[0]).toEqual([1, true]);
  }
  expect(existsSync(environment.NDS_DATABASE)).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});
