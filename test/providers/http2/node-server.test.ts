// Against the server of node:http2, whose nghttp2 carries half of the web: it sees exactly what was asked, and the
// client exactly what was answered, whatever the tables of headers go through on the way.

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Settings } from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { Http2Connection, type StreamEnd } from '../../../src/providers/http2/connection.ts';

interface Request {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Both ends of a server that gives each request the answer which the test has for it. */
async function openServer(settings: Settings) {
  const seen: Request[] = [];
  let answers: readonly Answer[] = [];
  const server = createServer({ settings });
  server.on('stream', (stream, { ':path': path, ...headers }: IncomingHttpHeaders) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const number = Number(path?.slice(1));
      seen[number] = { headers: { ...plain(headers) }, body: Buffer.concat(chunks).toString() };
      const answer = answers[number] ?? { status: 500, headers: {}, body: '' };
      stream.respond({ ':status': answer.status, ...answer.headers });
      stream.end(answer.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;

  /** Sends all over one connection, as many at once as `atOnce` says. */
  const converse = async (
    requests: readonly Request[],
    expected: readonly Answer[],
    atOnce = 1,
  ) => {
    seen.length = 0;
    answers = expected;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const { connection, settled, closed } = openConnection(socket);
    await settled;
    const got: Received[] = [];
    const queue = requests.entries();
    const work = Array.from({ length: atOnce }, async () => {
      // They share one queue.
      for (const [number, request] of queue) got[number] = await send(connection, number, request);
    });
    await Promise.all(work);
    connection.close();
    await closed;
    return { seen, got };
  };
  return { converse };
}

const HIDDEN = new Set([':method', ':scheme', ':authority']);

function plain(headers: IncomingHttpHeaders): Record<string, string> {
  expect([...HIDDEN].map((name) => headers[name])).toEqual(['POST', 'https', 'peer.example']);
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      HIDDEN.has(name) || typeof value !== 'string' ? [] : [[name, value] as const],
    ),
  );
}

function openConnection(socket: Socket) {
  const settled = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  socket.on('error', () => undefined);
  const connection = new Http2Connection(socket, 'peer.example', {
    onSettings: () => settled.resolve(),
    onGoaway: () => undefined,
    onClosed: () => closed.resolve(),
  });
  return { connection, settled: settled.promise, closed: closed.promise };
}

type Received = Answer & { readonly why: StreamEnd };

function send(connection: Http2Connection, number: number, { headers, body }: Request) {
  return new Promise<Received>((resolve, reject) => {
    let answer: Answer = { status: 0, headers: {}, body: '' };
    const chunks: Buffer[] = [];
    const stream = connection.request({ ':path': `/${number}`, ...headers }, body, {
      onHeaders: (status, answered) => {
        answer = { ...answer, status, headers: answered };
      },
      onBody: (chunk) => chunks.push(chunk),
      onEnd: (why) => resolve({ ...answer, body: Buffer.concat(chunks).toString(), why }),
    });
    if (stream === undefined) reject(new Error('not written'));
  });
}

/** As they were given, and with the date that the server adds. */
const complete = (answers: readonly Answer[]) =>
  answers.map((answer) => ({
    ...answer,
    headers: { date: expect.any(String), ...answer.headers },
    why: 'complete',
  }));

const NAMES = [
  'authorization',
  'apns-id',
  'apns-topic',
  'x-a',
  'x-long-name-of-a-header',
  'accept',
];
const LATIN1 = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter((char) =>
  /[\x21-\x7e\xa1-\xff]/.test(char),
);
const ASCII = LATIN1.filter((char) => char < '\x7f');

/** Few at a time, so that they come again; some so large that they fill a table or never fit. */
function values(chars: readonly string[]) {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('', '1', 'bearer x', 'y'.repeat(100)) },
    { weight: 3, arbitrary: fc.string({ unit: fc.constantFrom(...chars), maxLength: 60 }) },
    { weight: 1, arbitrary: fc.integer({ min: 900, max: 5_000 }).map((size) => 'z'.repeat(size)) },
  );
}

function fields(chars: readonly string[]) {
  return fc.dictionary(fc.constantFrom(...NAMES), values(chars), {
    maxKeys: NAMES.length,
    noNullPrototype: true,
  });
}

const body = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('', '{}', 'x'.repeat(16_384), 'ü'.repeat(8_193), 'x'.repeat(70_000)),
);
const exchange = fc.record({
  request: fc.record({ headers: fields(ASCII), body }),
  answer: fc.record({
    // Without a body: 204, 205 and 304.
    status: fc.constantFrom(200, 200, 200, 201, 400, 403, 404, 410, 413, 429, 500, 503, 599),
    headers: fields(LATIN1),
    body,
  }),
});
const conversation = fc.array(exchange, { minLength: 1, maxLength: 25 });

it.each<Settings>([
  { headerTableSize: 0 },
  { headerTableSize: 100 },
  { headerTableSize: 4_096, initialWindowSize: 1_000 },
  { headerTableSize: 65_536, maxFrameSize: 65_536 },
  { initialWindowSize: 0x7fffffff },
])('carries whatever is asked and answered, to a server with %j', async (settings) => {
  const { converse } = await openServer(settings);
  await fc.assert(
    fc.asyncProperty(conversation, fc.constantFrom(1, 2, 25), async (exchanges, atOnce) => {
      const requests = exchanges.map(({ request }) => request);
      const answers = exchanges.map(({ answer }) => answer);
      const { seen, got } = await converse(requests, answers, atOnce);
      expect(seen).toEqual(requests);
      expect(got).toEqual(complete(answers));
    }),
    { numRuns: 25 },
  );
});

it('reads every character of an answer, in the Huffman code and without', async () => {
  const { converse } = await openServer({});
  // Many short codes around it make the Huffman code the shorter one, however long its own is.
  const texts = LATIN1.flatMap((char) => [
    char,
    `${'a'.repeat(40)}${char}`,
    `0${char}${'e'.repeat(40)}`,
  ]);
  const answers = texts.map((text) => ({ status: 200, headers: { 'x-text': text }, body: '' }));
  const { got } = await converse(
    texts.map(() => ({ headers: {}, body: '' })),
    answers,
    10,
  );
  expect(got).toEqual(complete(answers));
});

it('carries what is no whole character as the replacement that Node writes for it', async () => {
  const { converse } = await openServer({});
  const answers = [{ status: 200, headers: {}, body: '' }];
  const { seen } = await converse([{ headers: {}, body: 'a\ud800b\udc00' }], answers);
  expect(seen[0]?.body).toBe('a\ufffdb\ufffd');
});

it('follows a server that changes its table and its windows in between', async () => {
  const server = createServer();
  const sizes = [0, 4_096, 50, 65_536, 200, 0, 4_096];
  const seen: unknown[] = [];
  server.on('session', (session) => session.on('error', () => undefined));
  server.on('stream', (stream, { 'x-a': a, 'x-b': b }) => {
    stream.on('error', () => undefined);
    stream.on('end', () => {
      seen.push([a, b]);
      const headerTableSize = sizes[seen.length % sizes.length] ?? 0;
      stream.session?.settings({ headerTableSize, initialWindowSize: headerTableSize + 100 });
      stream.respond({ ':status': 200 }, { endStream: true });
    });
    stream.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  const { connection, settled, closed } = openConnection(socket);
  await settled;
  const headers = { 'x-a': 'always', 'x-b': 'the same' };
  for (let number = 0; number < 60; number += 1) {
    const { why } = await send(connection, number, { headers, body: 'x'.repeat(300) });
    expect(why).toBe('complete');
  }
  connection.close();
  await closed;
  expect(seen).toEqual(Array(60).fill(['always', 'the same']));
});
