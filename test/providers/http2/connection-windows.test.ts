// How much may be sent and received: windows of streams and of the connection, both ways.

import { expect, it } from 'vitest';
import {
  ACK,
  answer,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  type HeardFrame,
  headers,
  openPeer,
  openSilent,
  SETTING,
  settings,
  TYPE,
  uint32,
} from './peer.ts';

const widen = (streamId: number, bytes: number) => frame(TYPE.window, 0, streamId, uint32(bytes));

/** DATA as `stream:content`, with a full stop where the stream ends. */
function bodies(heard: readonly HeardFrame[]): readonly string[] {
  return heard
    .filter(({ type }) => type === 'data')
    .map(({ streamId, payload, flags }) => {
      const text = payload.length > 40 ? `${payload.length} bytes` : payload.toString();
      return `${streamId}:${text}${flags === END_STREAM ? '.' : ''}`;
    });
}

it('sends what fits into the window of a stream, and the rest as it widens', async () => {
  const { ask, say, hear, told } = await openPeer(settings([SETTING.window, 10]));
  ask('0123456789abcdef');
  expect(bodies(await hear())).toEqual(['1:0123456789']);
  await say(widen(0, 100));
  expect(bodies(await hear())).toEqual([]);
  await say(widen(1, 2), widen(1, 1));
  expect(bodies(await hear())).toEqual(['1:ab', '1:c']);
  await say(widen(1, 1_000));
  expect(bodies(await hear())).toEqual(['1:def.']);
  await say(answer(1, 'x'));
  expect(told).toEqual(['headers 200', 'body x', 'end complete']);
});

it('sends a body that fits exactly in one piece, and an empty one without a window', async () => {
  const { ask, hear } = await openPeer(settings([SETTING.window, 10]));
  ask('0123456789');
  ask('');
  expect(bodies(await hear())).toEqual(['1:0123456789.', '3:.']);
});

it('sends nothing while a window is below zero', async () => {
  const { ask, say, hear } = openSilent();
  // 65,535 bytes until the peer says otherwise, of which nothing is left then.
  ask('x'.repeat(65_000));
  ask('y'.repeat(600));
  await say(settings([SETTING.window, 100]), widen(0, 100_000));
  expect(bodies(await hear()).at(-1)).toBe('3:535 bytes');
  // What was sent counts against the new window.
  await say(settings([SETTING.window, 535]));
  expect(bodies(await hear())).toEqual([]);
  await say(settings([SETTING.window, 600]));
  expect(bodies(await hear())).toEqual(['3:65 bytes.']);
});

it('sends on when a window that was below zero is widened above it again', async () => {
  const { ask, say, hear } = await openPeer(settings([SETTING.window, 20]));
  ask('x'.repeat(30));
  expect(bodies(await hear())).toEqual([`1:${'x'.repeat(20)}`]);
  await say(settings([SETTING.window, 5]), widen(1, 15));
  expect(bodies(await hear())).toEqual([]);
  await say(widen(1, 1));
  expect(bodies(await hear())).toEqual(['1:x']);
  await say(settings([SETTING.window, 6]), settings([SETTING.window, 1_000]));
  expect(bodies(await hear())).toEqual(['1:x', '1:xxxxxxxx.']);
});

it('acknowledges a wider window before it makes use of it', async () => {
  const { ask, say, hear } = await openPeer(settings([SETTING.window, 0]));
  ask('waits');
  await hear();
  await say(settings([SETTING.window, 100]));
  expect((await hear()).map(({ type, flags }) => `${type} ${flags}`)).toEqual([
    `settings ${ACK}`,
    `data ${END_STREAM}`,
  ]);
});

it('counts only the last of several windows in one SETTINGS', async () => {
  const { ask, say, hear } = await openPeer(settings([SETTING.window, 0]));
  ask('waits');
  await hear();
  await say(settings([SETTING.window, 100], [SETTING.window, 2]));
  expect(bodies(await hear())).toEqual(['1:wa']);
});

it('cuts a large body into frames that every peer takes', async () => {
  const { ask, hear } = await openPeer(
    Buffer.concat([settings([SETTING.window, 50_000], [SETTING.frameSize, 32_768])]),
  );
  ask('x'.repeat(16_384));
  ask('x'.repeat(16_385));
  expect(bodies(await hear())).toEqual(['1:16384 bytes.', '3:16384 bytes', '3:x.']);
});

it('sends in the order of the requests as the window of the connection is refilled', async () => {
  const { ask, say, hear } = await openPeer(settings([SETTING.window, 1_000_000]));
  for (let count = 0; count < 8; count += 1) ask('x'.repeat(10_000));
  const heard = await hear();
  expect(heard.filter(({ type }) => type === 'headers')).toHaveLength(8);
  expect(bodies(heard).slice(-2)).toEqual(['11:10000 bytes.', '13:5535 bytes']);
  // Small enough for the window of its stream, but others came first.
  ask('tiny');
  await say(widen(0, 4_466));
  expect(bodies(await hear())).toEqual(['13:4465 bytes.', '15:x']);
  await say(widen(0, 9_999));
  expect(bodies(await hear())).toEqual(['15:9999 bytes.']);
  await say(widen(0, 3), widen(0, 1));
  expect(bodies(await hear())).toEqual(['17:tin', '17:y.']);
});

it('passes over a stream whose own window is closed', async () => {
  const { ask, say, hear } = await openPeer(settings([SETTING.window, 3]));
  ask('first');
  ask('and');
  await hear();
  ask('ok?');
  expect(bodies(await hear())).toEqual(['5:ok?.']);
  await say(widen(1, 2));
  expect(bodies(await hear())).toEqual(['1:st.']);
});

it.each(['cancel', 'reset', 'goaway'])('forgets a body that waits on %s', async (end) => {
  const { ask, say, hear, connection } = await openPeer(settings([SETTING.window, 1_000_000]));
  ask('x'.repeat(65_535));
  ask('first');
  const { stream } = ask('second');
  ask('third');
  await hear();
  if (end === 'cancel') connection.cancel(stream);
  else if (end === 'reset') await say(frame(TYPE.reset, 0, 5, uint32(7)));
  else await say(frame(TYPE.goaway, 0, 0, uint32(3, 0)));
  await say(widen(0, 100), widen(5, 100));
  expect(bodies(await hear())).toEqual(end === 'goaway' ? ['3:first.'] : ['3:first.', '7:third.']);
});

it('takes an answer for whole that comes before the body could be sent, and sends no more', async () => {
  const { ask, say, hear, hearShort, told } = await openPeer(settings([SETTING.window, 3]));
  ask('too large');
  await hear();
  await say(answer(1, 'no'), widen(1, 100));
  expect(told).toEqual(['headers 200', 'body no', 'end complete']);
  expect(await hearShort()).toEqual(['reset#1 code 8']);
});

it('stops sending a body when the stream ends without an answer', async () => {
  const { ask, say, hear, hearShort, told } = await openPeer(settings([SETTING.window, 3]));
  ask('too large');
  await hear();
  await say(headers(1, END_HEADERS | END_STREAM, Buffer.from('0803313030', 'hex')));
  expect(told).toEqual(['end reset']);
  expect(await hearShort()).toEqual(['reset#1 code 8']);
});

it('lets answers go on beyond the first MiB, whoever still waits for them', async () => {
  const { ask, say, hear, connection } = await openPeer();
  const piece = 'x'.repeat(16_000);
  let given = 1_048_576;
  let taken = 0;
  for (let count = 0; count < 100; count += 1) {
    const { stream } = ask('');
    if (count % 3 === 0) connection.cancel(stream);
    await say(headers(stream.id), data(stream.id, piece), data(stream.id, piece, END_STREAM));
    taken += 2 * piece.length;
    for (const { type, streamId, payload } of await hear()) {
      if (type !== 'window') continue;
      expect(streamId).toBe(0);
      given += payload.readUInt32BE(0);
    }
    // Never more than it said at first, and never so little that the peer would have to wait.
    expect(given - taken).toBeLessThanOrEqual(1_048_576);
    expect(given - taken).toBeGreaterThan(524_288);
  }
});

it('counts padding as received, too', async () => {
  const { ask, say, hear } = await openPeer();
  const { stream } = ask('');
  const padded = Buffer.concat([Buffer.from([255]), Buffer.alloc(256)]);
  const pieces = Array.from({ length: 2_100 }, () => frame(TYPE.data, 0x8, stream.id, padded));
  await say(headers(1), ...pieces);
  const windows = (await hear()).filter(({ type }) => type === 'window');
  expect(windows.map(({ payload }) => payload.readUInt32BE(0))).toEqual([2_041 * 257]);
});
