// `nds migrate-database`: copies a log and its devices from an SQLite file to a PostgreSQL.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { createSystemClock } from '../../src/service/system.ts';
import { type CopyProgress, copyDatabase } from '../../src/stores/postgres/copy/copy-database.ts';
import { COPIED_TABLES, TABLES_NOT_COPIED } from '../../src/stores/postgres/copy/tables.ts';
import { openCopySource } from '../../src/stores/sqlite/file/copy-source.ts';
import { accept, sampleDelivery, sampleId } from '../contract/store-samples.ts';
import { KEY_B, KEYS } from '../stores/sqlite/keys.ts';
import { expectReadable, runCommand } from '../support/command.ts';
import { pathOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, setup } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { makeFilledFile, ROWS, type Row, readTable, tablesOf } from './filled-file.ts';
import { patientClock } from './machines.ts';

const ANSWER = z.object({ id: z.string(), status: z.string() });
const OTHER_TOKEN = 'dQw4w9WgXcQ-Ex_2:APA91bExampleTokenForTests';
const SECRET = 'the secret of all machines';

/** Copies as the command does; `onProgress` may throw to interrupt it. */
async function copy(
  file: string,
  url: string,
  onProgress?: (progress: CopyProgress) => void,
  keys = KEYS,
) {
  const source = openCopySource(file, KEYS);
  try {
    return await copyDatabase({ url, keys, clock: createSystemClock(), source, onProgress });
  } finally {
    source.close();
  }
}

/** All rows of a table by their key, with SQLite's names and values. */
async function readCopied(url: string, { name, key, from = {} }: (typeof COPIED_TABLES)[number]) {
  const columns = await query(
    url,
    `SELECT column_name AS name, data_type AS type FROM information_schema.columns
     WHERE table_name = '${name}' AND is_generated = 'NEVER' ORDER BY ordinal_position`,
  );
  const selected = columns
    .filter((column) => !Object.hasOwn(from, String(column.name)))
    .map((column) => {
      switch (column.type) {
        case 'timestamp with time zone':
          return `(extract(epoch FROM "${column.name}") * 1000)::double precision AS ${column.name}_ms`;
        case 'boolean':
          return `${column.name}::integer AS ${column.name}`;
        case 'bigint':
          return `${column.name}::double precision AS ${column.name}`;
        default:
          return String(column.name);
      }
    });
  return await query(url, `SELECT ${selected.join(', ')} FROM ${name} ORDER BY ${key.join(', ')}`);
}

test('every table of SQLite is copied, except those that PostgreSQL fills itself', () => {
  const db = new Sqlite(makeFilledFile(), { readonly: true });
  onTestFinished(() => {
    db.close();
  });
  const names = [...COPIED_TABLES.map(({ name }) => name), ...TABLES_NOT_COPIED];
  expect(tablesOf(db).toSorted()).toEqual(names.toSorted());
});

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newEmptyDatabase, newDatabase, open } = useDatabases(server);

  test('a service continues where it was: log, quarantine, queue, devices, under another secret', async () => {
    const running = await setup({
      clock: patientClock(),
      environment: { ...REGISTRY_ENVIRONMENT, NDS_DRAIN: '0ms' },
    });
    const { sandbox, notify, folder, environment } = running;
    const file = join(folder, 'nds.sqlite');
    const device = await register(running, { platform: 'ios', token: IOS_TOKEN, user: 'u1' });
    const delivered = ANSWER.parse(await (await notify(ANDROID_TOKEN, 'aa')).json());
    const dead = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
    sandbox.script({ provider: 'fcm', fault: dead });
    expect((await notify(OTHER_TOKEN, 'cc')).status).toBe(410);
    const away = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
    sandbox.script({ provider: 'fcm', fault: away, times: 3 });
    const queued = ANSWER.parse(await (await notify(ANDROID_TOKEN, 'bb')).json());
    expect(queued.status).toBe('queued');

    const url = await newEmptyDatabase();
    const secrets = { NDS_SECRET: SECRET, NDS_SECRET_PREVIOUS: environment.NDS_SECRET ?? '' };
    const target = { ...environment, NDS_DATABASE: url, ...secrets };
    const migrate = (...args: string[]) =>
      runCommand(['migrate-database', file, ...args], { environment: target });
    const early = await migrate();
    expect([early.code, early.stdout]).toEqual([1, '']);
    expect(early.stderr).toContain('is in use by the process');
    await running.service.stop();
    const done = await migrate();
    expect([done.code, done.stderr]).toEqual([0, '']);
    expectReadable(done);
    expect(done.stdout).toContain('deliveries: 3 of 3\n');
    const tables = `rows of ${COPIED_TABLES.length} tables are in the PostgreSQL, counted in both.`;
    expect(done.stdout).toContain(tables);
    const again = await migrate();
    expect([again.code, again.stdout]).toEqual([1, '']);
    expect(again.stderr).toContain('is not empty');

    const before = sandbox.received().length;
    const { store } = await running.restart({ NDS_DATABASE: url, NDS_SECRET: SECRET });
    expect(await store.findDeliveries({ id: delivered.id, limit: 1 })).toMatchObject([
      { id: delivered.id, status: 'delivered', attempts: [{ outcome: 'delivered' }] },
    ]);
    expect((await notify(OTHER_TOKEN, 'dd')).status).toBe(410);
    const isDelivered = async () =>
      (await store.findDeliveries({ id: queued.id, limit: 1 }))[0]?.status === 'delivered';
    while (!(await isDelivered())) await store.probe();
    const body = JSON.stringify({ template: 'payment_received', data: { payment_hash: 'ee' } });
    const byHandle = await running.post(pathOf(device, 'notify'), body);
    expect(ANSWER.parse(await byHandle.json()).status).toBe('delivered');
    expect(sandbox.received().slice(before)).toHaveLength(2);
  });

  test('copies every row and value of every table, and numbers new rows behind them', async () => {
    const file = makeFilledFile();
    const bytes = readFileSync(file);
    const url = await newEmptyDatabase();
    const counts = await copy(file, url);
    expect([...counts]).toEqual(COPIED_TABLES.map(({ name }) => [name, ROWS]));
    for (const table of COPIED_TABLES) {
      const rows: readonly Row[] = await readCopied(url, table);
      expect(rows, table.name).toEqual(readTable(file, table.name, table.key));
    }
    expect(await query(url, 'SELECT count(*) FROM events WHERE place = row_id')).toEqual([
      { count: String(ROWS) },
    ]);
    expect(await query(url, 'SELECT name, value FROM counts ORDER BY name')).toEqual([
      { name: 'devices', value: String(ROWS) },
      // The highest cursor: 7 times the number of its endpoint.
      { name: 'events', value: String(7 * ROWS) },
    ]);
    expect(readFileSync(file).equals(bytes)).toBe(true);

    const { store } = await open(url);
    await store.insert(accept(sampleDelivery(1)));
    const [inserted] = await query(
      url,
      `SELECT row_id FROM deliveries WHERE id = '${sampleId(1)}'`,
    );
    expect(inserted).toEqual({ row_id: String(ROWS + 1) });
  });

  test('continues after an interruption, and no machine starts before the end', async () => {
    const file = makeFilledFile();
    const url = await newEmptyDatabase();
    const interrupted = copy(file, url, ({ table }) => {
      if (table === 'attempts') throw new Error('the cable was pulled');
    });
    await expect(interrupted).rejects.toThrow('the cable was pulled');
    await expect(open(url)).rejects.toMatchObject({
      kind: 'database_in_use',
      message: expect.stringContaining('run `nds migrate-database` again'),
    });

    const told: CopyProgress[] = [];
    const counts = await copy(file, url, (progress) => told.push(progress));
    // The batch before the interruption was written.
    expect(told[0]).toEqual({ table: 'attempts', rows: 1_000, of: ROWS });
    expect([...counts.values()]).toEqual(COPIED_TABLES.map(() => ROWS));
    for (const table of COPIED_TABLES) {
      const rows: readonly Row[] = await readCopied(url, table);
      expect(rows, table.name).toEqual(readTable(file, table.name, table.key));
    }
    await open(url);
  });

  test('copies nothing into a database that is not empty, or that has a part of a file that was changed since', async () => {
    const file = makeFilledFile();
    const started = await newDatabase();
    await (await open(started)).store.close();
    await expect(copy(file, started)).rejects.toThrow('is not empty');

    const url = await newEmptyDatabase();
    const stop = () => {
      throw new Error('interrupted');
    };
    await expect(copy(file, url, stop)).rejects.toThrow('interrupted');
    const db = new Sqlite(file);
    db.exec(`UPDATE deliveries SET attempts = attempts + 1 WHERE row_id = 1`);
    db.close();
    await expect(copy(file, url)).rejects.toThrow('before it was changed');
    const kept = await query(url, 'SELECT count(*) FROM deliveries');
    expect(kept).toEqual([{ count: '500' }]);
  });

  test('missing rows at the end are an error', async () => {
    const file = makeFilledFile();
    const url = await newEmptyDatabase();
    const interrupted = copy(file, url, ({ table }) => {
      if (table === 'events') throw new Error('interrupted');
    });
    await expect(interrupted).rejects.toThrow('interrupted');
    await query(url, 'DELETE FROM outages WHERE row_id = 3');
    await expect(copy(file, url)).rejects.toThrow(
      `is not complete: outages has ${ROWS - 1} rows of ${ROWS}`,
    );
    await expect(open(url)).rejects.toMatchObject({ kind: 'database_in_use' });
  });

  test('replaces a NUL in a text, which PostgreSQL does not take', async () => {
    const file = makeFilledFile();
    const db = new Sqlite(file);
    db.prepare('UPDATE attempts SET message_id = ? WHERE row_id = 7').run('a\0b');
    db.close();
    const url = await newEmptyDatabase();
    await copy(file, url, undefined, { current: KEY_B, previous: [] });
    const found = await query(url, 'SELECT message_id FROM attempts WHERE row_id = 7');
    expect(found).toEqual([{ message_id: 'a\ufffdb' }]);
  });
});

test('says what is missing, and never the password', async () => {
  const file = makeFilledFile();
  const url = 'postgres://user:very-secret@127.0.0.1:1/nds';
  const run = async (path: string, environment: Record<string, string>) => {
    const { code, stdout, stderr } = await runCommand(['migrate-database', path], { environment });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).not.toContain('very-secret');
    return stderr;
  };
  const NDS_SECRET = SECRET;
  expect(await run(file, { NDS_SECRET })).toContain('NDS_DATABASE must name the PostgreSQL');
  expect(await run(file, { NDS_DATABASE: url })).toContain('NDS_SECRET is required');
  const missing = join(file, '..', 'missing.sqlite');
  const said = await run(missing, { NDS_DATABASE: url, NDS_SECRET });
  expect(said).toContain('does not exist');
  // It examines NDS_DATABASE, not this file.
  expect(said).not.toContain('nds doctor');
  // The file was filled under another key.
  expect(await run(file, { NDS_DATABASE: url, NDS_SECRET })).toContain('another secret');
  const db = new Sqlite(file);
  db.exec("INSERT INTO migrations (tag, hash) VALUES ('9999_later', 'hash')");
  db.close();
  expect(await run(file, { NDS_DATABASE: url, NDS_SECRET })).toMatch(
    /it has \d+ migrations and this version knows \d+/,
  );
});
