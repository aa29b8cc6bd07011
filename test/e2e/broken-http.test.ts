// Bytes that no HTTP client would send, over raw sockets: every answer is problem JSON, and no other caller notices.

import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { type Answer, problemOf, refusalOf, send } from '../support/callers.ts';
import { ANDROID_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';

const PATH = notifyPath(ANDROID_TOKEN);
const BODY = '{"template":"payment_received","data":{"payment_hash":"broken"}}';

/** Sends bytes unchanged and returns everything that comes back until the other side closes. */
function speak(running: Setup, bytes: string | Uint8Array): Promise<string> {
  const { hostname, port } = new URL(running.service.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}

const CASES: readonly (readonly [string, string])[] = [
  ['a TLS greeting', '\u0016\u0003\u0001\u0000\u0005hello\r\n\r\n'],
  ['no words at all', '\r\n \r\n\r\n'],
  ['a method alone', 'POST\r\n\r\n'],
  ['an unknown method', `BREW ${PATH} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ['an unknown version', `POST ${PATH} HTTP/9.9\r\nHost: a\r\n\r\n`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['no Host', `POST ${PATH} HTTP/1.1\r\nContent-Length: 0\r\n\r\n`],
  [
    'a Host with a blank',
    `POST ${PATH} HTTP/1.1\r\nHost: a b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ],
  [
    'a Host with a path',
    `POST ${PATH} HTTP/1.1\r\nHost: a/b?c\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ],
  [
    'two Hosts',
    `POST ${PATH} HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ],
  ['HTTP/1.0 without a Host', `POST ${PATH} HTTP/1.0\r\nContent-Length: 0\r\n\r\n`],
  ['headers of 100 KiB', `POST ${PATH} HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(102_400)}\r\n\r\n`],
  [
    'an endless request line',
    `POST /notify?token=${'x'.repeat(102_400)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  ],
  ['a length that is no number', `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: ten\r\n\r\n`],
  ['a negative length', `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n`],
  [
    'two lengths',
    `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
  ],
  [
    'a length and chunks',
    `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'a chunk of no size',
    `POST ${PATH} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n`,
  ],
  [
    'an unknown transfer encoding',
    `POST ${PATH} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: brotli\r\nConnection: close\r\n\r\n`,
  ],
  ['a zero byte in a header', `POST ${PATH} HTTP/1.1\r\nHost: a\r\nX: a\u0000b\r\n\r\n`],
  ['a header without a name', `POST ${PATH} HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n`],
  [
    'a folded header',
    `POST ${PATH} HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  ],
  ['bare line feeds', `POST ${PATH} HTTP/1.1\nHost: a\n\n`],
  ['a blank in the path', 'POST /no tify HTTP/1.1\r\nHost: a\r\n\r\n'],
  [
    'an expectation that nobody has',
    `POST ${PATH} HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ],
  ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an asterisk', 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
  [
    'an absolute address that is none',
    `POST http://[::/notify HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ],
  [
    'another scheme',
    `POST ftp://a/notify HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ],
  [
    'a path with two slashes',
    `POST //notify HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ],
  [
    'a path that ends inside an escape',
    `POST /notify%2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ],
  [
    'bytes beyond ASCII in the path',
    `POST /n\u00ff?x=\u00fc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ],
  [
    'a body that is too long, announced',
    `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n${BODY}`,
  ],
];

test('answers what is no request to this service with a problem, and continues', async () => {
  const running = await setup();
  for (const [name, bytes] of CASES) {
    const answer = parseAnswer(await speak(running, Buffer.from(bytes, 'latin1')));
    expect(answer.status, name).toBeGreaterThanOrEqual(400);
    expect(answer.status, name).toBeLessThan(500);
    expect(() => problemOf(answer), name).not.toThrow();
  }
  expect(running.sandbox.received()).toEqual([]);
  await expectAlive(running);
});

test('ignores the upgrade in a request that asks for one', async () => {
  const running = await setup();
  for (const upgrade of ['websocket', 'h2c']) {
    const head = `Host: a\r\nConnection: Upgrade, close\r\nUpgrade: ${upgrade}\r\nContent-Length: 0`;
    const answer = parseAnswer(await speak(running, `POST /elsewhere HTTP/1.1\r\n${head}\r\n\r\n`));
    expect(refusalOf(answer)).toBe('404 not_found');
  }
  await expectAlive(running);
});

test('survives callers that close their connection in the middle', async () => {
  const running = await setup();
  const whole = `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
  const { hostname, port } = new URL(running.service.url);
  const lengths = [
    0,
    1,
    20,
    whole.indexOf('\r\n\r\n') + 2,
    whole.length - BODY.length,
    whole.length - 1,
  ];
  for (const length of lengths) {
    for (const isReset of [false, true]) {
      const socket = connect(Number(port), hostname);
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.on('error', () => {});
      socket.resume();
      socket.write(whole.slice(0, length), () => {
        if (isReset) socket.resetAndDestroy();
        else socket.end();
      });
      await closed;
    }
  }
  await expectAlive(running);
  expect(running.sandbox.received()).toHaveLength(1);
});

test('answers two requests in one packet one after the other', async () => {
  const running = await setup();
  const request = (close: string, body: string) =>
    `POST ${PATH} HTTP/1.1\r\nHost: a\r\n${close}Content-Length: ${body.length}\r\n\r\n${body}`;
  const both = request('', BODY) + request('Connection: close\r\n', '{}');
  const answers = (await speak(running, both)).split(/(?=HTTP\/1\.1 )/);
  expect(answers.map((answer) => parseAnswer(answer).status)).toEqual([200, 400]);
});

test('answers HEAD at every path, and never with a body', async () => {
  const running = await setup();
  const cases = [
    ['/healthz', 'Host: a', 200],
    ['/nowhere', 'Host: a', 404],
    [PATH, 'Host: a', 405],
    ['/healthz', 'Host: a b', 400],
    [PATH, 'Host: a\r\nExpect: miracles', 400],
  ] as const;
  for (const [path, headers, status] of cases) {
    const request = `HEAD ${path} HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`;
    const [head, body] = (await speak(running, request)).split('\r\n\r\n');
    expect([head?.split(' ')[1], body], request).toEqual([String(status), '']);
  }
  await expectAlive(running);
});

async function expectAlive(running: Setup): Promise<void> {
  const answer = await send(running.service.url, { path: PATH, body: BODY });
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('delivered')]);
}

/** Status, headers and body of one answer as it came over the wire. */
function parseAnswer(raw: string): Answer {
  const [head = '', text = ''] = raw.split('\r\n\r\n');
  const [line = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((header) => {
      const colon = header.indexOf(':');
      return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()] as const;
    }),
  );
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
  return { status, headers, text, bytes: Buffer.from(text) };
}
