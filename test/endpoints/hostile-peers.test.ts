// Receivers that behave badly, on a real socket, a real store and in virtual time: each call ends within 15 s, reads
// little, and is among the endpoint's attempts.

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { generate } from 'selfsigned';
import { expect, onTestFinished, test } from 'vitest';
import { parseNetwork } from '../../src/endpoints/address.ts';
import { createEventSender } from '../../src/endpoints/event-sender.ts';
import { startOutbox } from '../core/events/outbox-setup.ts';
import { useFiles } from '../stores/sqlite/files.ts';
import { portOf } from '../support/event-receiver.ts';
import { ManualClock } from '../support/manual-clock.ts';

const { newFile, open } = useFiles();
const SECOND = 1_000;
const GIGABYTE = 2 ** 30;
const CHUNK = Buffer.alloc(65_536, 'x');
const OK = 'HTTP/1.1 200 OK\r\n';

interface Peer {
  readonly socket: Socket;
  readonly clock: ManualClock;
  /** Call it when the peer has done what it does. */
  readonly done: () => void;
}

type Behaviour = (peer: Peer) => void;

interface Bad {
  readonly peer: string;
  readonly behave: Behaviour;
  /** Absent: the call ends without moving the clock. */
  readonly afterMs?: number;
  readonly attempt: object;
}

/** Writes this again and again while it can, up to a gigabyte. */
function flood(socket: Socket, chunk: Buffer | string): void {
  const more = () => {
    if (socket.destroyed || socket.bytesWritten > GIGABYTE) socket.destroy();
    else socket.write(chunk, () => setImmediate(more));
  };
  more();
}

/** Sends a byte each second. */
function drip({ socket, clock }: Peer): void {
  if (socket.destroyed) return;
  socket.write('x');
  clock.after(SECOND, () => drip({ socket, clock, done: () => undefined }));
}

const TIMEOUT = { outcome: 'failed', reason: 'timeout', latencyMs: 15 * SECOND };
const LOST = { outcome: 'failed', reason: 'connection_lost', status: undefined };
const TAKEN = { outcome: 'delivered', status: 200, reason: undefined };

const BAD: readonly Bad[] = [
  {
    peer: 'hangs',
    behave: ({ done }) => done(),
    afterMs: 15 * SECOND,
    attempt: TIMEOUT,
  },
  {
    peer: 'answers after a minute',
    behave: ({ socket, clock, done }) => {
      clock.after(60 * SECOND, () => socket.write(`${OK}content-length: 0\r\n\r\n`));
      done();
    },
    afterMs: 15 * SECOND,
    attempt: TIMEOUT,
  },
  {
    peer: 'drips its headers',
    behave: (peer) => {
      peer.socket.write(`${OK}x-a: `, peer.done);
      drip(peer);
    },
    afterMs: 15 * SECOND,
    attempt: TIMEOUT,
  },
  {
    peer: 'says 102 and nothing else',
    behave: ({ socket, done }) => socket.write('HTTP/1.1 102 Processing\r\n\r\n', () => done()),
    afterMs: 15 * SECOND,
    attempt: TIMEOUT,
  },
  {
    peer: 'sends a gigabyte of headers',
    behave: ({ socket }) => {
      socket.write(OK);
      flood(socket, `x-a: ${'a'.repeat(2_000)}\r\n`);
    },
    attempt: LOST,
  },
  {
    peer: 'sends a gigabyte',
    behave: ({ socket }) => {
      socket.write(`${OK}content-length: ${GIGABYTE}\r\n\r\n`);
      flood(socket, CHUNK);
    },
    attempt: TAKEN,
  },
  { peer: 'closes early', behave: ({ socket }) => socket.end(), attempt: LOST },
  {
    peer: 'resets the connection',
    behave: ({ socket }) => socket.resetAndDestroy(),
    attempt: LOST,
  },
  {
    peer: 'closes within its headers',
    behave: ({ socket }) => socket.end(`${OK}content-le`),
    attempt: LOST,
  },
  {
    peer: 'closes within its body',
    behave: ({ socket }) => socket.end(`${OK}content-length: 100\r\n\r\nhalf`),
    attempt: TAKEN,
  },
  {
    peer: 'speaks no HTTP',
    behave: ({ socket }) => socket.write('SSH-2.0-OpenSSH_9.9\r\n'),
    attempt: LOST,
  },
  {
    peer: 'wants another protocol',
    behave: ({ socket }) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    attempt: LOST,
  },
  {
    peer: 'redirects to loopback',
    behave: ({ socket }) =>
      socket.write('HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n'),
    attempt: { outcome: 'failed', status: 307, reason: 'http_307' },
  },
];

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  return portOf(server);
}

/** An endpoint at this port, and how its `test` is answered and recorded. */
async function call(clock: ManualClock, url: string) {
  const networks = [parseNetwork('127.0.0.0/8')].filter((one) => one !== undefined);
  const sender = createEventSender({ clock, networks });
  onTestFinished(() => sender.close());
  const opened = await open(newFile());
  const { outbox } = await startOutbox(opened, ['provider.*'], {
    clock,
    sender,
    endpoint: { url },
  });
  const sending = outbox.sendOnce({ id: 'evt_a', atMs: clock.wallMs(), type: 'test.ping' });
  return {
    attempts: async () => {
      await sending;
      return await opened.events.listAttempts({ endpointId: 'ep_a', limit: 9 });
    },
  };
}

test.each(BAD)('a receiver that $peer', async ({ behave, afterMs = 0, attempt }) => {
  const clock = new ManualClock();
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  let writtenBytes = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('close', () => {
      writtenBytes = socket.bytesWritten;
      ended.resolve();
    });
    socket.once('data', () => behave({ socket, clock, done: resolve }));
  });
  const { attempts } = await call(clock, `http://127.0.0.1:${await listen(server)}/`);
  if (afterMs > 0) {
    await done;
    clock.advance(afterMs);
  }
  expect(await attempts()).toEqual([
    expect.objectContaining({ type: 'test.ping', eventId: 'evt_a', ...attempt }),
  ]);
  // Whatever continues after a status is over after 15 s, too, and later bytes are ignored.
  clock.advance(60 * SECOND);
  if (afterMs === 0 && !('status' in attempt && attempt.status === 307)) await ended.promise;
  expect(writtenBytes).toBeLessThan(GIGABYTE / 64);
});

test('a body that arrives slowly is cut off after 15 s, and its status counts', async () => {
  const clock = new ManualClock();
  const ended = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('close', () => ended.resolve());
    socket.once('data', () => {
      socket.write(`${OK}content-length: 1000\r\n\r\n`);
      drip({ socket, clock, done: () => undefined });
    });
  });
  const { attempts } = await call(clock, `http://127.0.0.1:${await listen(server)}/`);
  expect(await attempts()).toEqual([expect.objectContaining(TAKEN)]);
  clock.advance(15 * SECOND);
  await ended.promise;
});

test('a receiver that accepts and begins no TLS is given up after 15 s', async () => {
  const clock = new ManualClock();
  const accepted = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => accepted.resolve());
  });
  const { attempts } = await call(clock, `https://127.0.0.1:${await listen(server)}/`);
  await accepted.promise;
  clock.advance(15 * SECOND);
  expect(await attempts()).toEqual([expect.objectContaining(TIMEOUT)]);
});

test('a certificate of an unknown authority, or of another name, is refused', async () => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'vendor.example' }]);
  const server = createTlsServer({ key, cert });
  server.on('tlsClientError', () => undefined);
  const clock = new ManualClock();
  const { attempts } = await call(clock, `https://127.0.0.1:${await listen(server)}/`);
  expect(await attempts()).toEqual([
    expect.objectContaining({ outcome: 'failed', reason: 'bad_certificate' }),
  ]);
});
