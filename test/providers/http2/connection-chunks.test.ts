// Bytes of any kind in pieces of any size: the same is understood however they are cut, and whatever they are,
// nothing is thrown and every stream ends once.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  ACK,
  answer,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  type Opened,
  openPeer,
  openSilent,
  PADDED,
  SETTING,
  settings,
  TYPE,
  uint32,
} from './peer.ts';

/** All that a peer may say to five requests, of which the first is cancelled. */
const CONVERSATION: readonly Buffer[] = [
  settings([SETTING.maxStreams, 100], [SETTING.window, 50], [SETTING.tableSize, 64]),
  frame(TYPE.settings, ACK),
  frame(TYPE.window, 0, 0, uint32(1_000)),
  headers(3, 0, Buffer.from('3f458840', 'hex')),
  frame(TYPE.continuation, 0, 3, Buffer.from('036b', 'hex')),
  frame(TYPE.continuation, END_HEADERS, 3, Buffer.from('65790576616c7565', 'hex')),
  frame(TYPE.ping, 0, 0, Buffer.alloc(8, 7)),
  answer(1, 'to nobody'),
  data(3, 'some'),
  headers(5, END_HEADERS, Buffer.from('0803313030', 'hex')),
  headers(5, END_HEADERS | END_STREAM, Buffer.from('8dbe', 'hex')),
  frame(TYPE.data, PADDED, 3, Buffer.from('\x02 more\0\0')),
  frame(TYPE.window, 0, 7, uint32(20)),
  frame(0xfa, 3, 7, Buffer.from('unknown')),
  frame(TYPE.reset, 0, 7, uint32(7)),
  headers(3, END_HEADERS | END_STREAM, Buffer.from('be', 'hex')),
  settings([SETTING.window, 10]),
  frame(TYPE.goaway, 0, 0, Buffer.concat([uint32(7, 0), Buffer.from('bye')])),
];
const UNDERSTOOD = [
  'settings 100',
  'headers 200',
  'body some',
  'headers 404',
  'end complete',
  'body  more',
  'end refused',
  'end complete',
  'settings 100',
  'goaway',
  'end goaway',
];

function askFive({ ask, connection }: Opened) {
  const asked = [1, 2, 3, 4, 5].map((times) => ask('x'.repeat(times * 15)));
  const cancelled = asked.shift();
  if (cancelled !== undefined) connection.cancel(cancelled.stream);
  return asked;
}

/** What is understood of the bytes, and what is answered to them. */
async function understand(pieces: readonly Uint8Array[]) {
  const opened = openSilent();
  askFive(opened);
  for (const piece of pieces) opened.socket.write(piece);
  await opened.say();
  const heard = (await opened.hear()).map(({ type, flags, streamId }) => [type, flags, streamId]);
  return { told: opened.told, heard };
}

it('understands the same wherever the bytes are cut', async () => {
  const bytes = Buffer.concat(CONVERSATION);
  const { told, heard } = await understand([bytes]);
  expect(told).toEqual(UNDERSTOOD);
  expect(heard.filter(([type]) => type === 'goaway')).toEqual([]);
  for (let at = 1; at < bytes.length; at += 1) {
    const cut = await understand([bytes.subarray(0, at), bytes.subarray(at)]);
    expect(cut, `cut at ${at}`).toEqual({ told, heard });
  }
  expect(await understand([...bytes].map((byte) => Buffer.from([byte])))).toEqual({ told, heard });
});

/** Whether each ended at most once, last, and after the socket has closed exactly once. */
async function expectSound(opened: Opened, asked: ReturnType<typeof askFive>): Promise<void> {
  for (const isClosed of [false, true]) {
    if (isClosed) opened.socket.destroy();
    await opened.say();
    for (const { told } of asked) {
      const ends = told.filter((what) => what.startsWith('end'));
      expect(ends.length).toBeLessThanOrEqual(1);
      if (isClosed || opened.told.includes('closed')) expect(ends).toHaveLength(1);
      if (ends.length > 0) expect(told.at(-1)).toBe(ends[0]);
    }
  }
  expect(opened.told.filter((what) => what === 'closed')).toHaveLength(1);
  expect(opened.told.at(-1)).toBe('closed');
}

it('survives whatever bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, isEarly) => {
      const opened = isEarly ? openSilent() : await openPeer();
      const asked = askFive(opened);
      await opened.say(bytes);
      await expectSound(opened, asked);
    }),
    { numRuns: 500 },
  );
});

const anyFrame = fc
  .record({
    type: fc.nat(10),
    flags: fc.oneof(
      fc.constantFrom(0, 1, END_HEADERS, END_HEADERS | END_STREAM, PADDED),
      fc.nat(255),
    ),
    streamId: fc.nat(12),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc.constantFrom(4, 6, 8).map((bytes) => new Uint8Array(bytes)),
      fc.constant(Uint8Array.of(0x88)),
    ),
  })
  .map(({ type, flags, streamId, payload }) => frame(type, flags, streamId, payload));

it('survives whatever frames', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { maxLength: 12 }), async (frames) => {
      const opened = await openPeer();
      const asked = askFive(opened);
      for (const one of frames) await opened.say(one);
      await expectSound(opened, asked);
    }),
    { numRuns: 500 },
  );
});

const mutation = fc.record({
  at: fc.nat(),
  cut: fc.nat(3),
  piece: fc.uint8Array({ maxLength: 3 }),
});

it('survives conversations of which bytes are changed, missing or too many', async () => {
  const mutated = fc
    .tuple(
      fc.shuffledSubarray([...CONVERSATION.keys()], { minLength: 10 }),
      fc.boolean(),
      fc.array(mutation, { maxLength: 3 }),
    )
    .map(([order, isShuffled, mutations]) => {
      const frames = isShuffled ? order.map((at) => CONVERSATION[at] ?? '') : CONVERSATION;
      let bytes: Buffer = Buffer.concat(frames.map((one) => Buffer.from(one)));
      for (const { at, cut, piece } of mutations) {
        const from = at % bytes.length;
        bytes = Buffer.concat([bytes.subarray(0, from), piece, bytes.subarray(from + cut)]);
      }
      return bytes;
    });
  await fc.assert(
    fc.asyncProperty(mutated, fc.integer({ min: 1, max: 400 }), async (bytes, chunkBytes) => {
      const opened = openSilent();
      const asked = askFive(opened);
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        opened.socket.write(bytes.subarray(at, at + chunkBytes));
      }
      await expectSound(opened, asked);
    }),
    { numRuns: 500 },
  );
});
