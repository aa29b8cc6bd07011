// An egress proxy that connects every tunnel to this machine, whatever host was requested.

import { createServer, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { listen } from '../providers/http2/peers.ts';

type Tunnel = (request: IncomingMessage, socket: Duplex) => void;

/** Records the targets of all CONNECT requests; `answer` may refuse them. */
export async function openProxy(answer?: Tunnel) {
  const targets: string[] = [];
  const credentials = new Set<string | undefined>();
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request, socket) => {
    targets.push(request.url ?? '');
    credentials.add(request.headers['proxy-authorization']);
    socket.on('error', () => undefined);
    if (answer === undefined) forward(request, socket);
    else answer(request, socket);
  });
  const { port } = new URL(await listen(server));
  return { proxy: new URL(`http://127.0.0.1:${port}`), targets, credentials };
}

function forward({ url = '' }: IncomingMessage, socket: Duplex): void {
  const upstream: Socket = connect(Number(new URL(`tcp://${url}`).port), '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.pipe(upstream).pipe(socket);
  });
  upstream.on('error', () => socket.destroy());
  socket.on('close', () => upstream.destroy());
}
