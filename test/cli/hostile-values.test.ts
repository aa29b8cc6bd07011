// How commands cope with scripts, users' names and full disks: an empty argument, control characters of the terminal,
// an output that cannot be written.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { askService, expectReadable } from '../support/command.ts';
import { androidToken } from '../support/driven-service.ts';
import { ANDROID_TOKEN, setup } from '../support/service.ts';

const BINARY = resolve(import.meta.dirname, '../../bin/nds.js');
const HOSTILE = '\u001b[2Ja\nb\u202e\u0085\u0007';
const TERMINAL_OBEYS = /(?!\n)[\p{Cc}\p{Bidi_Control}]/u;

function registration(user: string): string {
  return JSON.stringify({ platform: 'android', token: ANDROID_TOKEN, user });
}

test('the name of a user cannot control the terminal, nor begin a line', async () => {
  const { environment } = await setup();
  const input = `${registration(HOSTILE)}\n`;
  const { stdout } = await askService(['devices', 'import', '-'], { environment, input });
  const { id }: { id: string } = JSON.parse(stdout);
  const printed = [
    await askService(['devices', 'list'], { environment }),
    await askService(['devices', 'show', id], { environment }),
    await askService(['find', id], { environment }),
  ];
  for (const end of printed) {
    expect(end.stdout).toContain('\\u001b');
    expect(end.stdout).not.toMatch(TERMINAL_OBEYS);
    expectReadable(end);
  }
  const json = await askService(['devices', 'show', id, '--json'], { environment });
  expect(json.stdout).not.toMatch(TERMINAL_OBEYS);
  expect(JSON.parse(json.stdout)).toMatchObject({ user: HOSTILE });
});

test('nor can the description of an endpoint, or a name that is too long for its line', async () => {
  const { environment } = await setup({ environment: { NDS_ENDPOINT_NETWORKS: '127.0.0.0/8' } });
  const url = `http://127.0.0.1:9000/${'x'.repeat(200)}`;
  const args = ['endpoints', 'add', url, '--description', HOSTILE];
  const added = await askService(args, { environment });
  const [id = ''] = /ep_[0-9a-f-]{36}/.exec(added.stdout) ?? [];
  const shown = await askService(['endpoints', 'show', id], { environment });
  for (const end of [added, shown]) {
    expect(end.stdout).toMatch(/^description {4}\\u001b\[2Ja\\u000ab\\u202e\\u0085\\u0007$/m);
    expect(end.stdout).not.toMatch(TERMINAL_OBEYS);
  }
  expectReadable(await askService(['endpoints', 'list'], { environment }));
});

test('an empty argument and an empty input are refused before the service is asked', async () => {
  const { environment } = await setup();
  const commands = ['find', 'forget', 'token show', 'token release', 'send'];
  const ids = ['retry', 'devices show', 'devices revoke'];
  for (const command of [...commands, ...ids]) {
    const end = await askService([...command.split(' '), ' '], { environment });
    const name = command.split(' ')[0];
    expect(end).toEqual({ code: 2, stdout: '', stderr: `nds ${name}: the argument is empty\n` });
  }
  for (const command of commands) {
    const end = await askService([...command.split(' '), '-'], { environment });
    expect([end.code, end.stdout]).toEqual([2, '']);
    expect(end.stderr).toContain('there is nothing on standard input');
  }
});

test('an output that cannot be written is reported without a stack', () => {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, [BINARY, 'config'], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  expect([status, stderr]).toEqual([1, 'nds: the output cannot be written: the disk is full\n']);
});

/** Starts a command whose output nobody reads. */
function startUnread(args: readonly string[], environment: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [BINARY, ...args], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return once(child, 'close').then(([code]: unknown[]) => ({ code, stderr }));
}

test('an import continues to its end without a reader', async () => {
  const { environment, folder } = await setup();
  const file = join(folder, 'devices.ndjson');
  const lines = Array.from({ length: 1_200 }, (_, index) =>
    JSON.stringify({ platform: 'android', token: androidToken(index) }),
  );
  writeFileSync(file, lines.join('\n'));
  expect(await startUnread(['devices', 'import', file], environment)).toEqual({
    code: 0,
    stderr: '1200 added, 0 known before, 0 refused.\n',
  });
});

test('tail ends when its reader has gone', async () => {
  const { environment, notify } = await setup();
  let end: unknown;
  const ended = startUnread(['tail'], environment).then((told) => {
    end = told;
  });
  for (let number = 0; end === undefined; number += 1) {
    await Promise.race([ended, notify(androidToken(number), 'ab'.repeat(32))]);
  }
  expect(end).toEqual({ code: 0, stderr: '' });
});

test('a line that is too long for a call is refused, and the import continues', async () => {
  const { environment, folder } = await setup();
  const file = join(folder, 'devices.ndjson');
  writeFileSync(file, `${registration('a')}\n${'x'.repeat(2_000_000)}\n${registration('b')}\n`);
  const end = await askService(['devices', 'import', file], { environment });
  expect([end.code, end.stderr]).toEqual([1, '2 added, 0 known before, 1 refused.\n']);
  expect(end.stdout.split('\n')[1]).toBe(
    '{"line":2,"status":"refused","code":"bad_body","errors":[{"field":"body","message":"is too long"}]}',
  );
});
