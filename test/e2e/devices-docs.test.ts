// docs/devices.md: its examples run as they are written, and its signed registration is accepted.

import { expect, test } from 'vitest';
import { send } from '../support/callers.ts';
import { DEVICES, deviceOf } from '../support/device-calls.ts';
import { messageToSign } from '../support/lightning-wallet.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { APP_KEY } from '../support/registry.ts';
import { EXTERNAL_URL, setup } from '../support/service.ts';
import { blocksOf, hasTools, runScript } from '../support/shell-examples.ts';

const PAGE = 'docs/devices.md';
const BACKEND_KEY = 'demo_backend-key';

test('the signed example of docs/devices.md registers the wallet that signed it', async () => {
  const body = blockWith('json', '{"platform"');
  const message = blockWith('text', EXTERNAL_URL);
  const headers: Record<string, string> = {};
  for (const line of blockWith('http', 'x-nds-time').split('\n')) {
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

/** Skipped without the tools that the page names. */
test.skipIf(!hasTools('bash', 'curl', 'openssl', 'sed'))(
  'the examples of docs/devices.md run as they are written',
  async () => {
    const running = await setup({
      environment: {
        NDS_SELF_REGISTRATION: 'on',
        NDS_BACKEND_KEYS: BACKEND_KEY,
        NDS_APP_KEYS: `default=${APP_KEY}`,
      },
    });
    const script = [...blocksOf(PAGE, 'bash'), ...blocksOf(PAGE, 'sh').slice(0, 1)]
      .join('\necho\n')
      .replace('http://localhost:8080', running.service.url);
    const printed = await runScript(script, { APP_KEY, ORIGIN: EXTERNAL_URL });
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
  },
);

function blockWith(language: string, text: string): string {
  const block = blocksOf(PAGE, language).find((candidate) => candidate.includes(text));
  return (block ?? '').trimEnd();
}
