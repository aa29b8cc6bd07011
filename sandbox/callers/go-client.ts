// An HTTP client that keeps its connections as Go's net/http does: two idle ones are kept, and a connection is held for
// ever if the body of its answer was not read to the end. lspd and breez-lnurl use net/http and do not close bodies, so
// each answer with a body costs them a connection.

import { connect, type Socket } from 'node:net';

/** `DefaultMaxIdleConnsPerHost` of net/http. */
const MAX_IDLE = 2;
const HEAD_END = '\r\n\r\n';

export interface GoRequest {
  readonly url: string;
  readonly body: string;
  /** How many bytes of the answer's body are read; 0 reads and closes nothing. */
  readonly readBytes: (status: number) => number;
}

export interface GoAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The part of the body that was read. */
  readonly body: string;
}

export interface GoClient {
  /** Rejects if the connection is refused or breaks before the answer. */
  post(request: GoRequest): Promise<GoAnswer>;
  /** Connections that an unread body keeps from being used again. */
  readonly held: number;
  close(): void;
}

export function createGoClient(): GoClient {
  const idle: Socket[] = [];
  const held = new Set<Socket>();
  const open = new Set<Socket>();

  function dial(host: string, port: number): Socket {
    const socket = connect({ host, port, noDelay: true }).setEncoding('latin1');
    open.add(socket);
    socket.on('close', () => {
      open.delete(socket);
      held.delete(socket);
      const index = idle.indexOf(socket);
      if (index >= 0) idle.splice(index, 1);
    });
    // A connection that breaks while no request uses it is simply gone.
    socket.on('error', () => undefined);
    return socket;
  }

  return {
    async post(request) {
      const url = new URL(request.url);
      const socket = idle.pop() ?? dial(url.hostname, Number(url.port));
      const { readToItsEnd, ...answer } = await exchange(socket, url, request);
      if (!readToItsEnd) held.add(socket.pause());
      else if (idle.length < MAX_IDLE) idle.push(socket);
      else socket.destroy();
      return answer;
    },
    get held() {
      return held.size;
    },
    close() {
      for (const socket of open) socket.destroy();
    },
  };
}

interface Received extends GoAnswer {
  readonly readToItsEnd: boolean;
}

function exchange(
  socket: Socket,
  { host, pathname, search }: URL,
  { body, readBytes }: GoRequest,
): Promise<Received> {
  const lines = [
    `POST ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    'User-Agent: Go-http-client/1.1',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Content-Type: application/json',
    'Accept-Encoding: gzip',
  ];
  return new Promise((resolve, reject) => {
    let received = '';
    const stop = (): void => {
      socket.off('data', onData).off('close', onClose);
    };
    const onClose = (): void => {
      stop();
      reject(new Error('the connection broke before the answer'));
    };
    const onData = (text: string): void => {
      received += text;
      const answer = parse(received, readBytes);
      if (answer === undefined) return;
      stop();
      resolve(answer);
    };
    socket.on('data', onData).on('close', onClose);
    socket.write(`${lines.join('\r\n')}${HEAD_END}`);
    socket.write(body, 'utf8');
  });
}

/** Undefined until the head, and as much of the body as is wanted, have arrived. */
function parse(received: string, readBytes: GoRequest['readBytes']): Received | undefined {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const [statusLine = '', ...lines] = received.slice(0, headEnd).split('\r\n');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const status = Number(statusLine.split(' ')[1]);
  const rest = received.slice(headEnd + HEAD_END.length);
  // Without a length the body is chunked, and Go knows its end only after reading it, even if the body is empty.
  const length = Number(headers.get('content-length') ?? Infinity);
  const wanted = Math.min(readBytes(status), length);
  const lastChunk = rest.endsWith('0\r\n\r\n');
  if (rest.length < wanted && !lastChunk) return undefined;
  const body = rest.slice(0, wanted);
  return { status, headers, body, readToItsEnd: wanted === length };
}
