// The connection on a real TLS socket: what is said last arrives, and nothing is left behind.

import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { sharedIdentity } from '../../../sandbox/identity.ts';
import { Http2Connection } from '../../../src/providers/http2/connection.ts';
import { connect, type Sockets, trustAlso } from '../../../src/providers/transport/connect.ts';
import { createSystemClock } from '../../../src/service/system.ts';
import { listen, tls } from '../peers.ts';
import { turn } from '../support.ts';
import { answer, settings } from './peer.ts';

const authorities = trustAlso((await sharedIdentity()).ca);

/** Connected to `origin`; tells what its listener and its only asker are told. */
async function open(origin: string) {
  const told: string[] = [];
  const { secure, tcp } = await new Promise<Sockets>((resolve, reject) => {
    connect(
      { origin: new URL(origin), authorities, clock: createSystemClock(), timeoutMs: 5_000 },
      { opened: resolve, failed: reject },
    );
  });
  const connection = new Http2Connection(secure, 'peer.example', {
    onSettings: () => told.push('settings'),
    onGoaway: () => told.push('goaway'),
    onClosed: () => told.push('closed'),
  });
  const ask = () =>
    connection.request({ ':path': '/' }, '{}', {
      onHeaders: (status) => told.push(`headers ${status}`),
      onBody: (chunk) => told.push(`body ${chunk.toString()}`),
      onEnd: (why) => told.push(`end ${why}`),
    });
  const until = async (what: string) => {
    while (!told.includes(what)) await turn();
  };
  return { connection, ask, told, until, secure, tcp };
}

it('lets the server hear of a cancelled stream and of the end, although the socket goes at once', async () => {
  const heard: string[] = [];
  const server = createSecureServer(tls);
  server.on('session', (session: ServerHttp2Session) => {
    session.on('goaway', (code) => heard.push(`goaway ${code}`));
    session.on('error', (error) => heard.push(error.message));
    session.on('close', () => heard.push('closed'));
  });
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', (error) => heard.push(error.message));
    stream.on('close', () => heard.push(`stream ${stream.rstCode}`));
    stream.respond({ ':status': 200 });
  });
  const { connection, ask, until, tcp } = await open(await listen(server));
  const stream = ask();
  await until('headers 200');
  if (stream !== undefined) connection.cancel(stream);
  connection.close();
  await until('closed');
  while (!heard.includes('closed')) await turn();
  expect(heard).toEqual(expect.arrayContaining(['goaway 0', 'stream 8']));
  tcp.destroy();
});

it.each(['end', 'destroy', 'reset'] as const)(
  'reads what came before the server’s %s, loses the rest, and lets go of its socket',
  async (how) => {
    const server = createTlsServer({ ...tls, ALPNProtocols: ['h2'] });
    const sockets: Socket[] = [];
    server.on('connection', (socket: Socket) => sockets.push(socket));
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => undefined);
      socket.resume();
      socket.write(settings());
      socket.once('data', () => {
        socket.once('data', () => {
          if (how === 'end') socket.end(answer(1, 'last'));
          else if (how === 'destroy') socket.destroy();
          else sockets[0]?.resetAndDestroy();
        });
      });
    });
    const { connection, ask, told, until, secure } = await open(await listen(server));
    await until('settings');
    await turn();
    ask();
    ask();
    await until('closed');
    expect(told).toEqual([
      'settings',
      ...(how === 'end' ? ['headers 200', 'body last', 'end complete'] : ['end lost']),
      'end lost',
      'closed',
    ]);
    expect(connection.closed).toBe(true);
    expect(secure.destroyed).toBe(true);
  },
);
