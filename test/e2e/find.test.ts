// `nds find`, `nds stats` and `nds tail`: the real commands beside a running service, on the same database.

import { execFile } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { shortId } from '../../src/core/finding/lines.ts';
import { isRoot, NOBODY, runAsNobody } from '../support/as-nobody.ts';
import { NDS, startProgram } from '../support/program.ts';
import { handleOf, pathOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import {
  ANDROID_TOKEN,
  IOS_TOKEN,
  notifyPath,
  type OnEnd,
  type Setup,
  setup,
  temporaryFolder,
} from '../support/service.ts';

const run = promisify(execFile);
const PAYMENT_HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';
const USER = `02f1c4${'d7'.repeat(30)}`;
const jsonSchema = z.object({
  verdict: z.object({ code: z.string() }),
  deliveries: z.array(z.looseObject({ id: z.string() })),
});

async function find(running: Setup, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [NDS, 'find', ...args], {
    env: running.environment,
  });
  return stdout;
}

async function pay(running: Setup, path = notifyPath(ANDROID_TOKEN)): Promise<string> {
  const body = JSON.stringify({
    template: 'payment_received',
    data: { payment_hash: PAYMENT_HASH },
  });
  const response = await running.post(path, body);
  return z.object({ id: z.string() }).parse(await response.json()).id;
}

async function wakePhone(onEnd: OnEnd = onTestFinished) {
  const running = await setup({ environment: REGISTRY_ENVIRONMENT, onEnd });
  const phone = { platform: 'android', token: ANDROID_TOKEN, user: USER };
  const device = await register(running, phone);
  const id = await pay(running, pathOf(device, 'notify'));
  await running.service.settled();
  return { running, device, id };
}

/** For tests that only read. */
let woken: Awaited<ReturnType<typeof wakePhone>>;
beforeAll(async () => {
  woken = await wakePhone((end) => afterAll(end));
});

test('everything that an operator may have finds the push', async () => {
  const { running, device, id } = woken;
  const known = [
    ...[id, id.toUpperCase(), `urn:uuid:${id}`, PAYMENT_HASH, PAYMENT_HASH.toUpperCase()],
    ...[
      PAYMENT_HASH.slice(0, 8),
      ANDROID_TOKEN,
      `https://nds.example.com${notifyPath(ANDROID_TOKEN)}`,
    ],
    ...[handleOf(device, 'notify'), device.urls.notify ?? '', device.id, USER, USER.toUpperCase()],
  ];
  for (const text of known) {
    const output = await find(running, text, '--json');
    const { deliveries, verdict } = jsonSchema.parse(JSON.parse(output));
    expect([text, deliveries.map((one) => one.id), verdict.code]).toEqual([
      text,
      [id],
      'delivered',
    ]);
    for (const secret of [ANDROID_TOKEN, handleOf(device, 'notify'), PAYMENT_HASH, USER]) {
      expect(output).not.toContain(secret);
    }
  }
});

test('shows what happened and when, in lines that fit a terminal', async () => {
  const { running, device, id } = woken;
  const lines = (await find(running, PAYMENT_HASH.slice(0, 12).toUpperCase())).split('\n');
  expect(lines.slice(0, 5)).toEqual([
    `payment 4bb06f8e… for user 02f1c4… (default, android, device ${shortId(device.id)})`,
    `delivery id ${id}`,
    expect.stringMatching(/^\d{4}-\d\d-\d\d UTC$/),
    expect.stringMatching(/^\d\d:\d\d:\d\d\.\d{3} {2}received {3}.*payment_received$/),
    expect.stringMatching(/^\d\d:\d\d:\d\d\.\d{3} {2}try 1 {6}fcm {2}delivered after \d+ ms$/),
  ]);
  expect(lines.slice(5).join(' ')).toMatch(
    /Delivered \d+ ms after the call: FCM took the push; if the phone did not wake, see docs\/troubleshooting.md#\S+\. $/,
  );
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test('reads the question from standard input, so that no token stays in a shell’s history', async () => {
  const { running, id } = woken;
  const asking = run(process.execPath, [NDS, 'find', '-', '--json'], { env: running.environment });
  asking.child.stdin?.end(`${ANDROID_TOKEN}\n`);
  const { stdout } = await asking;
  expect(jsonSchema.parse(JSON.parse(stdout)).deliveries.map((one) => one.id)).toEqual([id]);
});

test('an APNs token is found in any spelling of its hex digits', async () => {
  const running = await setup();
  const id = await pay(running, notifyPath(IOS_TOKEN));
  for (const known of [IOS_TOKEN, IOS_TOKEN.toUpperCase()]) {
    const found = jsonSchema.parse(JSON.parse(await find(running, known, '--json')));
    expect(found.deliveries.map((one) => one.id)).toEqual([id]);
  }
});

test('finds nothing for what was never sent, and says so by the exit code', async () => {
  const running = await setup();
  const asking = find(running, PAYMENT_HASH);
  await expect(asking).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /^4bb06f8e…\nNothing known about it: no call that names it came since/,
    ),
  });
});

test('searches only the named app, configured or not', async () => {
  const { running } = woken;
  expect(await find(running, USER, '--app', 'default')).toContain('Delivered');
  await expect(find(running, USER, '--app', 'gone')).rejects.toMatchObject({ code: 1 });
  await expect(find(running, USER, '--since', '1s', '--limit', 'x')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('It must be a whole number from 1 to 1000.'),
  });
});

test('without an argument it lists the newest, one line each', async () => {
  const { running, id } = woken;
  const lines = (await find(running)).split('\n');
  expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d {2}delivered {5}/);
  expect(lines[1]).toContain(`${shortId(id)}  default/fcm  payment_received`);
});

test('does not create a missing database', async () => {
  const database = join(temporaryFolder(), 'nds.sqlite');
  const env = { NDS_DATABASE: database };
  await expect(run(process.execPath, [NDS, 'find'], { env })).rejects.toMatchObject({ code: 1 });
  expect([database, `${database}.secret`].filter(existsSync)).toEqual([]);
});

test('reads the log although the rest of the configuration is wrong', async () => {
  const { running, id } = woken;
  const { NDS_DATABASE = '', NDS_SECRET = '' } = running.environment;
  const env = { NDS_DATABASE, NDS_SECRET, PORT: 'abc', APNS_KEY_ID: '!' };
  const { stdout } = await run(process.execPath, [NDS, 'find', id], { env });
  expect(stdout).toContain('Delivered');
});

test.runIf(isRoot)('reads a copy in a folder that cannot be written, as another user', async () => {
  const { running, id } = await wakePhone();
  await running.service.stop();
  const folder = join(running.folder, 'copy');
  mkdirSync(folder);
  const copy = join(folder, 'nds.sqlite');
  copyFileSync(join(running.folder, 'nds.sqlite'), copy);
  chownSync(copy, NOBODY, NOBODY);
  for (const path of [running.folder, folder]) chmodSync(path, 0o555);
  const { NDS_SECRET = '' } = running.environment;
  const stdout = await runAsNobody(
    `process.chdir(${JSON.stringify(folder)});
     const { runCommand } = loaded['src/cli/commands.ts'];
     process.exitCode = await runCommand(['find', ${JSON.stringify(id)}]);`,
    {
      modules: ['src/cli/commands.ts', 'src/cli/find.ts'],
      environment: { NDS_DATABASE: copy, NDS_SECRET },
    },
  );
  expect(stdout).toContain('Delivered');
  expect(readdirSync(folder)).toEqual(['nds.sqlite']);
});

test('stats counts what was delivered and why the rest was not', async () => {
  const { running } = await wakePhone();
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  await running.notify('a-phone:that-is-gone', PAYMENT_HASH);
  await running.service.settled();
  const { stdout } = await run(process.execPath, [NDS, 'stats'], { env: running.environment });
  const [since, , head, row, , ...whyNot] = stdout.split('\n');
  expect(since).toMatch(/^since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, 60 min$/);
  expect(head?.trim()).toMatch(/^delivered +expired +rejected +refused +queued +p50 +p99$/);
  expect(row).toMatch(/^default\/fcm +1 +0 +1 +- +0 +\d+ m?s +\d+ m?s$/);
  expect(whyNot).toEqual([
    'why not                    count  tokens',
    'unregistered UNREGISTERED      1       1  default/fcm',
    '',
  ]);
});

/** Pays one phone after the other, until the command has shown one. */
async function payUntil(running: Setup, shown: Promise<unknown>): Promise<void> {
  let isShown = false;
  const done = shown.finally(() => {
    isShown = true;
  });
  for (let phone = 0; !isShown; phone += 1) {
    await running.notify(`phone-${phone}:APA91b`, PAYMENT_HASH);
    await running.service.settled();
  }
  await done;
}

test('tail shows deliveries as they end and refused calls, and ends when it is interrupted', async () => {
  const running = await setup();
  const { environment, folder } = running;
  const tail = startProgram({ args: ['tail'], environment, folder });
  const json = startProgram({ args: ['tail', '--json'], environment, folder });
  const failed = startProgram({ args: ['tail', '--failed'], environment, folder });
  const other = startProgram({ args: ['tail', '--app', 'other'], environment, folder });
  await payUntil(running, Promise.all([tail, json].map((one) => one.line('payment_received'))));
  expect(await tail.line('payment_received')).toMatch(
    /^\d\d:\d\d:\d\d {2}delivered +\d+ ms {2}[0-9a-f]{8}…[0-9a-f]{4} {2}default\/fcm {2}payment_received$/,
  );
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', fault });
  await running.notify('a-phone:that-is-gone', PAYMENT_HASH);
  await running.post(notifyPath(ANDROID_TOKEN), '{"template":');
  expect(await tail.line('UNREGISTERED')).toMatch(
    / {2}unregistered +\d+ ms .*UNREGISTERED {2}paym/,
  );
  expect(await tail.line('refused')).toMatch(
    / {2}refused 400 +bad_body {2}notify \/api\/v1\/notify$/,
  );
  const lines = await Promise.all(['"unregistered"', '"bad_body"'].map((text) => json.line(text)));
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { delivery: expect.objectContaining({ status: 'unregistered', reason: 'UNREGISTERED' }) },
    { refusal: expect.objectContaining({ code: 'bad_body', count: 1 }) },
  ]);
  tail.signal('SIGINT');
  for (const program of [json, failed, other]) program.signal('SIGTERM');
  for (const program of [tail, json])
    expect(await program.ended).toMatchObject({ code: 0, stderr: '' });
  expect((await failed.ended).stdout).not.toContain(' delivered ');
  expect(await other.ended).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('tail ends in order when its reader closes the pipe', async () => {
  const running = await setup();
  const env = { ...running.environment, PATH: process.env.PATH };
  const script = `"${process.execPath}" "${NDS}" tail | head -n 1`;
  const ended = run('sh', ['-c', script], { env });
  await payUntil(running, ended);
  const { stdout, stderr } = await ended;
  expect([stdout.split('\n').length, stderr]).toEqual([2, '']);
});
