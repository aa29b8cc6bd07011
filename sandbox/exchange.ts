// One request with its whole body, and the ways to end it. The stand-ins are
// written against this, so that HTTP/2 and HTTP/1.1 clients get the same answers.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import {
  constants,
  type IncomingHttpHeaders as Http2Headers,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Readable } from 'node:stream';
import type { Connection } from './connection.ts';

/** Far above every provider's limit; bytes beyond it are read and thrown away. */
const MAX_BODY_BYTES = 262_144;

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Exchange {
  readonly connection: Connection;
  /** HTTP/2 stream id; on HTTP/1.1 the number of the request on its connection. */
  readonly stream: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Name, value, name, value, … as received, duplicates included. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** The body went over 256 KiB and `body` is cut short. */
  readonly overflow: boolean;
  /** No effect when the client has gone. */
  answer(answer: Answer): void;
  /** RST_STREAM with this code; HTTP/1.1 knows no streams and loses its connection. */
  abort(code: number): void;
}

export type ExchangeHandler = (exchange: Exchange) => void;

interface Body {
  readonly bytes: Buffer;
  readonly overflow: boolean;
}

function readBody(source: Readable, done: (body: Body) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  source.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  });
  source.on('end', () => {
    const [first] = chunks;
    const bytes = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
    done({ bytes, overflow: size > MAX_BODY_BYTES });
  });
}

/** Reads an HTTP/2 request; a stream that its client gives up before the end is dropped. */
export function receiveStream(
  stream: ServerHttp2Stream,
  { headers, rawHeaders }: { headers: Http2Headers; rawHeaders: readonly string[] },
  { connection, handle }: { connection: Connection; handle: ExchangeHandler },
): void {
  connection.requests += 1;
  connection.streamOpened();
  stream.on('close', () => connection.streamClosed());
  // A client may reset its stream at any time; that is not an error of the stand-in.
  stream.on('error', () => undefined);
  readBody(stream, ({ bytes, overflow }) => {
    if (stream.aborted || stream.destroyed) return;
    handle({
      connection,
      stream: stream.id ?? 0,
      method: headers[':method'] ?? '',
      path: headers[':path'] ?? '',
      headers,
      rawHeaders,
      body: bytes,
      overflow,
      answer: (answer) => answerStream(stream, answer),
      abort: (code) => stream.close(code),
    });
  });
}

function answerStream(stream: ServerHttp2Stream, { status, headers, body }: Answer): void {
  if (stream.destroyed || stream.closed) return;
  const head = { [constants.HTTP2_HEADER_STATUS]: status, ...headers };
  if (body === undefined || body === '') {
    stream.respond(head, { endStream: true });
    return;
  }
  stream.respond(head);
  stream.end(body);
}

/** Reads an HTTP/1.1 request. */
export function receiveMessage(
  request: IncomingMessage,
  response: ServerResponse,
  { connection, handle }: { connection: Connection; handle: ExchangeHandler },
): void {
  connection.requests += 1;
  const stream = connection.requests;
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  readBody(request, ({ bytes, overflow }) => {
    handle({
      connection,
      stream,
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body: bytes,
      overflow,
      answer: ({ status, headers, body = '' }) => {
        if (response.destroyed) return;
        response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
        response.end(body);
      },
      abort: () => connection.reset(),
    });
  });
}
