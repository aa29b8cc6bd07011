// docs/devices.md: its examples run as they are written, and its signed registration is believed.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { send } from '../support/callers.ts';
import { DEVICES, deviceOf } from '../support/device-calls.ts';
import { messageToSign } from '../support/lightning-wallet.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { APP_KEY } from '../support/registry.ts';
import { EXTERNAL_URL, setup } from '../support/service.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/devices.md'), 'utf8');
const BACKEND_KEY = 'demo-backend-key';

function blocksOf(language: string): readonly string[] {
  const fence = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)\n\`\`\`$`, 'gm');
  return [...PAGE.matchAll(fence)].map((match) => match[1] ?? '');
}

test('the signed example of docs/devices.md registers the wallet that signed it', async () => {
  const body = blocksOf('json').find((block) => block.startsWith('{"platform"')) ?? '';
  const message = blocksOf('text').find((block) => block.includes(EXTERNAL_URL)) ?? '';
  const headers: Record<string, string> = {};
  for (const line of (blocksOf('http')[0] ?? '').split('\n')) {
    const [name = '', value = ''] = line.split(': ');
    headers[name] = value;
  }
  const seconds = Number(headers['x-nds-time']);
  expect(messageToSign(EXTERNAL_URL, seconds, body)).toBe(message);
  const running = await setup({
    clock: new ManualClock(seconds * 1_000),
    environment: { NDS_SELF_REGISTRATION: 'on', NDS_BACKEND_KEYS: BACKEND_KEY },
  });
  const answer = await send(running.service.url, { path: DEVICES, headers, body });
  expect(deviceOf(answer).user).toBe(JSON.parse(body).user);
});

const tools = ['bash', 'curl', 'openssl', 'sed'];
const hasTools = tools.every((tool) => spawnSync(tool, ['--version']).error === undefined);

/** Without the tools that the page names, nobody can run its examples. */
test.skipIf(!hasTools)('the examples of docs/devices.md run as they are written', async () => {
  const running = await setup({
    environment: {
      NDS_SELF_REGISTRATION: 'on',
      NDS_BACKEND_KEYS: BACKEND_KEY,
      NDS_APP_KEYS: `default=${APP_KEY}`,
    },
  });
  const script = [...blocksOf('bash'), ...blocksOf('sh').slice(0, 1)]
    .join('\necho\n')
    .replace('http://localhost:8080', running.service.url);
  const printed = await run(script, { APP_KEY, ORIGIN: EXTERNAL_URL });
  const answers = printed
    .split(/(?<=\})(?=\{"(?:id|devices)")|\n/)
    .filter((part) => part !== '')
    .map((part) => JSON.parse(part));
  expect(printed).not.toContain('urn:nds:error');
  expect(answers.map(({ registered_by, status }) => registered_by ?? status)).toEqual([
    'backend',
    'delivered',
    'self',
    undefined,
    'backend',
    'backend',
    'backend',
    'revoked',
    'backend',
    'deleted',
    'app',
  ]);
  const [push] = running.sandbox.received();
  expect(push?.data.notification_payload).toBe('{"payment_hash":"5678"}');
});

/** Runs a script as a reader would, in this repository, with this Node. */
async function run(script: string, environment: Record<string, string>): Promise<string> {
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    cwd: ROOT,
    env: { PATH: path, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const printed = await text(child.stdout);
  expect(await ended).toEqual([0, null]);
  return printed;
}
