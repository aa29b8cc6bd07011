// A small HTTP/1.1 client over raw sockets: it sends bytes unchanged, keeps its connection, makes one request at a
// time, and accepts an answer only if it is complete.

import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface RawConnection {
  /** The answer; undefined if the connection ended before it was complete. */
  exchange(bytes: Buffer, isHead: boolean): Promise<RawAnswer | undefined>;
  close(): void;
}

interface Parsed {
  readonly answer: RawAnswer;
  readonly length: number;
}

/** Opens a new connection whenever the last one ended. */
export function createRawConnection(url: string): RawConnection {
  const { hostname, port } = new URL(url);
  let socket: Socket | undefined;
  const exchange = (bytes: Buffer, isHead: boolean): Promise<RawAnswer | undefined> => {
    const current = socket?.writable === true ? socket : connect(Number(port), hostname);
    socket = current;
    current.setNoDelay(true);
    const { promise, resolve } = Promise.withResolvers<RawAnswer | undefined>();
    let received: Buffer = Buffer.alloc(0);
    const finish = (answer: RawAnswer | undefined): void => {
      current.removeAllListeners('data').removeAllListeners('close').removeAllListeners('error');
      current.on('error', () => {});
      if (answer?.headers.connection === 'close') current.destroy();
      resolve(answer);
    };
    current.on('data', (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const parsed = parseAnswer(received, isHead);
      if (parsed !== undefined) finish(parsed.answer);
    });
    current.on('error', () => {});
    current.on('close', () => finish(undefined));
    current.write(bytes);
    return promise;
  };
  return { exchange, close: () => socket?.destroy() };
}

/** Sends bytes on a new connection, ends it, and returns every complete answer and the remaining bytes. */
export function sendAndHangUp(
  url: string,
  bytes: Buffer,
): Promise<{ readonly answers: readonly RawAnswer[]; readonly rest: Buffer }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
    });
    socket.on('end', () => socket.destroy());
    socket.on('error', () => {});
    socket.on('close', () => {
      const answers: RawAnswer[] = [];
      for (;;) {
        const parsed = parseAnswer(received, false);
        if (parsed === undefined) break;
        answers.push(parsed.answer);
        received = received.subarray(parsed.length);
      }
      resolve({ answers, rest: received });
    });
    socket.end(bytes);
  });
}

/** Undefined until it is complete; an interim answer (100 Continue) is skipped. */
function parseAnswer(bytes: Buffer, isHead: boolean): Parsed | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [line = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1]);
  const start = headEnd + 4;
  if (status < 200) {
    const next = parseAnswer(bytes.subarray(start), isHead);
    return next === undefined ? undefined : { ...next, length: start + next.length };
  }
  const headers = Object.fromEntries(
    lines.map((header) => {
      const colon = header.indexOf(':');
      return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()] as const;
    }),
  );
  const body =
    isHead || status === 204
      ? { bytes: Buffer.alloc(0), end: start }
      : readBody(bytes, start, headers);
  if (body === undefined) return undefined;
  return { answer: { status, headers, text: body.bytes.toString('utf8') }, length: body.end };
}

function readBody(
  bytes: Buffer,
  start: number,
  headers: Readonly<Record<string, string>>,
): { readonly bytes: Buffer; readonly end: number } | undefined {
  if (headers['transfer-encoding'] !== 'chunked') {
    const end = start + Number(headers['content-length'] ?? 0);
    return bytes.length < end ? undefined : { bytes: bytes.subarray(start, end), end };
  }
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return { bytes: Buffer.concat(chunks), end: next };
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}
