// `nds serve` as an operator starts it: one message with every fault, or a service that says which providers it
// reaches.

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { BOTH_PROVIDERS } from '../support/credentials.ts';
import { startProgram } from '../support/program.ts';
import {
  ANDROID_TOKEN,
  notifyPath,
  sandboxEnvironment,
  temporaryFolder,
} from '../support/service.ts';

async function sandbox() {
  const started = await startSandbox();
  onTestFinished(() => started.close());
  return started;
}

/** One line of the log. */
const logLine = z.looseObject({ level: z.string(), event: z.string(), time: z.string() });

test('refuses to start with one message that lists every fault, and exits with 1', async () => {
  const folder = temporaryFolder();
  const secret = 'short secret';
  const environment = { PORT: 'http', NDS_SECRET: secret, APNS_KEY_ID: 'ABC123DEFG' };
  const { code, stdout, stderr } = await startProgram({ args: ['serve'], environment, folder })
    .ended;
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^nds cannot start\.\nThe configuration has 3 faults:\n/);
  for (const name of ['PORT', 'NDS_SECRET', 'APNS_KEY_FILE', 'APNS_TEAM_ID']) {
    expect(stderr).toContain(name);
  }
  expect(stderr).toContain('nds config --all');
  expect(stderr).not.toContain(secret);
  expect(stderr).not.toMatch(/^ {4}at /m);
});

test('says what to configure if nothing is configured', async () => {
  const folder = temporaryFolder();
  const { code, stderr } = await startProgram({ args: [], folder }).ended;
  expect(code).toBe(1);
  expect(stderr).toContain('The configuration has a fault:\n  - No provider is configured.');
});

test('explains that its port is taken', async () => {
  const folder = temporaryFolder();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => other.close(() => resolve())));
  const address = other.address();
  const port = typeof address === 'string' || address === null ? 0 : address.port;
  const environment = {
    ...BOTH_PROVIDERS,
    NOTIFY_HTTP_ADDRESS: `127.0.0.1:${port}`,
    NDS_DATABASE: join(folder, 'nds.sqlite'),
  };
  const { code, stderr } = await startProgram({ args: ['serve'], environment, folder }).ended;
  expect(code).toBe(1);
  expect(stderr).toContain(`nds cannot start.\nCannot listen on port ${port}: another program`);
  expect(stderr).not.toMatch(/^ {4}at /m);
});

test('explains that it cannot listen at an address of another machine', async () => {
  const folder = temporaryFolder();
  // No machine has an address of TEST-NET-1, RFC 5737.
  const environment = { ...BOTH_PROVIDERS, NOTIFY_HTTP_ADDRESS: '192.0.2.1:8080' };
  const { code, stderr } = await startProgram({ args: ['serve'], environment, folder }).ended;
  expect(code).toBe(1);
  expect(stderr).toContain('does not have the address in NOTIFY_HTTP_ADDRESS, ');
  expect(stderr).not.toMatch(/^ {4}at /m);
});

test('reads .env, says which app reaches which provider, and stops cleanly', async () => {
  const folder = temporaryFolder();
  const stand = await sandbox();
  const variables = { ...sandboxEnvironment(stand, folder), NDS_SECRET: 'from the file: not used' };
  const text = Object.entries(variables)
    .map(([name, value]) => `${name}='${value}'`)
    .join('\n');
  writeFileSync(join(folder, '.env'), `# as .env.example has it\n${text}\n`);
  const environment = { NDS_SECRET: 'from the environment: it wins', NDS_LOG_LEVEL: 'info' };
  const program = startProgram({ args: ['serve'], environment, folder });

  const { url } = logLine
    .extend({ url: z.string() })
    .parse(JSON.parse(await program.line('listening')));
  for (const provider of ['apns', 'fcm'] as const) {
    const line = logLine.parse(JSON.parse(await program.line(`"provider":"${provider}"`)));
    expect(line).toMatchObject({
      level: 'info',
      event: 'can_reach_provider',
      app: 'default',
      address: stand[provider].url,
    });
  }
  const body = '{"template":"payment_received","data":{"payment_hash":"from-a-process"}}';
  const answer = await fetch(`${url}${notifyPath(ANDROID_TOKEN)}`, { method: 'POST', body });
  expect(answer.headers.get('delivery-status')).toBe('delivered');
  program.signal('SIGTERM');
  const { code, stdout, stderr } = await program.ended;
  expect([code, stderr]).toEqual([0, '']);
  for (const line of stdout.split('\n'))
    expect(() => logLine.parse(JSON.parse(line))).not.toThrow();
  expect(stdout).toContain('delivery_settled');
  for (const secret of [ANDROID_TOKEN, 'from-a-process', 'not used', 'it wins']) {
    expect(stdout).not.toContain(secret);
  }

  // The secret of the environment was used: with only this secret the database opens again.
  const again = startProgram({
    args: ['serve'],
    environment: { ...variables, ...environment },
    folder,
  });
  await again.line('listening');
  again.signal('SIGINT');
  expect((await again.ended).code).toBe(0);
});

test('starts with the unchanged environment of breez/notify, and says once what is ignored', async () => {
  const folder = temporaryFolder();
  const stand = await sandbox();
  const { NDS_PROVIDER_CA_FILE = '' } = sandboxEnvironment(stand, folder);
  const environment = {
    NOTIFY_HTTP_ADDRESS: '127.0.0.1:0',
    NOTIFY_EXTERNAL_URL: 'https://nds.example.com',
    NOTIFY_WORKERS_NUM: '10',
    NOTIFIER_ENV: 'production',
    GOOGLE_APPLICATION_CREDENTIALS: JSON.stringify(stand.fcm.serviceAccount),
    // So that no test asks Google.
    FCM_ENDPOINT: stand.fcm.url,
    NDS_PROVIDER_CA_FILE,
  };
  const program = startProgram({ args: ['serve'], environment, folder });
  await program.line('can_reach_provider');
  program.signal('SIGTERM');
  const { code, stdout, stderr } = await program.ended;
  expect([code, stderr]).toEqual([0, '']);
  const said = stdout.split('\n').map((line) => logLine.parse(JSON.parse(line)));
  const ignored = said.filter(({ event }) => event === 'variable_ignored');
  expect(ignored.map(({ level, detail }) => [level, detail])).toEqual([
    ['warn', expect.stringMatching(/^NOTIFY_WORKERS_NUM is ignored: .*NDS_MAX_IN_FLIGHT/)],
    ['warn', expect.stringMatching(/^NOTIFIER_ENV is ignored: config\.env is not read/)],
  ]);
});

test('a .env that an editor or a console damaged is reported by its own name', async () => {
  const cases = [
    ['\ufeffPORT=8080\n', /- \.env begins with a byte order mark/],
    [Buffer.from('PORT=8080\n', 'utf16le'), /- \.env is not UTF-8/],
  ] as const;
  for (const [content, fault] of cases) {
    const folder = temporaryFolder();
    writeFileSync(join(folder, '.env'), content);
    const { code, stderr } = await startProgram({ args: ['serve'], folder }).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(fault);
    expect(stderr).not.toMatch(/^ {4}at /m);
  }
});

test('says which provider it cannot reach, and why, but still serves', async () => {
  const folder = temporaryFolder();
  const stand = await sandbox();
  await stand.refuseConnections('apns', true);
  const environment = sandboxEnvironment(stand, folder);
  const program = startProgram({ args: ['serve'], environment, folder });
  const line = logLine.parse(JSON.parse(await program.line('"provider":"apns"')));
  expect(line).toMatchObject({ level: 'error', event: 'cannot_reach_provider', app: 'default' });
  expect(line.detail).toEqual(expect.any(String));
  await program.line('"provider":"fcm"');
  program.signal('SIGTERM');
  expect((await program.ended).code).toBe(0);
});

test('says nothing about providers that it could not reach before it was stopped', async () => {
  const folder = temporaryFolder();
  const stand = await sandbox();
  const silent = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => silent.close(() => resolve())));
  const address = silent.address();
  const port = typeof address === 'string' || address === null ? 0 : address.port;
  const environment = {
    ...sandboxEnvironment(stand, folder),
    APNS_ENDPOINT: `https://127.0.0.1:${port}`,
  };
  const program = startProgram({ args: ['serve'], environment, folder });
  await program.line('listening');
  program.signal('SIGTERM');
  const { code, stdout } = await program.ended;
  expect([code, stdout.includes('"stopping"')]).toEqual([0, true]);
  expect(stdout).not.toContain('reach_provider');
});

test('warns once if a secret that it made is in the folder of the database', async () => {
  const folder = temporaryFolder();
  const stand = await sandbox();
  const { NDS_SECRET: _, ...environment } = sandboxEnvironment(stand, folder);
  const program = startProgram({ args: ['serve'], environment, folder });
  const line = logLine.parse(JSON.parse(await program.line('secret_beside_database')));
  expect(line).toMatchObject({ level: 'warn', file: join(folder, 'nds.sqlite.secret') });
  await program.line('listening');
  program.signal('SIGTERM');
  expect((await program.ended).code).toBe(0);
});

test('lists its commands and its variables', async () => {
  const folder = temporaryFolder();
  const help = await startProgram({ args: ['--help'], folder }).ended;
  expect([help.code, help.stderr]).toEqual([0, '']);
  expect(help.stdout).toMatch(/^Usage: nds/);
  const config = await startProgram({ args: ['config', '--all'], folder }).ended;
  expect([config.code, config.stdout.includes('NDS_MAX_REPLY_WAITS')]).toEqual([0, true]);
  expect(config.stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  const unknown = await startProgram({ args: ['serv'], folder }).ended;
  expect([unknown.code, unknown.stdout]).toEqual([2, '']);
  expect(unknown.stderr).toContain("unknown command 'serv'\n(Did you mean serve?)");
});
