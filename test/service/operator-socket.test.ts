// The socket beside the database: who may use it, what happens to one that was left, and what happens without it.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import {
  faultOfSocketPath,
  knock,
  openOperatorSocket,
  operatorSocketOf,
} from '../../src/service/sockets/operator-socket.ts';
import { makeSharedPath } from '../../src/service/sockets/shared-sockets.ts';
import { createSystemClock, createSystemIds } from '../../src/service/system.ts';
import { ANDROID_TOKEN, setup, temporaryFolder } from '../support/service.ts';

const PAYMENT_HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';

function get(socketPath: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

/** What the log says about a socket that could not be made. */
function complaintsOf({ log }: Awaited<ReturnType<typeof setup>>) {
  return log.lines.filter(({ message }) => message === 'no_operator_socket');
}

test('the service listens beside the database, for its own user alone, until it stops', async () => {
  const running = await setup();
  const path = operatorSocketOf(join(running.folder, 'nds.sqlite'));
  expect(path.endsWith('/nds.sqlite.sock')).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await get(path, '/healthz')).toBe(200);
  expect(complaintsOf(running)).toEqual([]);
  await running.service.stop();
  expect(existsSync(path)).toBe(false);
});

test('a caller at the socket needs no key, and a caller at the port gains nothing from it', async () => {
  const running = await setup();
  const path = operatorSocketOf(join(running.folder, 'nds.sqlite'));
  for (const route of ['/api/v1/apps', '/api/v1/devices', '/api/v1/quarantine']) {
    expect([route, await get(path, route)]).toEqual([route, 200]);
    const { status } = await fetch(`${running.service.url}${route}`);
    expect([401, 404], route).toContain(status);
  }
});

test('no file of the service is made under the mask of the socket', async () => {
  const before = process.umask();
  await setup();
  expect(process.umask()).toBe(before);
});

test('a socket that a killed process left is replaced', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'nds.sqlite.sock');
  // A server that was not closed: its socket stays, and nothing answers there.
  const { promise: left, resolve } = Promise.withResolvers<void>();
  const { spawn } = await import('node:child_process');
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawn(process.execPath, ['-e', script]).on('close', () => resolve());
  await left;
  expect([existsSync(path), await knock(path)]).toEqual([true, undefined]);
  const running = await setup({ environment: { NDS_DATABASE: join(folder, 'nds.sqlite') } });
  expect(await get(path, '/healthz')).toBe(200);
  expect(complaintsOf(running)).toEqual([]);
});

test('a socket at which another program listens is left alone, and the service starts', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'nds.sqlite.sock');
  const other = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => other.listen(path, resolve));
  onTestFinished(() => new Promise<void>((resolve) => other.close(() => resolve())));
  const running = await setup({ environment: { NDS_DATABASE: join(folder, 'nds.sqlite') } });
  expect(complaintsOf(running)).toMatchObject([
    { level: 'warn', fields: { detail: `another process listens at ${path}` } },
  ]);
  expect((await running.notify(ANDROID_TOKEN, PAYMENT_HASH)).status).toBe(200);
  await running.service.stop();
  expect(await knock(path)).toBe('answered');
});

test('a file at its path is left alone', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'nds.sqlite.sock');
  writeFileSync(path, 'notes');
  const running = await setup({ environment: { NDS_DATABASE: join(folder, 'nds.sqlite') } });
  expect(complaintsOf(running)).toHaveLength(1);
  await running.service.stop();
  expect(readFileSync(path, 'utf8')).toBe('notes');
});

test('a path that is too long for a socket is reported in a sentence, and the service starts', async () => {
  const folder = join(temporaryFolder(), 'x'.repeat(100));
  mkdirSync(folder);
  const running = await setup({ environment: { NDS_DATABASE: join(folder, 'nds.sqlite') } });
  expect(complaintsOf(running)).toMatchObject([
    { fields: { detail: expect.stringMatching(/bytes, and a Unix socket may have 10[37]/) } },
  ]);
  expect((await running.notify(ANDROID_TOKEN, PAYMENT_HASH)).status).toBe(200);
  expect(faultOfSocketPath(`/${'x'.repeat(102)}`)).toBeUndefined();
  expect(faultOfSocketPath(`/${'ä'.repeat(60)}`)).toBeDefined();
});

test('without a place for a socket the service logs why, and continues', async () => {
  const told: string[] = [];
  const clock = createSystemClock();
  const open = (choosePath: () => string | Promise<string>) =>
    openOperatorSocket(new Hono(), {
      choosePath,
      clock,
      ids: createSystemIds(clock, randomBytes(32)),
      onUnusable: (detail) => told.push(detail),
    });
  const missing = join(temporaryFolder(), 'missing');
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  expect(await open(() => makeSharedPath('postgres://db/nds', 'x', file))).toBeUndefined();
  expect(await open(() => operatorSocketOf(missing))).toBeUndefined();
  expect(await open(() => join(missing, 'sock'))).toBeUndefined();
  expect(told).toEqual([
    expect.stringContaining(`${file} is not a folder owned by this user with mode 0700`),
    'the socket cannot be made (ENOENT)',
    expect.stringMatching(/sock cannot be made \((EACCES|ENOENT)\)$/),
  ]);
});
