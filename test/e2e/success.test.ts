// The 200 of the webhook routes, byte by byte: lspd never reads the body of a success, so there is none.

import { expect, test } from 'vitest';
import { invoiceRequestBody, replyUrlOf, send } from '../support/callers.ts';
import { paymentBody, registerPhone } from '../support/device-calls.ts';
import { SECOND, setupDriven } from '../support/driven-service.ts';
import { createWallet } from '../support/lightning-wallet.ts';
import { RawSocket, rawPost } from '../support/raw-socket.ts';
import { handleOf, pathOf, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';
import {
  epayCall,
  hmacHex,
  lsps5Call,
  paymentApiCall,
  paymentflowCall,
  resmicCall,
  type SignedCall,
  sparkPaymentCall,
  sparkSspCall,
  standardCall,
} from '../support/signed-calls.ts';

const SECRET = 'secret-of-the-device';
const STANDARD = `whsec_${Buffer.from('a standard webhooks secret').toString('base64')}`;
const PATH = notifyPath(ANDROID_TOKEN);
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Names in lower case; throws if the status is not 200. */
function headersOf(head: string): Readonly<Record<string, string>> {
  const [line, ...lines] = head.trimEnd().split('\r\n');
  if (line !== 'HTTP/1.1 200 OK') throw new Error(head);
  return Object.fromEntries(
    lines.map((text) => {
      const colon = text.indexOf(':');
      return [text.slice(0, colon).toLowerCase(), text.slice(colon + 1).trim()];
    }),
  );
}

function expectEmpty(head: string, rest: string, status: string): void {
  const headers = headersOf(head);
  expect(headers).toMatchObject({ 'content-length': '0', 'delivery-status': status });
  expect(headers['cache-control']).toBe('no-store');
  expect(headers['delivery-id']).toMatch(UUID);
  expect(headers).not.toHaveProperty('transfer-encoding');
  expect(headers).not.toHaveProperty('content-type');
  expect(rest).toBe('');
}

function rawOf({ path, headers, body }: SignedCall): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return rawPost(path, body, lines);
}

async function callsOfAllRoutes(running: Setup): Promise<readonly (readonly [string, string])[]> {
  const wallet = createWallet(1);
  const user = wallet.publicKey;
  const secrets = Object.fromEntries(
    ['spark_ssp', 'resmic', 'paymentflow', 'payment_api'].map((source) => [source, [SECRET]]),
  );
  const device = await registerPhone(running, {
    user,
    secrets: { ...secrets, standard: [STANDARD] },
    lsp_node_ids: [user],
  });
  const at = (door: string) => ({ path: pathOf(device, door), secret: SECRET });
  const handle = handleOf(device, 'notify');
  const domain = '/api/v1/webhooks/spark_payment_received/pay.example.com';
  const lsp = { path: pathOf(device, 'lsps5'), secretKey: wallet.secretKey };
  return [
    ['a token, Android', rawPost(PATH, paymentBody('1'))],
    ['a token, iOS', rawPost(notifyPath(IOS_TOKEN), paymentBody('2'))],
    ['the short path', rawPost(PATH.replace('/api/v1', ''), paymentBody('3'))],
    ['a handle', rawPost(`/api/v1/notify/${handle}`, paymentBody('4'))],
    ['the short path of a handle', rawPost(`/n/${handle}`, paymentBody('5'))],
    ['lsps5', rawOf(lsps5Call(lsp, { atMs: Date.now() }))],
    ['resmic', rawOf(resmicCall(at('resmic')))],
    ['paymentflow', rawOf(paymentflowCall(at('paymentflow')))],
    ['payment_api', rawOf(paymentApiCall(at('payment_api')))],
    ['spark_ssp', rawOf(sparkSspCall(at('spark_ssp')))],
    ['epay', rawOf(epayCall({ path: pathOf(device, 'epay') }))],
    [
      'standard',
      rawOf(
        standardCall({ path: pathOf(device, 'standard'), secret: STANDARD }, { nowMs: Date.now() }),
      ),
    ],
    ['a domain', rawOf(sparkPaymentCall({ path: domain, secret: SECRET, user }))],
  ];
}

test('a success has no body on the wire at any webhook route', async () => {
  const domains = { 'pay.example.com': { secrets: [SECRET] } };
  const running = await setup({
    environment: { ...REGISTRY_ENVIRONMENT, NDS_SOURCES: JSON.stringify({ domains }) },
  });
  const raw = await RawSocket.open(running.service.url);
  for (const [name, bytes] of await callsOfAllRoutes(running)) {
    for (const status of ['delivered', 'duplicate']) {
      raw.write(bytes);
      const head = await raw.head();
      expect(head, name).toContain(`Delivery-Status: ${status}\r\n`.toLowerCase());
      expectEmpty(head, raw.received, status);
    }
  }
});

test('nor does the answer to a call that was ignored, acknowledged or queued', async () => {
  const domains = { 'pay.example.com': { secrets: [SECRET] } };
  const { running, clock } = await setupDriven({
    environment: { ...REGISTRY_ENVIRONMENT, NDS_SOURCES: JSON.stringify({ domains }) },
  });
  const device = await registerPhone(running, { secrets: { spark_ssp: [SECRET] } });
  const raw = await RawSocket.open(running.service.url);
  const ssp = sparkSspCall({ path: pathOf(device, 'spark_ssp'), secret: SECRET });
  const unknownType = ssp.body.replace('SPARK_LIGHTNING_SEND_FINISHED', 'SPARK_SOMETHING_NEW');
  raw.write(rawPost(ssp.path, unknownType, [`X-Spark-Signature: ${hmacHex(SECRET, unknownType)}`]));
  expectEmpty(await raw.head(), raw.received, 'ignored');

  const path = '/api/v1/webhooks/spark_payment_received/pay.example.com';
  raw.write(rawOf(sparkPaymentCall({ path, secret: SECRET, user: `02${'ab'.repeat(32)}` })));
  expectEmpty(await raw.head(), raw.received, 'acknowledged');

  running.sandbox.script({ provider: 'fcm', times: Infinity, fault: { kind: 'hang' } });
  raw.write(rawPost(PATH, paymentBody('slow')));
  await running.sandbox.waitForRequests(({ provider }) => provider === 'fcm', 1);
  // Its row was requested before, so after this it is on disk.
  await running.service.store.probe();
  for (let seconds = 0; seconds < 5; seconds += 1) {
    clock.advance(SECOND);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expectEmpty(await raw.head(), raw.received, 'queued');
});

test('a client that reads no body makes 1,000 calls over one connection', async () => {
  const running = await setup({ environment: { NDS_TOKEN_RATE: '2000/2000' } });
  const raw = await RawSocket.open(running.service.url);
  let opened = 0;
  for (let number = 0; number < 1_000; number += 1) {
    raw.write(rawPost(PATH, paymentBody(`payment-${number}`)));
    const head = await raw.head();
    // Go keeps a connection busy, with two goroutines, until the body of its answer was read.
    if (headersOf(head)['content-length'] !== '0' || raw.received !== '') opened += 1;
  }
  expect(opened).toBe(0);
  expect(running.sandbox.received()).toHaveLength(1_000);
});

test('only a caller whose Accept names JSON gets it', async () => {
  const running = await setup();
  const answerTo = async (accept: string) => {
    const headers = { accept };
    const body = paymentBody('one payment');
    return await send(running.service.url, { path: PATH, headers, body });
  };
  const named = ['application/json', 'text/html, Application/JSON;q=0.5', '*/*,application/json'];
  for (const accept of named) {
    const answer = await answerTo(accept);
    expect(answer.headers['content-type'], accept).toBe('application/json');
    expect(JSON.parse(answer.text), accept).toEqual({
      id: answer.headers['delivery-id'],
      status: answer.headers['delivery-status'],
    });
  }
  const others = ['', '*/*', 'application/*', 'text/plain', 'application/problem+json'];
  for (const accept of [...others, 'application/json;q=0', 'application/jsonx']) {
    const answer = await answerTo(accept);
    expect([answer.status, answer.text, answer.headers['content-length']], accept).toEqual([
      200,
      '',
      '0',
    ]);
    expect(answer.headers, accept).not.toHaveProperty('content-type');
  }
});

test('a device’s own bytes are passed on, whatever the caller accepts', async () => {
  const running = await setup();
  for (const [index, accept] of ['text/html', '*/*', ''].entries()) {
    const body = invoiceRequestBody(`request ${index}`);
    const asked = send(running.service.url, { path: PATH, headers: { accept }, body });
    const [push] = (await running.sandbox.waitFor(() => true, index + 1)).slice(-1);
    const reply = await RawSocket.open(running.service.url);
    reply.write(rawPost(replyUrlOf(push).pathname, '{"invoice":"lni1"}'));
    expect(headersOf(await reply.head())).toMatchObject({ 'content-length': '0' });
    const answer = await asked;
    expect([answer.status, answer.text]).toEqual([200, '{"invoice":"lni1"}']);
    expect(answer.headers).not.toHaveProperty('delivery-id');
  }
});
