// `nds trigger`: the service takes every caller's call and refuses changes of it, so the signatures are real.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { CALLERS } from '../../src/cli/trigger/callers.ts';
import { askService, expectReadable } from '../support/command.ts';
import { ANDROID_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';

const BACKEND_KEY = 'backend key for tests only'.replaceAll(' ', '-');
const SECRET = 'a secret that signs';
const STANDARD_SECRET = `whsec_${Buffer.from('a key of 24 or more bytes').toString('base64')}`;
const NODE_KEY = '07'.repeat(32);
const NODE_ID = '02989c0b76cb563971fdc9bef31ec06c3560f3249d6ee9e5d83c57625596e05f6f';
const DOMAIN = 'pay.example.com';
const USER = `02${'ab'.repeat(32)}`;

const SOURCES = {
  domains: { [DOMAIN]: { secrets: [SECRET] } },
  secrets: { default: { resmic: [SECRET], acme: [SECRET] } },
  generic: [
    {
      name: 'acme',
      signature: {
        header: 'X-Acme-Signature',
        separator: ',',
        prefix: 'v1=',
        signs: '{timestamp}.{body}',
      },
      timestamp: { header: 'X-Acme-Signature', separator: ',', prefix: 't=' },
      type: { pointer: '/event/type', names: { 'invoice.paid': 'payment_succeeded' } },
      id: '/event/id',
    },
  ],
};

const registered = z.looseObject({ urls: z.record(z.string(), z.string()) });

/** The paths of a registered device's doors, by door. */
async function doors(running: Setup): Promise<Readonly<Record<string, string>>> {
  const secrets = Object.fromEntries(
    ['spark_ssp', 'resmic', 'paymentflow', 'payment_api', 'epay', 'acme'].map((door) => [
      door,
      [SECRET],
    ]),
  );
  const response = await running.post(
    '/api/v1/devices',
    JSON.stringify({
      platform: 'android',
      token: ANDROID_TOKEN,
      user: USER,
      lsp_node_ids: [NODE_ID],
      secrets: { ...secrets, standard: [STANDARD_SECRET] },
    }),
    { headers: { authorization: `Bearer ${BACKEND_KEY}` } },
  );
  const { urls } = registered.parse(await response.json());
  return Object.fromEntries(
    Object.entries(urls).map(([door, url]) => [door, new URL(url).pathname]),
  );
}

const DOOR_OF: Readonly<Record<string, string>> = { spark: 'spark_ssp', svix: 'standard' };

async function start() {
  const running = await setup({
    environment: { NDS_BACKEND_KEYS: BACKEND_KEY, NDS_SOURCES: JSON.stringify(SOURCES) },
  });
  const paths = await doors(running);
  const urlFor = (caller: string) => {
    const { url } = running.service;
    if (caller === 'spark_payment_received') return `${url}/api/v1/webhooks/${caller}/${DOMAIN}`;
    return `${url}${paths[DOOR_OF[caller] ?? caller] ?? paths.notify}`;
  };
  return { running, urlFor };
}

function secretOf(caller: string): string {
  if (caller === 'standard' || caller === 'svix') return STANDARD_SECRET;
  return caller === 'lsps5' ? NODE_KEY : SECRET;
}

test('every caller of docs/sources is accepted at its door, with every type that it has', async () => {
  const { running, urlFor } = await start();
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  onTestFinished(() => write.mockRestore());
  const { trigger } = await import('../../src/cli/trigger/trigger.ts');
  const { createSystemClock } = await import('../../src/service/system.ts');
  const file = join(running.folder, 'secret');
  const context = { environment: running.environment, clock: createSystemClock() };
  const cases = [...Object.entries(CALLERS), ['acme', { types: ['invoice.paid'] }] as const];
  const codes: string[] = [];
  for (const [caller, { types }] of cases) {
    for (const type of types) {
      // The call would wait for a reply that no phone gives.
      if (type === 'invoice_request') continue;
      writeFileSync(file, secretOf(caller));
      const options = { url: urlFor(caller), type, secretFile: file, app: 'default', user: USER };
      codes.push(`${caller} ${type}: ${await trigger(caller, options, context)}`);
    }
  }
  expect(codes.filter((code) => !code.endsWith(': 0'))).toEqual([]);
  await running.service.settled();
  const rows = await running.service.store.findDeliveries({ limit: 100 });
  expect(rows.length).toBe(codes.length);
});

test('prints the answer and how to find the push, without the URL', async () => {
  const { running, urlFor } = await start();
  const { environment } = running;
  const done = await askService(['trigger', 'lspd', '--url', '-'], {
    environment,
    input: `${urlFor('lspd')}\n`,
  });
  expect([done.code, done.stderr]).toEqual([0, '']);
  expectReadable(done);
  const { host } = new URL(running.service.url);
  const [called, told, taken, found] = done.stdout.split('\n');
  expect(called).toBe(`lspd → http://${host}`);
  expect(told).toMatch(/^200 delivered after \d+ ms$/);
  expect(taken).toBe('lspd takes this for a success.');
  expect(found).toMatch(/^nds find [0-9a-f]{64}$/);
  expect(done.stdout).not.toContain(new URL(urlFor('lspd')).pathname);
});

test('uses the secret of NDS_SOURCES, and prints the answer to a wrong one', async () => {
  const { running, urlFor } = await start();
  const { environment, folder } = running;
  const args = ['trigger', 'resmic', '--url', urlFor('resmic')];
  expect((await askService(args, { environment })).code).toBe(0);
  writeFileSync(join(folder, 'wrong'), 'another secret');
  const wrong = await askService([...args, '--secret-file', join(folder, 'wrong')], {
    environment,
  });
  expectReadable(wrong);
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toMatch(/^401 bad_signature after \d+ ms$/m);
  expect(wrong.stdout).toContain('resmic takes this for a failure.');
  // What it names is found, once it is written.
  const [, known = ''] = /^nds find (\S+)$/m.exec(wrong.stdout) ?? [];
  await running.service.stop();
  const found = await askService(['find', known], { environment });
  expect([found.code, found.stdout]).toEqual([0, expect.stringContaining('401 bad_signature')]);
});

test('the same event again is a duplicate', async () => {
  const running = await setup();
  const url = `${running.service.url}${notifyPath(ANDROID_TOKEN)}`;
  const args = ['trigger', 'lspd', '--url', url, '--id', 'ab'.repeat(32), '--json'];
  const told: unknown[] = [];
  for (let round = 0; round < 2; round += 1) {
    const { stdout } = await askService(args, { environment: running.environment });
    told.push(z.looseObject({ delivery_status: z.string() }).parse(JSON.parse(stdout)));
  }
  expect(told).toMatchObject([
    { delivery_status: 'delivered', subject: 'ab'.repeat(32), succeeded: true },
    { delivery_status: 'duplicate' },
  ]);
});

test('anything missing is reported in one sentence', async () => {
  const url = ['--url', 'http://127.0.0.1:1/n/AAAAAAAAAAAAAAAAAAAAAA'];
  for (const [expected, args, words] of [
    [2, ['nobody', ...url], 'no caller has this name'],
    [2, ['lspd', '--url', 'nds.example.com'], '--url must be'],
    [2, ['lspd', ...url, '--type', 'lnurlpay_info'], '--type must be one of payment_received'],
    [2, ['lspd', ...url, '--id', 'aa'], '--id must be'],
    [2, ['paymentflow', ...url], '--secret-file'],
    [2, ['lsps5', '--url', '-', '--secret-file', '-'], 'only one of URL and secret'],
    [1, ['lsps5', ...url, '--secret-file', '/nowhere'], 'cannot be read (ENOENT)'],
    [1, ['lspd', ...url], 'ECONNREFUSED 127.0.0.1:1): check the URL, and whether a service runs'],
  ] as const) {
    const { code, stdout, stderr } = await askService(['trigger', ...args], {});
    expect([code, stdout], stderr).toEqual([expected, '']);
    expect(stderr).toContain(words);
    expect(stderr).not.toContain('AAAAAAAAAAAAAAAAAAAAAA');
    expect(stderr).not.toMatch(/^ {4}at /m);
  }
});
