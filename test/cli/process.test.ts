// The process as a supervisor, an operator and an attacker on the same machine meet it: signals, pipes, an old version
// of Node, and uncaught errors.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { type Program, startProgram } from '../support/program.ts';
import {
  ANDROID_TOKEN,
  notifyPath,
  sandboxEnvironment,
  temporaryFolder,
} from '../support/service.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PAYMENT = '{"template":"payment_received","data":{"payment_hash":"aa"}}';

async function setup(nodeOptions: readonly string[] = []) {
  const folder = temporaryFolder();
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const environment = sandboxEnvironment(sandbox, folder);
  const program = startProgram({ args: ['serve'], environment, folder, nodeOptions });
  return { program, sandbox, environment, url: await urlOf(program) };
}

async function urlOf(program: Program): Promise<string> {
  const { url }: { url: string } = JSON.parse(await program.line('"listening"'));
  return url;
}

async function isAlive(url: string): Promise<boolean> {
  return (await fetch(`${url}/healthz`)).ok;
}

/** A module that Node loads before the program. */
function preload(source: string): readonly string[] {
  return [`--import=data:text/javascript,${encodeURIComponent(source)}`];
}

test('SIGHUP reloads and does not end the service, and SIGUSR1 does not open the inspector', async () => {
  const { program, url } = await setup();
  program.signal('SIGHUP');
  await program.line('"reloaded"');
  program.signal('SIGUSR1');
  for (let round = 0; round < 20; round += 1) expect(await isAlive(url)).toBe(true);
  program.signal('SIGTERM');
  const { code, stderr } = await program.ended;
  // The inspector would report its address on standard error.
  expect([code, stderr]).toEqual([0, '']);
});

test('a reload names the variables that need a restart, and a fault keeps everything', async () => {
  const folder = temporaryFolder();
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const apps = join(folder, 'apps.json');
  writeFileSync(apps, '{}');
  writeFileSync(join(folder, '.env'), `NDS_APPS_FILE=${apps}\nNDS_GRACE=4s\nNDS_LOG_LEVEL=info\n`);
  const environment = sandboxEnvironment(sandbox, folder);
  const program = startProgram({ args: ['serve'], environment, folder });
  const url = await urlOf(program);
  writeFileSync(
    join(folder, '.env'),
    `NDS_APPS_FILE=${apps}\nNDS_GRACE=3s\nNDS_TITLES={}\nAPNS_TOPIC=is.set.outside\n`,
  );
  program.signal('SIGHUP');
  expect(JSON.parse(await program.line('"reloaded"'))).toMatchObject({
    opened: [],
    closed: [],
    kept: ['default/apns', 'default/fcm'],
    needs_restart: ['NDS_GRACE', 'NDS_TITLES', 'NDS_LOG_LEVEL'],
  });
  writeFileSync(apps, '{"second":{}}');
  program.signal('SIGHUP');
  expect(JSON.parse(await program.line('"reload_failed"'))).toMatchObject({
    level: 'error',
    faults: ['NDS_APPS_FILE: second has neither apns nor fcm'],
  });
  expect(await isAlive(url)).toBe(true);
});

for (const [what, source] of [
  ['is thrown', "setImmediate(() => { throw new Error('escaped'); })"],
  ['is a rejection', "void Promise.reject(new Error('escaped'))"],
] as const) {
  test(`an error that nobody catches and that ${what} drains the service and ends it with 1`, async () => {
    const { program, sandbox, url } = await setup(
      preload(`process.on('SIGUSR2', () => { ${source}; });`),
    );
    await program.line('"provider":"fcm"');
    sandbox.script({ provider: 'fcm', fault: { kind: 'delay', delayMs: 500 } });
    const answer = fetch(`${url}${notifyPath(ANDROID_TOKEN)}`, { method: 'POST', body: PAYMENT });
    await sandbox.waitForRequests(({ token }) => token === ANDROID_TOKEN, 1);
    program.signal('SIGUSR2');
    expect((await answer).status).toBe(200);
    const { code, stdout, stderr } = await program.ended;
    expect([code, stderr]).toEqual([1, '']);
    const line = stdout.split('\n').find((text) => text.includes('internal_fault')) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({
      level: 'error',
      cause: expect.stringMatching(/^Error: escaped\n {4}at /),
    });
    expect(stdout).toContain('delivery_settled');
  });
}

test('an error that nobody catches during the start ends the process with its stack', async () => {
  const program = startProgram({
    args: ['serve'],
    folder: temporaryFolder(),
    environment: { GOOGLE_CLOUD_PROJECT: 'my-wallet' },
    nodeOptions: preload("setTimeout(() => { throw new Error('escaped'); }, 0);"),
  });
  const { code, stderr } = await program.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/Error: escaped\n {4}at /);
});

test('`npm start` stops on SIGTERM and leaves nothing behind', async () => {
  const folder = temporaryFolder();
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const child = spawn('npm', ['start'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: folder, ...sandboxEnvironment(sandbox, folder) },
    stdio: ['ignore', 'pipe', 'inherit'],
    // A process group of its own, so that everything left in it can be killed.
    detached: true,
  });
  onTestFinished(() => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // This is correct: no process of the group is left.
    }
  });
  let output = '';
  child.stdout.setEncoding('utf8');
  for await (const text of child.stdout) {
    output += text;
    if (output.includes('"listening"') && !child.killed) child.kill('SIGTERM');
  }
  expect(output).toContain('"stopping"');
  const url = /"url":"([^"]+)"/.exec(output)?.[1] ?? '';
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});

test('an old version of Node prints one sentence that says which one is needed', async () => {
  const versions = "Object.defineProperty(process, 'versions', { value: { node: '20.11.1' } });";
  for (const args of [[], ['serve'], ['help']]) {
    const program = startProgram({
      args,
      folder: temporaryFolder(),
      nodeOptions: preload(versions),
    });
    expect(await program.ended).toEqual({
      code: 1,
      stdout: '',
      stderr: 'nds needs Node 24 or newer; this is Node 20.11.1.\n',
    });
  }
});

test('a reader that closes the pipe changes neither a command’s work nor its exit code', async () => {
  for (const [command, code] of [
    ['config', 1],
    ['doctor', 2],
    ['help', 0],
  ] as const) {
    const child = spawn(process.execPath, [join(ROOT, 'bin/nds.js'), command], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    expect([...(await once(child, 'close')), stderr]).toEqual([code, null, '']);
  }
});

test('one argument too many and an unknown option are refused', async () => {
  for (const args of [
    ['serve', 'now'],
    ['config', '--every'],
    ['devices'],
    ['devices', 'list', '--limit', 'all'],
    ['trigger', 'lspd'],
    ['find', 'aa', 'bb'],
    ['find', '--limit', '0'],
    ['demo'],
  ]) {
    const { code, stdout, stderr } = await startProgram({ args, folder: temporaryFolder() }).ended;
    expect([code, stdout], args.join(' ')).toEqual([2, '']);
    expect(stderr).toMatch(/^(error|Usage): /);
    expect(stderr).not.toMatch(/^ {4}at /m);
  }
});
