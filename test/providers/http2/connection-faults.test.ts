// Peers that break the protocol, and connections that end: every stream ends once, the socket is let go of, and
// the peer is told why as far as it still listens.

import { expect, it } from 'vitest';
import {
  ACK,
  answer,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  OK,
  openPeer,
  openSilent,
  PADDED,
  PRIORITY,
  SETTING,
  settings,
  TYPE,
  uint32,
} from './peer.ts';

const PROTOCOL = 1;
const FLOW_CONTROL = 3;
const FRAME_SIZE = 6;
const COMPRESSION = 9;
const CALM = 11;

const empty = Buffer.alloc(0);
const continuations = (count: number, bytes: number) =>
  Array.from({ length: count }, () => frame(TYPE.continuation, 0, 1, Buffer.alloc(bytes)));

it.each<[string, number, readonly Buffer[]]>([
  ['PING of 7 bytes', FRAME_SIZE, [frame(TYPE.ping, 0, 0, Buffer.alloc(7))]],
  ['an acknowledged PING of 9 bytes', FRAME_SIZE, [frame(TYPE.ping, ACK, 0, Buffer.alloc(9))]],
  ['SETTINGS of 5 bytes', FRAME_SIZE, [frame(TYPE.settings, 0, 0, Buffer.alloc(5))]],
  ['WINDOW_UPDATE of 5 bytes', FRAME_SIZE, [frame(TYPE.window, 0, 0, Buffer.alloc(5))]],
  ['WINDOW_UPDATE without content', FRAME_SIZE, [frame(TYPE.window, 0, 1)]],
  ['RST_STREAM of 3 bytes', FRAME_SIZE, [frame(TYPE.reset, 0, 1, Buffer.alloc(3))]],
  ['GOAWAY of 7 bytes', FRAME_SIZE, [frame(TYPE.goaway, 0, 0, Buffer.alloc(7))]],
  ['a frame of 16,385 bytes', FRAME_SIZE, [frame(0xfa, 0, 0, Buffer.alloc(16_385))]],
  ['SETTINGS of a stream', PROTOCOL, [frame(TYPE.settings, 0, 1)]],
  ['PUSH_PROMISE', PROTOCOL, [frame(TYPE.push, END_HEADERS, 1, uint32(2))]],
  ['DATA before HEADERS', PROTOCOL, [data(1, 'x')]],
  ['DATA of no stream', PROTOCOL, [data(0, 'x')]],
  ['DATA of a stream that never was', PROTOCOL, [data(3, 'x')]],
  ['HEADERS of a stream that never was', PROTOCOL, [headers(3)]],
  ['HEADERS of a stream of its own', PROTOCOL, [headers(2)]],
  ['RST_STREAM of a stream that never was', PROTOCOL, [frame(TYPE.reset, 0, 3, uint32(7))]],
  ['RST_STREAM of no stream', PROTOCOL, [frame(TYPE.reset, 0, 0, uint32(7))]],
  ['WINDOW_UPDATE of a stream that never was', PROTOCOL, [frame(TYPE.window, 0, 3, uint32(1))]],
  ['DATA with more padding than room', PROTOCOL, [frame(TYPE.data, PADDED, 1, Buffer.from([1]))]],
  ['DATA with padding and no length of it', PROTOCOL, [frame(TYPE.data, PADDED, 1)]],
  ['HEADERS too short for a priority', PROTOCOL, [headers(1, END_HEADERS | PRIORITY, OK)]],
  ['CONTINUATION of nothing', PROTOCOL, [frame(TYPE.continuation, END_HEADERS, 1, OK)]],
  [
    'CONTINUATION of another stream',
    PROTOCOL,
    [headers(1, 0), frame(TYPE.continuation, END_HEADERS, 3)],
  ],
  ['PING within a header block', PROTOCOL, [headers(1, 0), frame(TYPE.ping, 0, 0, uint32(0, 0))]],
  ['HEADERS within a header block', PROTOCOL, [headers(1, 0), headers(1)]],
  ['an unknown frame within a header block', PROTOCOL, [headers(1, 0), frame(0xfa)]],
  ['a header block of 64 KiB', CALM, [headers(1, 0), ...continuations(4, 16_384)]],
  ['a header block of countless empty pieces', CALM, [headers(1, 0), ...continuations(7_300, 0)]],
  [
    'a header block that cannot be read',
    COMPRESSION,
    [headers(1, END_HEADERS, Buffer.from([0x80]))],
  ],
  ['a window widened by nothing', PROTOCOL, [frame(TYPE.window, 0, 0, uint32(0))]],
  ['a stream widened by nothing', PROTOCOL, [frame(TYPE.window, 0, 1, uint32(0))]],
  [
    'a connection window above 2^31-1',
    FLOW_CONTROL,
    [frame(TYPE.window, 0, 0, uint32(0x7fffffff))],
  ],
  ['a stream window above 2^31-1', FLOW_CONTROL, [frame(TYPE.window, 0, 1, uint32(0x7fffffff))]],
  ['an initial window above 2^31-1', FLOW_CONTROL, [settings([SETTING.window, 0x80000000])]],
  [
    'an initial window that pushes a stream above 2^31-1',
    FLOW_CONTROL,
    [frame(TYPE.window, 0, 1, uint32(0x7fff0000)), settings([SETTING.window, 0x100000])],
  ],
])('ends the connection after %s, with code %i', async (_, code, pieces) => {
  const { ask, say, hearShort, told, connection } = await openPeer();
  ask('x');
  await hearShort();
  await say(...pieces, answer(1, 'not heard any more'));
  expect((await hearShort()).filter((heard) => !heard.startsWith('settings'))).toEqual([
    `goaway#0 code ${code}`,
  ]);
  expect(told.filter((what) => !what.startsWith('settings'))).toEqual(['end lost', 'closed']);
  expect(connection.closed).toBe(true);
});

it.each([
  ['PING', frame(TYPE.ping, 0, 0, Buffer.alloc(8))],
  ['HEADERS', headers(1)],
  ['HTTP/1.1', Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')],
])('takes nothing but SETTINGS at first, such as %s', async (_, first) => {
  const { ask, say, told } = openSilent();
  ask();
  await say(first);
  expect(told).toEqual(['end lost', 'closed']);
});

it('reads a block of CONTINUATIONs just below what it takes', async () => {
  const { ask, say, told } = await openPeer();
  ask();
  // `a` with a value of 50,000 bytes, in three bytes behind the prefix of 127.
  const field = Buffer.from('880001617fd18503', 'hex');
  const block = Buffer.concat([field, Buffer.alloc(50_000, 'x')]);
  await say(
    headers(1, END_STREAM, block.subarray(0, 16_000)),
    frame(TYPE.continuation, 0, 1, block.subarray(16_000, 32_000)),
    frame(TYPE.continuation, 0, 1, block.subarray(32_000, 48_000)),
    frame(TYPE.continuation, END_HEADERS, 1, block.subarray(48_000)),
  );
  expect(told).toEqual(['headers 200', 'end complete']);
});

it('loses what is in flight when the socket breaks in the middle of an answer', async () => {
  const { ask, say, socket, told, connection } = await openPeer();
  ask();
  ask();
  await say(headers(3), data(3, 'ha'), data(3, 'lf').subarray(0, 10));
  socket.destroy();
  await say();
  expect(told).toEqual(['headers 200', 'body ha', 'end lost', 'end lost', 'closed']);
  expect(connection.closed).toBe(true);
});

it('loses what is in flight when the peer says no more, and lets go of the socket', async () => {
  const { ask, say, socket, told, connection } = await openPeer();
  ask();
  ask();
  socket.end(answer(1, 'last'));
  await say(empty);
  expect(told).toEqual(['headers 200', 'body last', 'end complete', 'end lost', 'closed']);
  expect(connection.closed).toBe(true);
});

it('says goodbye when closed, behind all that was written before', async () => {
  const { ask, say, hearShort, told, connection } = await openPeer();
  const { stream } = ask();
  connection.cancel(stream);
  ask('later');
  connection.close();
  connection.close();
  expect(await hearShort()).toEqual([
    'headers#1 35',
    'data#1 2',
    'reset#1 code 8',
    'headers#3 35',
    'data#3 5',
    'goaway#0 code 0',
  ]);
  await say(answer(1, 'unheard'));
  expect(told).toEqual(['end lost', 'closed']);
});

it('says nothing when abandoned', async () => {
  const { ask, hear, told, connection } = await openPeer();
  ask();
  connection.abandon();
  expect(await hear()).toEqual([]);
  expect(told).toEqual(['end lost', 'closed']);
});

it('gives up a peer that asks and never reads', async () => {
  const { connection, say, socket, told } = await openPeer();
  socket.pause();
  const pings = Buffer.concat(Array(10_000).fill(frame(TYPE.ping, 0, 0, Buffer.alloc(8))));
  let rounds = 0;
  for (; !connection.closed && rounds < 1_000; rounds += 1) await say(pings);
  expect(told).toEqual(['closed']);
  // 16 MiB at 17 bytes each.
  expect(rounds).toBeGreaterThan(90);
  expect(rounds).toBeLessThan(110);
});
