// `npm run demo`: what a newcomer sees first. It has to work without preparation, say what happened, and leave nothing
// on the machine.

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { freePort, type Program, startProgram } from '../support/program.ts';
import { temporaryFolder } from '../support/service.ts';

const DEMO = resolve(import.meta.dirname, '../../sandbox/demo/main.ts');
/** Nine kinds of calls for two phones. */
const CALLS = 18;
const PATIENCE_MS = 60_000;

interface Demo {
  readonly program: Program;
  readonly port: number;
  /** Its folders that still exist among the temporary files. */
  readonly left: () => readonly string[];
}

async function startDemo(...args: readonly string[]): Promise<Demo> {
  const folder = temporaryFolder();
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const port = await freePort();
  const program = startProgram({
    program: DEMO,
    args: ['--port', String(port), ...args],
    environment: { TMPDIR: temporary },
    folder,
  });
  return { program, port, left: () => demoFolders(temporary) };
}

function demoFolders(temporary: string): readonly string[] {
  return readdirSync(temporary).filter((name) => name.startsWith('nds'));
}

/** The rows of the table under this title, without its head. */
function tableIn(stdout: string, title: string): readonly string[] {
  const lines = stdout.split('\n');
  const from = lines.indexOf(title);
  expect(from, title).toBeGreaterThanOrEqual(0);
  const rule = lines.findIndex((line, index) => index > from && line.startsWith('──'));
  const end = lines.indexOf('', rule);
  return lines.slice(rule + 1, end);
}

test('runs by itself with --once, shows every push and every row, and exits with 0', {
  timeout: PATIENCE_MS,
}, async () => {
  const { program, left } = await startDemo('--once');
  const { code, stdout, stderr } = await program.ended;
  expect([code, stderr]).toEqual([0, '']);
  const phones = tableIn(stdout, 'What the phones received');
  expect(phones).toHaveLength(CALLS);
  expect(phones.filter((row) => row.startsWith('ios '))).toHaveLength(CALLS / 2);
  expect(phones.filter((row) => !/ 200 .* ms +ok$/.test(row))).toEqual([]);
  const said = tableIn(stdout, 'What the phones said of their wakes').join('\n');
  expect(said).toMatch(/^ios .*Apple took it at \+\d+ ms, the phone started at \+\d+ ms/m);
  expect(said).toMatch(/^android .*Google took it at .*the phone started at /m);
  expect(said).toContain('done at +');
  const rows = tableIn(stdout, 'The deliveries as the database has them');
  expect(rows).toHaveLength(CALLS);
  expect(rows.filter((row) => !/^(apns|fcm) .* delivered +1 /.test(row))).toEqual([]);
  expect(rows.filter((row) => / yes$/.test(row))).toHaveLength(2);
  expect([...phones, ...rows].filter((row) => row.length > 80)).toEqual([]);
  const told = stdout.split('\n').filter((line) => line.startsWith('  backend got '));
  const sha256 = createHash('sha256').update('phone-without-the-app:APA91bDemo').digest('hex');
  const whose = `UNREGISTERED of ${sha256.slice(0, 8)}…, verified`;
  expect(told.toSorted()).toEqual([
    `  backend got delivery.unregistered ${whose}`,
    `  backend got device.quarantined ${whose}`,
  ]);
  expect(stdout).toContain('Every push arrived as it should.');
  expect(left()).toEqual([]);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`stays up for a try by hand and ends cleanly on ${signal}`, {
    timeout: PATIENCE_MS,
  }, async () => {
    const { program, port, left } = await startDemo();
    const line = await program.line('curl -i');
    const url = /'(http:[^']+)'/.exec(line)?.[1] ?? '';
    expect(new URL(url).port).toBe(String(port));
    expect(left()).toHaveLength(1);
    // The suggested call, word for word.
    const body = /-d '(.+)'$/.exec(await program.line(`-d '{"template"`))?.[1] ?? '';
    const answer = await fetch(url, { method: 'POST', body });
    expect([answer.status, answer.headers.get('delivery-status')]).toEqual([200, 'delivered']);
    expect(await program.line('android got payment_received')).toContain('1234');
    // The suggested search, too, with its environment, while the service runs.
    const [, database] = /NDS_DATABASE=(\S+)/.exec(await program.line('NDS_DATABASE=')) ?? [];
    const [, secret, known] =
      /NDS_SECRET=(\S+) npm run nds -- find (\S+)/.exec(await program.line('NDS_SECRET=')) ?? [];
    const found = await startProgram({
      args: ['find', known ?? ''],
      environment: { NDS_DATABASE: database ?? '', NDS_SECRET: secret ?? '' },
      folder: temporaryFolder(),
    }).ended;
    expect(found.stdout).toMatch(
      /^this payment .*\ndelivery id .*\n(?:.*\n)?.* received {3}notify.*\n.* delivered after /,
    );
    program.signal(signal);
    const { code, stderr } = await program.ended;
    expect([code, stderr]).toEqual([0, '']);
    expect(left()).toEqual([]);
  });
}

test('prints its options', async () => {
  const { program } = await startDemo('--help');
  const { code, stdout, stderr } = await program.ended;
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('--once');
});

test('leaves nothing when it is stopped in the middle of its calls', {
  timeout: PATIENCE_MS,
}, async () => {
  const { program, left } = await startDemo();
  await program.line('The service listens');
  program.signal('SIGINT');
  expect((await program.ended).code).toBe(0);
  expect(left()).toEqual([]);
});

test('explains a taken port and an unknown option, and leaves nothing', {
  timeout: PATIENCE_MS,
}, async () => {
  const first = await startDemo();
  await first.program.line('The service listens');
  const folder = temporaryFolder();
  const environment = { TMPDIR: folder };
  const args = ['--once', '--port', String(first.port)];
  const taken = await startProgram({ program: DEMO, args, environment, folder }).ended;
  expect(taken.code).toBe(1);
  expect(taken.stderr).toContain(`Cannot listen on port ${first.port}`);
  expect(taken.stderr).toContain('npm run demo -- --port 18080');
  expect(taken.stderr).not.toMatch(/^ {4}at /m);
  const unknown = await startProgram({ program: DEMO, args: ['--twice'], environment, folder })
    .ended;
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain('--twice');
  expect(unknown.stderr).not.toMatch(/^ {4}at /m);
  expect(demoFolders(folder)).toEqual([]);
});
