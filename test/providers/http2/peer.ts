// A peer of the HTTP/2 client that says exactly the bytes it is told to, and notes what it hears. It reads frames
// by itself, so that a mistake in the client's reader does not hide one in its writer.

import { type Duplex, duplexPair } from 'node:stream';
import {
  type Asker,
  Http2Connection,
  type Stream,
} from '../../../src/providers/http2/connection.ts';
import type { RequestHeaders } from '../../../src/providers/http2/hpack-encoder.ts';
import { turn } from '../support.ts';

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const;
export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITY = 0x20;
/** Settings by their numbers in the protocol. */
export const SETTING = { tableSize: 1, maxStreams: 3, window: 4, frameSize: 5 } as const;

const NAMES = new Map<number, string>(Object.entries(TYPE).map(([name, type]) => [type, name]));
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const HEADERS: RequestHeaders = { ':path': '/' };

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, at) => {
    bytes.writeUInt32BE(value, 4 * at);
  });
  return bytes;
}

export function frame(
  type: number,
  flags = 0,
  streamId = 0,
  payload: Uint8Array = Buffer.alloc(0),
) {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const pieces = pairs.map(([id, value]) => Buffer.concat([Buffer.from([0, id]), uint32(value)]));
  return frame(TYPE.settings, 0, 0, Buffer.concat(pieces));
}

/** `:status: 200` is entry 8 of the static table. */
export const OK = Buffer.from([0x88]);

export function headers(streamId: number, flags = END_HEADERS, block: Uint8Array = OK): Buffer {
  return frame(TYPE.headers, flags, streamId, block);
}

export function data(streamId: number, text: string, flags = 0): Buffer {
  return frame(TYPE.data, flags, streamId, Buffer.from(text));
}

/** A whole answer: 200 and a body. */
export function answer(streamId: number, text: string): Buffer {
  return Buffer.concat([headers(streamId), data(streamId, text, END_STREAM)]);
}

export interface HeardFrame {
  readonly type: string;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export interface Asked {
  readonly stream: Stream;
  /** What the asker was told, in order. */
  readonly told: string[];
}

export interface Opened {
  readonly connection: Http2Connection;
  /** The peer's end. */
  readonly socket: Duplex;
  /** What the listener and all askers were told, in order. */
  readonly told: string[];
  /** Calls `react` from inside of whatever is told from now on. */
  whenTold(react: (what: string) => void): void;
  /** Frames that were heard since this was last asked. */
  hear(): Promise<readonly HeardFrame[]>;
  /** As `hear`, shortened to what most tests are about: `type#stream bytes`. */
  hearShort(): Promise<readonly string[]>;
  say(...pieces: readonly Uint8Array[]): Promise<void>;
  ask(body?: string, react?: Partial<Asker>, headers?: RequestHeaders): Asked;
}

/** A connection to a peer that has said nothing yet. */
export function openSilent(): Opened {
  const [mine, socket] = duplexPair();
  const told: string[] = [];
  let onTold: (what: string) => void = () => undefined;
  const note = (what: string): void => {
    told.push(what);
    onTold(what);
  };
  mine.on('error', () => undefined);
  socket.on('error', () => undefined);
  let unread: Buffer = Buffer.alloc(0);
  let isIntroduced = false;
  socket.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
  });
  const connection = new Http2Connection(mine, 'peer.example:8443', {
    onSettings: (most) => note(`settings ${most}`),
    onGoaway: () => note('goaway'),
    onClosed: () => note('closed'),
  });

  const hear = async (): Promise<readonly HeardFrame[]> => {
    // One turn for what was collected, others for what the sockets hand on.
    for (let turns = 0; turns < 3; turns += 1) await turn();
    if (!isIntroduced && unread.length > 0) {
      if (unread.toString('latin1', 0, PREFACE.length) !== PREFACE) throw new Error('no preface');
      unread = unread.subarray(PREFACE.length);
      isIntroduced = true;
    }
    const heard: HeardFrame[] = [];
    while (unread.length >= 9) {
      const end = 9 + unread.readUIntBE(0, 3);
      heard.push({
        type: NAMES.get(unread[3] ?? 0) ?? 'unknown',
        flags: unread[4] ?? 0,
        streamId: unread.readUInt32BE(5),
        payload: unread.subarray(9, end),
      });
      unread = unread.subarray(end);
    }
    if (unread.length > 0) throw new Error('half a frame');
    return heard;
  };

  return {
    connection,
    socket,
    told,
    whenTold(react) {
      onTold = react;
    },
    hear,
    hearShort: async () =>
      (await hear()).map(({ type, streamId, payload }) =>
        type === 'goaway' || type === 'reset'
          ? `${type}#${streamId} code ${payload.at(-1)}`
          : `${type}#${streamId} ${payload.length}`,
      ),
    async say(...pieces) {
      if (!socket.destroyed) socket.write(Buffer.concat(pieces));
      for (let turns = 0; turns < 3; turns += 1) await turn();
    },
    ask(body = '{}', react = {}, fields = HEADERS) {
      const mineOnly: string[] = [];
      const noteBoth = (what: string): void => {
        mineOnly.push(what);
        note(what);
      };
      const stream = connection.request(fields, body, {
        onHeaders(status, answered) {
          noteBoth(`headers ${status}`);
          react.onHeaders?.(status, answered);
        },
        onBody(chunk) {
          noteBoth(`body ${chunk.toString('latin1')}`);
          react.onBody?.(chunk);
        },
        onEnd(why) {
          noteBoth(`end ${why}`);
          react.onEnd?.(why);
        },
      });
      if (stream === undefined) throw new Error('not written');
      return { stream, told: mineOnly };
    },
  };
}

/** A connection whose peer has introduced itself, and has heard the client's introduction. */
export async function openPeer(first: Uint8Array = settings()): Promise<Opened> {
  const opened = openSilent();
  await opened.say(first);
  await opened.hear();
  opened.told.length = 0;
  return opened;
}
