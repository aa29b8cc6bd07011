// `npm run sandbox` as a process: what it prints, what it writes, how it ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { loadIdentity } from '../../sandbox/identity-store.ts';

const MAIN = join(import.meta.dirname, '../../sandbox/main.ts');
const READY = '# control route';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function setup() {
  const directory = await mkdtemp(join(tmpdir(), 'nds-sandbox-'));
  cleanups.push(() => rm(directory, { recursive: true }));
  const ports = ['--apns-port', '0', '--fcm-port', '0', '--control-port', '0'];
  const start = async () => {
    const child = spawn(process.execPath, [MAIN, '--dir', directory, ...ports]);
    cleanups.unshift(() => {
      child.kill('SIGKILL');
    });
    const environment: Record<string, string> = {};
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith(READY)) break;
      const [name, value] = line.split('=', 2);
      if (name !== undefined && value !== undefined) environment[name] = value;
    }
    return { child, environment };
  };
  return { directory, start };
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill(signal);
  });
}

test('prints the environment of a service and writes the files that it names', async () => {
  const { directory, start } = await setup();
  const { child, environment } = await start();
  expect(environment).toEqual({
    APNS_KEY_FILE: join(directory, `AuthKey_${environment.APNS_KEY_ID}.p8`),
    APNS_KEY_ID: expect.stringMatching(/^[A-Z0-9]{10}$/),
    APNS_TEAM_ID: expect.stringMatching(/^[A-Z0-9]{10}$/),
    APNS_TOPIC: 'com.example.wallet',
    APNS_ENVIRONMENT: 'sandbox',
    APNS_ENDPOINT: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
    GOOGLE_APPLICATION_CREDENTIALS: join(directory, 'service-account.json'),
    FCM_ENDPOINT: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
    NDS_PROVIDER_CA_FILE: join(directory, 'ca.pem'),
  });
  const account = JSON.parse(await readFile(join(directory, 'service-account.json'), 'utf8'));
  expect(account).toMatchObject({
    type: 'service_account',
    token_uri: `${environment.FCM_ENDPOINT}/token`,
  });
  for (const name of ['ca.pem', 'service-account.json', `AuthKey_${environment.APNS_KEY_ID}.p8`]) {
    expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
  }
  expect(await end(child, 'SIGTERM')).toBe(0);
});

test('refuses an identity whose certificate lacks a name, and says what to do', async () => {
  const { directory, start } = await setup();
  const { child } = await start();
  await end(child, 'SIGTERM');
  const file = join(directory, 'identity.json');
  const identity = JSON.parse(await readFile(file, 'utf8'));
  // The authority's own certificate names no server.
  await writeFile(file, JSON.stringify({ ...identity, certificate: identity.ca }));
  await expect(loadIdentity(directory)).rejects.toThrow(/remove it to get a new one/);
});

test('keeps its identity from one start to the next', async () => {
  const { directory, start } = await setup();
  const first = await start();
  const before = await readFile(join(directory, 'ca.pem'), 'utf8');
  expect(await end(first.child, 'SIGINT')).toBe(0);
  await start();
  expect(await readFile(join(directory, 'ca.pem'), 'utf8')).toBe(before);
});
