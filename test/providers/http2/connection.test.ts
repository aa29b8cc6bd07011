// One conversation at a time with a peer that says exactly what it is told to, as HTTP/2 allows it.

import { expect, it } from 'vitest';
import { HpackDecoder } from '../../../src/providers/http2/hpack-decoder.ts';
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

it('introduces itself: no push, a window for each answer and one for all', async () => {
  const { hear } = openSilent();
  expect(await hear()).toEqual([
    {
      type: 'settings',
      flags: 0,
      streamId: 0,
      payload: settings([2, 0], [4, 131_072]).subarray(9),
    },
    { type: 'window', flags: 0, streamId: 0, payload: uint32(1_048_576 - 65_535) },
  ]);
});

it('asks with the pseudo-headers first, and the port in the authority', async () => {
  const { ask, hear } = await openPeer();
  ask('{"a":"ü"}', {}, { ':path': '/x', b: 'y' });
  const [first, second, ...others] = await hear();
  expect(first).toMatchObject({ type: 'headers', flags: END_HEADERS, streamId: 1 });
  const fields = Object.entries(new HpackDecoder().decode(first?.payload ?? OK).headers);
  expect(fields).toEqual([
    [':method', 'POST'],
    [':scheme', 'https'],
    [':authority', 'peer.example:8443'],
    [':path', '/x'],
    ['b', 'y'],
  ]);
  expect(second).toMatchObject({ type: 'data', flags: END_STREAM, streamId: 1 });
  expect(second?.payload.toString()).toBe('{"a":"ü"}');
  expect(others).toEqual([]);
});

it('asks before the peer has introduced itself', async () => {
  const { ask, say, told } = openSilent();
  ask();
  await say(settings([SETTING.maxStreams, 7]), answer(1, 'yes'));
  expect(told).toEqual(['settings 7', 'headers 200', 'body yes', 'end complete']);
});

it('ends an empty request with an empty frame', async () => {
  const { ask, hear } = await openPeer();
  ask('');
  expect((await hear())[1]).toMatchObject({ type: 'data', flags: END_STREAM, streamId: 1 });
});

it('writes nothing of a request that cannot be carried', async () => {
  const { connection, hear, ask, say } = await openPeer();
  const asker = { onHeaders: () => undefined, onBody: () => undefined, onEnd: () => undefined };
  expect(connection.request({ ':path': '/', Upper: 'x' }, '', asker)).toBeUndefined();
  const tooLong = { ':path': '/', long: 'x'.repeat(16_384) };
  expect(connection.request(tooLong, '', asker)).toBeUndefined();
  expect(await hear()).toEqual([]);
  const { told } = ask();
  await say(answer(1, ''));
  expect(told).toEqual(['headers 200', 'end complete']);
});

it('acknowledges SETTINGS, answers PING, and asks the same of nobody', async () => {
  const { say, hear, told, connection } = await openPeer();
  const opaque = Buffer.from('opaque 8');
  await say(settings([SETTING.maxStreams, 3]), frame(TYPE.ping, 0, 0, opaque));
  await say(frame(TYPE.settings, ACK), frame(TYPE.ping, ACK, 0, opaque), settings());
  expect(await hear()).toEqual([
    { type: 'settings', flags: ACK, streamId: 0, payload: Buffer.alloc(0) },
    { type: 'ping', flags: ACK, streamId: 0, payload: opaque },
    { type: 'settings', flags: ACK, streamId: 0, payload: Buffer.alloc(0) },
  ]);
  // What a later SETTINGS does not name stays.
  expect(told).toEqual(['settings 3', 'settings 3']);
  connection.ping();
  expect(await hear()).toEqual([{ type: 'ping', flags: 0, streamId: 0, payload: Buffer.alloc(8) }]);
});

it('reads an answer of one frame and one of many', async () => {
  const { ask, say } = await openPeer();
  const [one, many] = [ask(), ask()];
  await say(headers(3), data(3, 'a'), headers(1, END_HEADERS | END_STREAM), data(3, ''));
  await say(data(3, 'b'), data(3, '', END_STREAM));
  expect(one.told).toEqual(['headers 200', 'end complete']);
  expect(many.told).toEqual(['headers 200', 'body a', 'body b', 'end complete']);
});

it('takes padding and priority off', async () => {
  const { ask, say } = await openPeer();
  const { told } = ask();
  const priority = Buffer.alloc(5, 0xff);
  const padded = Buffer.concat([Buffer.from([3]), priority, OK, Buffer.alloc(3)]);
  await say(
    headers(1, END_HEADERS | PADDED | PRIORITY, padded),
    frame(TYPE.data, PADDED, 1, Buffer.from('\x02body\0\0')),
    frame(TYPE.data, PADDED, 1, Buffer.from('\x02\0\0')),
    frame(TYPE.data, PADDED | END_STREAM, 1, Buffer.from('\0!')),
  );
  expect(told).toEqual(['headers 200', 'body body', 'body !', 'end complete']);
});

it('joins a header block over several frames', async () => {
  const { ask, say } = await openPeer();
  const seen: unknown[] = [];
  const { told } = ask('', { onHeaders: (_, fields) => seen.push(fields) });
  const block = Buffer.concat([OK, Buffer.from('0001610162', 'hex')]);
  await say(
    headers(1, END_STREAM | PRIORITY, Buffer.concat([Buffer.alloc(5), block.subarray(0, 2)])),
    frame(TYPE.continuation, 0, 1, block.subarray(2, 4)),
    frame(TYPE.continuation, 0, 1),
    frame(TYPE.continuation, END_HEADERS, 1, block.subarray(4)),
  );
  expect(told).toEqual(['headers 200', 'end complete']);
  expect(seen).toEqual([{ a: 'b' }]);
});

it('waits for the answer behind informational ones, and ignores trailers', async () => {
  const { ask, say } = await openPeer();
  const { told } = ask();
  const status = (code: string) => Buffer.from(`0803${Buffer.from(code).toString('hex')}`, 'hex');
  await say(headers(1, END_HEADERS, status('100')), headers(1, END_HEADERS, status('103')));
  await say(headers(1, END_HEADERS, status('429')), data(1, 'x'));
  await say(headers(1, END_HEADERS | END_STREAM, Buffer.from('0001610162', 'hex')));
  expect(told).toEqual(['headers 429', 'body x', 'end complete']);
});

it('fails a stream that ends with an informational answer', async () => {
  const { ask, say, told } = await openPeer();
  ask();
  await say(headers(1, END_HEADERS | END_STREAM, Buffer.from('0803313030', 'hex')));
  expect(told).toEqual(['end reset']);
});

it('ignores frames that it does not know, and priorities', async () => {
  const { ask, say, told, hear } = await openPeer();
  ask();
  await hear();
  await say(
    frame(0xfa, 0xff, 1, Buffer.alloc(100)),
    frame(TYPE.priority, 0, 9, Buffer.alloc(5)),
    frame(0x10, 0, 0, Buffer.from('u=1')),
    answer(1, 'x'),
  );
  expect(told).toEqual(['headers 200', 'body x', 'end complete']);
  expect(await hear()).toEqual([]);
});

it('keeps the table of headers right over answers that nobody waits for any more', async () => {
  const { ask, say, connection } = await openPeer();
  const seen: unknown[] = [];
  const gone = ask();
  ask('', { onHeaders: (_, fields) => seen.push(fields) });
  connection.cancel(gone.stream);
  await say(headers(1, END_HEADERS, Buffer.from('8840016101624001630164', 'hex')));
  await say(headers(3, END_HEADERS | END_STREAM, Buffer.from('88bebf', 'hex')));
  expect(gone.told).toEqual([]);
  expect(seen).toEqual([{ c: 'd', a: 'b' }]);
});

it.each([
  [7, 'refused'],
  [0, 'reset'],
  [2, 'reset'],
  [8, 'reset'],
  [0xffffffff, 'reset'],
])('ends a stream that the peer resets with code %i as %s', async (code, why) => {
  const { ask, say, hear, told } = await openPeer();
  ask();
  ask();
  await hear();
  await say(frame(TYPE.reset, 0, 1, uint32(code)));
  // Twice, and frames that were under way: of no interest.
  await say(frame(TYPE.reset, 0, 1, uint32(code)), answer(1, 'late'), answer(3, 'x'));
  expect(told).toEqual([`end ${why}`, 'headers 200', 'body x', 'end complete']);
  expect(await hear()).toEqual([]);
});

it('resets what is cancelled, and tells nobody', async () => {
  const { ask, say, hearShort, told, connection } = await openPeer();
  const { stream } = ask();
  await hearShort();
  connection.cancel(stream);
  connection.cancel(stream);
  await say(answer(1, 'late'));
  expect(await hearShort()).toEqual(['reset#1 code 8']);
  expect(told).toEqual([]);
});

it('learns from GOAWAY which streams were not taken, after it was told of the GOAWAY itself', async () => {
  const { ask, say, told } = await openPeer();
  for (let count = 0; count < 3; count += 1) ask();
  await say(frame(TYPE.goaway, 0, 0, Buffer.concat([uint32(3, 0), Buffer.from('debug')])));
  expect(told).toEqual(['goaway', 'end goaway']);
  await say(answer(1, ''), answer(5, 'not any more'), answer(3, ''));
  expect(told.slice(2)).toEqual(['headers 200', 'end complete', 'headers 200', 'end complete']);
});

it('follows a GOAWAY that only announces another', async () => {
  const { ask, say, told } = await openPeer();
  for (let count = 0; count < 3; count += 1) ask();
  await say(frame(TYPE.goaway, 0, 0, uint32(2 ** 31 - 1, 0)));
  expect(told).toEqual(['goaway']);
  await say(answer(1, ''), frame(TYPE.goaway, 0, 0, uint32(3, 0)));
  expect(told.slice(1)).toEqual(['headers 200', 'end complete', 'goaway', 'end goaway']);
});

it('reads the reserved bit of a stream for nothing', async () => {
  const { ask, say, told } = await openPeer();
  ask();
  await say(frame(TYPE.window, 0, 0x80000001, uint32(0x80000001)), answer(0x80000001, ''));
  await say(frame(TYPE.goaway, 0, 0x80000000, uint32(0x80000001, 0)));
  expect(told).toEqual(['headers 200', 'end complete', 'goaway']);
});
