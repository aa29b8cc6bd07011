// Askers and listeners that act on the connection from inside of what they are told.

import { expect, it } from 'vitest';
import type { Stream } from '../../../src/providers/http2/connection.ts';
import {
  answer,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  openPeer,
  SETTING,
  settings,
  TYPE,
  uint32,
} from './peer.ts';

it('tells nothing more of a stream that is cancelled at its headers or body', async () => {
  const { ask, say, hearShort, connection } = await openPeer();
  const streams: Stream[] = [];
  const cancel = (at: number) => () => {
    const stream = streams[at];
    if (stream !== undefined) connection.cancel(stream);
  };
  const asked = [
    ask('', { onHeaders: cancel(0) }),
    ask('', { onHeaders: cancel(1) }),
    ask('', { onBody: cancel(2) }),
    ask('', { onBody: cancel(3) }),
  ];
  streams.push(...asked.map(({ stream }) => stream));
  await hearShort();
  await say(answer(1, 'x'), headers(3, END_HEADERS | END_STREAM), answer(5, 'x'));
  await say(headers(7), data(7, 'x'), data(7, 'y', END_STREAM));
  expect(asked.map(({ told }) => told)).toEqual([
    ['headers 200'],
    ['headers 200'],
    ['headers 200', 'body x'],
    ['headers 200', 'body x'],
  ]);
  expect(await hearShort()).toEqual([1, 3, 5, 7].map((id) => `reset#${id} code 8`));
});

it('resets a stream once that is cancelled at its answer before its body was sent', async () => {
  const { ask, say, hearShort, connection } = await openPeer(settings([SETTING.window, 10]));
  const { stream } = ask('more than ten bytes', { onHeaders: () => connection.cancel(stream) });
  await hearShort();
  await say(headers(1, END_HEADERS | END_STREAM));
  expect(await hearShort()).toEqual(['reset#1 code 8']);
});

it('asks again from inside of every callback', async () => {
  const { ask, say, hear, whenTold } = await openPeer();
  const asked = [ask('0')];
  whenTold((what) => {
    if (what !== 'closed' && asked.length < 6) asked.push(ask(`${asked.length}`));
  });
  await say(answer(1, 'x'), settings(), frame(TYPE.goaway, 0, 0, uint32(2 ** 31 - 1, 0)));
  const bodies = (await hear()).filter(({ type }) => type === 'data');
  expect(bodies.map(({ payload }) => payload.toString())).toEqual(['0', '1', '2', '3', '4', '5']);
  await say(...[3, 5, 7, 9, 11].map((id) => answer(id, '')));
  expect(asked.map(({ told }) => told.at(-1))).toEqual(Array(6).fill('end complete'));
});

it('cancels the others from inside of the first that GOAWAY or a lost socket ends', async () => {
  for (const end of ['goaway', 'lost']) {
    const { ask, say, told, connection, socket } = await openPeer();
    const others: Stream[] = [];
    ask('', {
      onEnd: () => {
        for (const stream of others) connection.cancel(stream);
      },
    });
    others.push(ask().stream, ask().stream);
    if (end === 'goaway') await say(frame(TYPE.goaway, 0, 0, uint32(0, 0)));
    else socket.destroy();
    await say();
    expect(told).toEqual(end === 'goaway' ? ['goaway', 'end goaway'] : ['end lost', 'closed']);
  }
});

it.each(['headers 200', 'body x', 'end complete', 'settings undefined', 'goaway'])(
  'may be closed from inside of "%s"',
  async (moment) => {
    const { ask, say, told, hearShort, whenTold, connection } = await openPeer();
    whenTold((what) => {
      if (what === moment) connection.close();
    });
    const asked = [ask(), ask()];
    await hearShort();
    await say(settings(), answer(1, 'x'), frame(TYPE.goaway, 0, 0, uint32(1, 0)));
    expect(told.at(-1)).toBe('closed');
    for (const one of asked) {
      expect(one.told.filter((what) => what.startsWith('end'))).toHaveLength(1);
    }
    expect((await hearShort()).at(-1)).toBe('goaway#0 code 0');
  },
);

it('ends a stream once that is closed from inside of its end', async () => {
  const { ask, say, told, connection, socket } = await openPeer();
  ask('', { onEnd: () => connection.close() });
  ask('', { onEnd: () => connection.abandon() });
  socket.destroy();
  await say();
  expect(told).toEqual(['end lost', 'end lost', 'closed']);
});
