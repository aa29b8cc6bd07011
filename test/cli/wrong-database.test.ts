// What the commands say about a file that is no database of nds, or of another version: a sentence that says what to
// do. Nothing is changed.

import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { isRoot, NOBODY, runAsNobody } from '../support/as-nobody.ts';
import { askService, runCommand } from '../support/command.ts';
import { BOTH_PROVIDERS } from '../support/credentials.ts';
import { setup, temporaryFolder } from '../support/service.ts';

const READING = [['find', '12345678'], ['stats'], ['check']];
const CHANGING = [
  ['devices', 'list'],
  ['forget', 'bob'],
  ['token', 'show', 'aa'],
  ['endpoints', 'list'],
  ['keys', 'rotate'],
];

async function expectRefused(
  file: string,
  {
    commands,
    sentence,
  }: { readonly commands: readonly (readonly string[])[]; readonly sentence: RegExp },
): Promise<void> {
  const environment = { NDS_DATABASE: file, NDS_SECRET: 'a secret for tests only' };
  for (const args of commands) {
    const { code, stdout, stderr } = await askService(args, { environment });
    const text = `${stdout}${stderr}`.replaceAll(/\n +/g, ' ');
    expect([args[0], code, text]).toEqual([args[0], 1, expect.stringMatching(sentence)]);
    expect(text).not.toMatch(/^ {4}at |Error:/m);
  }
}

function backupTo(folder: string): string[] {
  return ['backup', join(folder, 'copy.sqlite')];
}

test('the database of another program is refused and left as it is', async () => {
  const folder = temporaryFolder();
  const all = [...READING, ...CHANGING, backupTo(folder)];
  for (const [tables, commands] of [
    ['notes (text)', all],
    ['migrations (id, name)', [['check']]],
  ] as const) {
    const file = join(folder, `${tables.slice(0, 5)}.sqlite`);
    const db = new Database(file);
    db.exec(`CREATE TABLE ${tables}`);
    db.close();
    const before = readFileSync(file);
    await expectRefused(file, {
      commands: [...commands, ['restore', file]],
      sentence: /has the tables of another program, and was left as it is\. Name another file\./,
    });
    const environment = {
      ...BOTH_PROVIDERS,
      NOTIFY_HTTP_ADDRESS: '127.0.0.1:0',
      NDS_SECRET: 'a secret for tests only',
      NDS_DATABASE: file,
    };
    const { code, stderr } = await runCommand(['serve'], { environment, folder });
    expect([code, stderr]).toEqual([1, expect.stringContaining('was left as it is.')]);
    expect(readFileSync(file)).toEqual(before);
  }
  expect(readdirSync(folder).filter((name) => /copy|before|-wal/.test(name))).toEqual([]);
});

test('tables that a replicator keeps in an empty file do not count as another program’s', async () => {
  const file = join(temporaryFolder(), 'nds.sqlite');
  const db = new Database(file);
  db.exec('CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)');
  db.close();
  const environment = { NDS_DATABASE: file, NDS_SECRET: 'a secret for tests only' };
  const { code, stderr } = await runCommand(['devices', 'list'], { environment });
  expect([code, stderr]).toEqual([0, '']);
});

test('an empty file is refused, because there is nothing to read or copy', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'nds.sqlite');
  writeFileSync(file, '');
  await expectRefused(file, {
    commands: [...READING, backupTo(folder), ['restore', file]],
    sentence: /is empty\. Name the file of the service, or start the service once\./,
  });
});

test('the message names the file that is no database, not the one to be written', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'nds.sqlite');
  writeFileSync(file, 'garbage');
  await expectRefused(file, {
    commands: [['find', '12345678'], ['stats'], ...CHANGING, backupTo(folder)],
    sentence: /nds\.sqlite cannot be used: it is damaged or no database\. Move it aside/,
  });
  await expectRefused(file, {
    commands: [['check']],
    sentence: /^broken {2}file: file is not a database\nName another file, or restore a backup: /,
  });
  await expectRefused(file, {
    commands: [['restore', file]],
    sentence: /^broken {2}file: file is not a database\nNothing was changed\.\n$/,
  });
  expect(readFileSync(file, 'utf8')).toBe('garbage');
});

test('a file that is missing may have been moved, and `nds doctor` says so', async () => {
  await expectRefused(join(temporaryFolder(), 'nds.sqlite'), {
    commands: [['find', '12345678'], ['stats'], ...CHANGING],
    sentence:
      /NDS_DATABASE names \S+, which does not exist: .*; if it was .* `nds doctor` says more\n/,
  });
});

test('a folder is reported as a folder', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'nds.sqlite');
  mkdirSync(file);
  await expectRefused(file, {
    commands: [['find', '12345678'], ['stats'], ['retry', 'aa'], ...CHANGING, backupTo(folder)],
    sentence: /NDS_DATABASE names \S+, which is a folder: give the path of a file\n/,
  });
  await expectRefused(file, {
    commands: [['check'], ['restore', file]],
    sentence: /^broken {2}file: it is a folder\n/,
  });
});

test('tables of another version are refused with what to do', async () => {
  const { environment, service } = await setup();
  await service.stop();
  const file = environment.NDS_DATABASE ?? '';
  const db = new Database(file);
  db.exec("UPDATE migrations SET tag = '0000_early' WHERE number = 1");
  await expectRefused(file, {
    commands: [...READING, ...CHANGING],
    sentence: /has the layout of a development version, .* move it aside/,
  });
  db.exec('DELETE FROM migrations WHERE number = (SELECT max(number) FROM migrations)');
  db.close();
  await expectRefused(file, {
    commands: READING,
    sentence:
      /was written by an older version: start the service once, which brings it up to date\./,
  });
});

test.runIf(isRoot)('a user who may not read the file is told which user may', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'nds.sqlite');
  writeFileSync(file, '');
  chownSync(folder, NOBODY, NOBODY);
  const sentence = `NDS_DATABASE names ${file}, which cannot be read by this user: run the command as the user of the service`;
  for (const [path, mode] of [
    [file, 0o000],
    [folder, 0o000],
  ] as const) {
    chmodSync(path, mode);
    const code = `
      process.stderr.write = (text) => process.stdout.write(text);
      for (const args of ${JSON.stringify([['find', 'aa'], ['devices', 'list'], backupTo('/tmp')])}) {
        await loaded['src/cli/commands.ts'].runCommand(args);
      }`;
    const said = await runAsNobody(code, {
      modules: [
        ...['src/cli/commands.ts', 'src/cli/find.ts'],
        ...['src/cli/operate/devices.ts', 'src/cli/database/backup.ts'],
      ],
      environment: { NDS_DATABASE: file, NDS_SECRET: 'a secret for tests only' },
    });
    expect(said.split(sentence), said).toHaveLength(4);
    expect(said).not.toMatch(/^ {4}at /m);
  }
  chmodSync(folder, 0o700);
});
