// `nds find`: was it sent? The real command beside a running service, on the same database.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  ANDROID_TOKEN,
  IOS_TOKEN,
  type Setup,
  setup,
  temporaryFolder,
} from '../support/service.ts';

const run = promisify(execFile);
const NDS = resolve(import.meta.dirname, '../../bin/nds.js');
const PAYMENT_HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';

async function find(running: Setup, known: string): Promise<string> {
  const { stdout } = await run(process.execPath, [NDS, 'find', known], {
    env: running.environment,
  });
  return stdout;
}

test('a delivery is found by id, payment hash and token while the service runs', async () => {
  const running = await setup();
  const response = await running.notify(ANDROID_TOKEN, PAYMENT_HASH);
  const { id } = z.object({ id: z.string() }).parse(await response.json());
  for (const known of [id, PAYMENT_HASH, ANDROID_TOKEN]) {
    const output = await find(running, known);
    expect(output).toContain(id);
    expect(output).toContain('payment_received');
    expect(output).not.toContain(PAYMENT_HASH);
    expect(output).not.toContain(ANDROID_TOKEN);
  }
});

test('shows what happened and when, in lines that fit a terminal', async () => {
  const running = await setup();
  const response = await running.notify(ANDROID_TOKEN, PAYMENT_HASH);
  const { id } = z.object({ id: z.string() }).parse(await response.json());
  await running.service.settled();
  const lines = (await find(running, id)).split('\n');
  expect(lines).toEqual([
    `${id}  payment_received  default/fcm`,
    expect.stringMatching(/^ {2}\d{4}-\d\d-\d\dT[\d:.]{12}Z {2}received$/),
    expect.stringMatching(/^ +\+\d+\.\d{3} s {2}attempt 1: delivered after \d+ ms$/),
    expect.stringMatching(/^ +\+\d+\.\d{3} s {2}delivered$/),
    '',
  ]);
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test('an APNs token is found in any spelling of its hex digits', async () => {
  const running = await setup();
  expect((await running.notify(IOS_TOKEN, PAYMENT_HASH)).status).toBe(200);
  for (const known of [IOS_TOKEN, IOS_TOKEN.toUpperCase()]) {
    expect(await find(running, known)).toContain('payment_received');
  }
});

test('what nobody sent is not found, and the exit code says so', async () => {
  const running = await setup();
  await expect(find(running, 'no such hash')).rejects.toMatchObject({
    code: 1,
    stdout: 'Nothing found.\n',
  });
});

test('does not create a missing database', async () => {
  const database = join(temporaryFolder(), 'nds.sqlite');
  const env = { NDS_DATABASE: database };
  await expect(run(process.execPath, [NDS, 'find'], { env })).rejects.toMatchObject({ code: 1 });
  expect([database, `${database}.secret`].filter(existsSync)).toEqual([]);
});
