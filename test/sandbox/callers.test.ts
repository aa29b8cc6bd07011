// The callers behave as the real ones do, seen by a server whose answers each test chooses.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { createBoltz } from '../../sandbox/callers/boltz.ts';
import { openBreezLnurl } from '../../sandbox/callers/breez-lnurl.ts';
import { createLdk } from '../../sandbox/callers/ldk.ts';
import { createLspd } from '../../sandbox/callers/lspd.ts';
import { createSvix } from '../../sandbox/callers/svix.ts';
import { createLsps5, LSPS5_DEFAULTS } from '../../src/sources/lsps5.ts';
import { standardWebhooks } from '../../src/sources/standard-webhooks.ts';
import { call, codeOf, credentials } from '../sources/calls.ts';

interface Seen {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function serve(answer: (response: ServerResponse, seen: Seen) => void) {
  const requests: Seen[] = [];
  let connections = 0;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const seen = { headers: request.headers, body };
    requests.push(seen);
    answer(response, seen);
  });
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}/n/handle`,
    requests,
    get connections() {
      return connections;
    },
  };
}

const empty = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-length': 0, 'delivery-status': 'delivered' }).end();
};
const wordy = (response: ServerResponse): void => {
  response.end('{"status":"delivered"}');
};
const chunked = (response: ServerResponse): void => {
  response.writeHead(200, { 'transfer-encoding': 'chunked' }).end();
};

test.each([
  ['an empty body', 0, 1, empty],
  ['any body', 20, 20, wordy],
  ['an empty chunked body', 20, 20, chunked],
])(
  'lspd, answered 20 times with %s, holds %i connections',
  async (_what, held, connections, answer) => {
    const server = await serve(answer);
    const lspd = createLspd();
    onTestFinished(() => lspd.close());
    for (let payment = 0; payment < 20; payment += 1) {
      expect((await lspd.paymentReceived(server.url, `${payment}`)).status).toBe(200);
    }
    expect([lspd.held, server.connections]).toEqual([held, connections]);
  },
);

test('lspd sends no Accept, reads the header with the outcome and 1,000 bytes of a problem', async () => {
  const server = await serve((response, { body }) => {
    if (body.includes('good')) empty(response);
    else response.writeHead(503, { 'content-length': 1_200 }).end('x'.repeat(1_200));
  });
  const lspd = createLspd();
  onTestFinished(() => lspd.close());
  expect(await lspd.paymentReceived(server.url, 'good')).toMatchObject({
    deliveryStatus: 'delivered',
    body: '',
  });
  const refused = await lspd.paymentReceived(server.url, 'bad');
  expect([refused.status, refused.body.length, lspd.held]).toEqual([503, 1_000, 1]);
  expect(server.requests[0]).toMatchObject({
    headers: { 'user-agent': 'Go-http-client/1.1', 'content-type': 'application/json' },
    body: '{"template":"payment_received","data":{"payment_hash":"good"}}\n',
  });
  expect(server.requests[0]?.headers.accept).toBeUndefined();
});

test('lspd opens a connection for each of its payments at once and keeps two', async () => {
  const server = await serve(empty);
  const lspd = createLspd();
  onTestFinished(() => lspd.close());
  const pay = () =>
    Promise.all(['a', 'b', 'c', 'd'].map((hash) => lspd.paymentReceived(server.url, hash)));
  await pay();
  await pay();
  expect(server.connections).toBe(6);
});

test('a payment of lspd fails when its connection breaks', async () => {
  const server = await serve((response) => response.destroy());
  const lspd = createLspd();
  await expect(lspd.paymentReceived(server.url, 'a')).rejects.toThrow('broke before the answer');
});

test('breez-lnurl waits for the phone after a 200 and gives up after anything else', async () => {
  const server = await serve((response, { body }) => {
    const { reply_url: replyUrl } = JSON.parse(body).data;
    if (!replyUrl.endsWith('/1')) return void response.writeHead(202).end();
    empty(response);
    void fetch(replyUrl, { method: 'POST', body: '{"tag":"payRequest"}' });
  });
  const lnurl = await openBreezLnurl();
  onTestFinished(() => lnurl.close());
  expect((await lnurl.payInfo(server.url)).reply).toBe('{"tag":"payRequest"}');
  const second = await lnurl.payInfo(server.url);
  expect([second.notified.status, second.reply]).toEqual([202, undefined]);
});

test('breez-lnurl has no reply for its payer when the phone does not answer in time', async () => {
  const server = await serve(empty);
  const lnurl = await openBreezLnurl({ replyTimeoutMs: 20 });
  onTestFinished(() => lnurl.close());
  expect(await lnurl.payInfo(server.url)).toMatchObject({ reply: undefined });
});

test('Boltz asks three times for an invoice and takes the bytes of any 2xx', async () => {
  let calls = 0;
  const server = await serve((response) => {
    calls += 1;
    if (calls % 3 === 0) response.end('{"invoice":"lni1"}');
    else response.writeHead(504).end();
  });
  const boltz = createBoltz({ tickMs: 1 });
  onTestFinished(() => boltz.close());
  const request = { offer: 'lno1', invoiceRequest: '00' };
  expect(await boltz.invoiceRequest(server.url, request)).toBe('{"invoice":"lni1"}');
  const never = await serve((response) => response.writeHead(504).end());
  expect(await boltz.invoiceRequest(never.url, request)).toBeUndefined();
  expect(never.requests).toHaveLength(3);
  const swap = { id: 'swap', status: 'transaction.mempool' };
  expect((await boltz.swapUpdate(server.url, swap)).status).toBe(504);
});

test('LDK signs what the service verifies, with a time of nine digits', async () => {
  const server = await serve(empty);
  const ldk = createLdk(Buffer.alloc(32, 0x42));
  onTestFinished(() => ldk.close());
  const times = [await ldk.paymentIncoming(server.url), await ldk.paymentIncoming(server.url)];
  for (const { timestamp } of times) {
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\+00:00$/);
  }
  const [{ headers = {}, body = '' } = {}] = server.requests;
  const request = requestOfSeen({ headers, body });
  const known = credentials({ nodeIds: [ldk.nodeId] });
  expect(codeOf(call(createLsps5(LSPS5_DEFAULTS), request, known))).toBe('notification');
});

test.each(['svix', 'webhook'] as const)(
  'Svix signs with the prefix %s what the service verifies',
  async (prefix) => {
    const server = await serve(empty);
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const svix = createSvix({ secret, prefix });
    onTestFinished(() => svix.close());
    await svix.send(server.url, { id: 'msg_1', body: '{"type":"payment.succeeded","data":{}}' });
    const [{ headers = {}, body = '' } = {}] = server.requests;
    const known = credentials({ secrets: [secret] });
    const request = requestOfSeen({ headers, body });
    expect(codeOf(call(standardWebhooks, request, known))).toBe('notification');
  },
);

/** The request as a door passes it to its source. */
function requestOfSeen({ headers, body }: Seen) {
  const single = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  return {
    headers: Object.fromEntries(single),
    body: Buffer.from(body),
    receivedAtMs: Date.now(),
  };
}
