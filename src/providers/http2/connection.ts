// The client's end of one HTTP/2 connection (RFC 9113), for requests of one piece and short answers: what a
// push provider is asked. No streams of Node, no server push, no priorities.

import type { Duplex } from 'node:stream';
import { FrameWriter } from './frame-writer.ts';
import {
  ERROR_CODE,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  type Frame,
  FrameReader,
  Http2Error,
  MAX_FRAME_BYTES,
  SETTING,
  unpad,
} from './frames.ts';
import { HpackDecoder, HpackError } from './hpack-decoder.ts';
import { HpackEncoder, type RequestHeaders } from './hpack-encoder.ts';
import { Output } from './output.ts';
import { DEFAULT_WINDOW_BYTES, type Sender, Windows } from './windows.ts';

/** How a stream ended. `complete`: the answer is whole. */
export type StreamEnd = 'complete' | 'refused' | 'goaway' | 'reset' | 'lost';

/** Whoever asked. `onEnd` is called once and last, unless the stream is cancelled. */
export interface Asker {
  onHeaders(status: number, headers: Readonly<Record<string, string>>): void;
  /** A view that is overwritten never, but keeps its neighbours in memory. */
  onBody(chunk: Buffer): void;
  onEnd(why: StreamEnd): void;
}

export interface ConnectionListener {
  /** How many streams the peer takes at once; `undefined` is any number. Called for each SETTINGS. */
  onSettings(maxConcurrentStreams: number | undefined): void;
  /** No more streams; those that the peer has not taken end as `goaway` after this. */
  onGoaway(): void;
  /** Nothing is left of it; every stream has ended. */
  onClosed(): void;
}

/** A request that was written. */
export interface Stream extends Sender {
  /** Gone when it has ended: a table that V8 has not collected yet must not keep more than this alive. */
  asker: Asker | undefined;
  isAnswered: boolean;
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** What the peer may send on a stream before it has to wait, which it never has to: askers stop sooner. */
const STREAM_WINDOW_BYTES = 131_072;
const CONNECTION_WINDOW_BYTES = 1_048_576;
/** Headers of an answer, in one frame or several. Providers send some hundred bytes. */
const MAX_HEADER_BLOCK_BYTES = 65_536;
/** Several times what a full connection may have to say: a peer that asks and never reads gets no more. */
const MAX_UNWRITTEN_BYTES = 16_777_216;
const PING_BYTES = Buffer.alloc(8);
const REASONS: Readonly<Record<number, StreamEnd>> = { [ERROR_CODE.refusedStream]: 'refused' };

export class Http2Connection {
  readonly #socket: Duplex;
  readonly #pseudoHeaders: RequestHeaders;
  readonly #listener: ConnectionListener;
  readonly #output: Output;
  readonly #writer: FrameWriter;
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder();
  readonly #streams = new Map<number, Stream>();
  readonly #windows = new Windows(({ id }, bytes, isLast) => this.#writer.data(id, bytes, isLast));
  #nextId = 1;
  #unacknowledgedBytes = 0;
  #maxConcurrentStreams: number | undefined;
  /** A header block of which more is to come. */
  #partial: { readonly first: Frame; readonly pieces: Buffer[]; bytes: number } | undefined;
  #isSettled = false;
  #closed = false;

  /** `socket` is connected and belongs to the connection from now on; its errors are somebody else's. */
  constructor(socket: Duplex, authority: string, listener: ConnectionListener) {
    this.#socket = socket;
    this.#pseudoHeaders = { ':method': 'POST', ':scheme': 'https', ':authority': authority };
    this.#listener = listener;
    this.#output = new Output(socket);
    this.#writer = new FrameWriter(this.#output);
    const reader = new FrameReader((frame) => this.#onFrame(frame));
    socket.on('data', (chunk: Buffer) => this.#read(reader, chunk));
    socket.on('end', () => this.close());
    socket.on('close', () => this.#onClosed());
    this.#introduce();
  }

  get closed(): boolean {
    return this.#closed || !this.#socket.writable;
  }

  /**
   * Writes a POST with `headers` (lower case, `:path` first) and `body`. `undefined` if HTTP/2 cannot carry
   * them; nothing was written then. Whether the peer takes one more stream is for the caller to know.
   */
  request(headers: RequestHeaders, body: string, asker: Asker): Stream | undefined {
    const maxBlockBytes = this.#encoder.prepare({ ...this.#pseudoHeaders, ...headers });
    if (maxBlockBytes === undefined || maxBlockBytes > MAX_FRAME_BYTES) return undefined;
    const id = this.#nextId;
    this.#nextId += 2;
    const stream: Stream = {
      id,
      asker,
      window: this.#windows.initial,
      unsent: undefined,
      isAnswered: false,
    };
    this.#streams.set(id, stream);
    this.#writer.headers(id, this.#encoder, maxBlockBytes);
    const bodyBytes = Buffer.byteLength(body);
    if (bodyBytes <= MAX_FRAME_BYTES && this.#windows.take(stream, bodyBytes)) {
      this.#writer.body(id, body, bodyBytes);
    } else {
      stream.unsent = Buffer.from(body);
      this.#windows.wait(stream);
    }
    return stream;
  }

  /** Ends the stream without another word to the asker. The peer may have acted on it. */
  cancel(stream: Stream): void {
    if (this.#forget(stream) === undefined) return;
    this.#writer.resetStream(stream.id, ERROR_CODE.cancel);
  }

  ping(): void {
    this.#writer.frame(FRAME.ping, 0, 0, PING_BYTES);
  }

  /** Says goodbye as far as that goes at once, and lets go of the socket; `onClosed` follows. */
  close(errorCode: number = ERROR_CODE.none): void {
    if (this.#closed || this.#socket.destroyed) return;
    this.#writer.goaway(errorCode);
    this.#output.flush();
    this.#socket.destroy();
  }

  /** Lets go of the socket without a word; `onClosed` follows. */
  abandon(): void {
    this.#socket.destroy();
  }

  #introduce(): void {
    const settings = Buffer.alloc(12);
    settings.writeUInt16BE(SETTING.enablePush, 0);
    settings.writeUInt16BE(SETTING.initialWindowSize, 6);
    settings.writeUInt32BE(STREAM_WINDOW_BYTES, 8);
    this.#output.reserve(PREFACE.length);
    this.#output.bytes(PREFACE);
    this.#writer.frame(FRAME.settings, 0, 0, settings);
    this.#writer.widenConnection(CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    this.#output.flush();
  }

  #read(reader: FrameReader, chunk: Buffer): void {
    if (this.#closed || this.#socket.destroyed) return;
    try {
      reader.read(chunk);
    } catch (error) {
      if (error instanceof HpackError) this.close(ERROR_CODE.compression);
      else if (error instanceof Http2Error) this.close(error.code);
      else throw error;
    }
    if (this.#socket.writableLength > MAX_UNWRITTEN_BYTES) this.close(ERROR_CODE.enhanceYourCalm);
  }

  #onFrame(frame: Frame): void {
    const { type } = frame;
    if ((this.#partial !== undefined) !== (type === FRAME.continuation)) {
      throw violation('a header block was interrupted');
    }
    if (!this.#isSettled && type !== FRAME.settings) throw violation('no SETTINGS at first');
    switch (type) {
      case FRAME.data:
        this.#onData(frame);
        break;
      case FRAME.headers:
        this.#onHeaders(frame);
        break;
      case FRAME.continuation:
        this.#onContinuation(frame);
        break;
      case FRAME.resetStream:
        this.#onReset(frame);
        break;
      case FRAME.settings:
        this.#onSettings(frame);
        break;
      case FRAME.ping:
        this.#onPing(frame);
        break;
      case FRAME.goaway:
        this.#onGoaway(frame);
        break;
      case FRAME.windowUpdate:
        this.#onWindowUpdate(frame);
        break;
      case FRAME.pushPromise:
        throw violation('server push was not allowed');
      default:
      // Priorities, and what a later version may bring (section 4.1).
    }
  }

  #onData(frame: Frame): void {
    const stream = this.#streamOf(frame);
    this.#unacknowledgedBytes += frame.payload.length;
    if (this.#unacknowledgedBytes >= CONNECTION_WINDOW_BYTES / 2) {
      this.#writer.widenConnection(this.#unacknowledgedBytes);
      this.#unacknowledgedBytes = 0;
    }
    const content = unpad(frame);
    if (stream === undefined) return;
    if (!stream.isAnswered) throw violation('DATA before HEADERS');
    if (content.length > 0) stream.asker?.onBody(content);
    if ((frame.flags & FLAG.endStream) !== 0) this.#finish(stream);
  }

  #onHeaders(frame: Frame): void {
    // Also of a stream that is gone: the block may change the table.
    this.#streamOf(frame);
    const block = unpad(frame);
    if ((frame.flags & FLAG.endHeaders) !== 0) this.#onBlock(frame, block);
    else this.#partial = { first: frame, pieces: [Buffer.from(block)], bytes: block.length };
  }

  #onContinuation({ flags, streamId, payload }: Frame): void {
    const partial = this.#partial;
    if (partial?.first.streamId !== streamId) throw violation('CONTINUATION of another stream');
    partial.pieces.push(Buffer.from(payload));
    // Counted as a whole frame, so that empty ones cannot go on for ever.
    partial.bytes += payload.length + FRAME_HEADER_BYTES;
    if (partial.bytes > MAX_HEADER_BLOCK_BYTES) {
      throw new Http2Error(ERROR_CODE.enhanceYourCalm, 'header block too large');
    }
    if ((flags & FLAG.endHeaders) === 0) return;
    this.#partial = undefined;
    this.#onBlock(partial.first, Buffer.concat(partial.pieces));
  }

  #onBlock({ flags, streamId }: Frame, block: Buffer): void {
    const { status, headers } = this.#decoder.decode(block);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    // Informational answers precede the answer, trailers follow it.
    if (!stream.isAnswered && status >= 200) {
      stream.isAnswered = true;
      stream.asker?.onHeaders(status, headers);
    }
    if ((flags & FLAG.endStream) !== 0) this.#finish(stream);
  }

  #onReset(frame: Frame): void {
    expectLength(frame, 4);
    const stream = this.#streamOf(frame);
    if (stream !== undefined) this.#end(stream, REASONS[frame.payload.readUInt32BE(0)] ?? 'reset');
  }

  #onSettings({ flags, streamId, payload }: Frame): void {
    if (streamId !== 0) throw violation('SETTINGS of a stream');
    if ((flags & FLAG.ack) !== 0) return;
    if (payload.length % 6 !== 0) throw new Http2Error(ERROR_CODE.frameSize, 'SETTINGS');
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case SETTING.headerTableSize:
          this.#encoder.limitTable(value);
          break;
        case SETTING.maxConcurrentStreams:
          this.#maxConcurrentStreams = value;
          break;
        case SETTING.initialWindowSize:
          this.#windows.setInitial(value, this.#streams.values());
          break;
      }
    }
    this.#isSettled = true;
    this.#writer.frame(FRAME.settings, FLAG.ack, 0);
    this.#windows.pump();
    this.#listener.onSettings(this.#maxConcurrentStreams);
  }

  #onPing(frame: Frame): void {
    expectLength(frame, 8);
    if ((frame.flags & FLAG.ack) === 0) this.#writer.frame(FRAME.ping, FLAG.ack, 0, frame.payload);
  }

  #onGoaway({ payload }: Frame): void {
    if (payload.length < 8) throw new Http2Error(ERROR_CODE.frameSize, 'GOAWAY');
    const lastStreamId = payload.readUInt32BE(0) & 0x7fffffff;
    this.#listener.onGoaway();
    for (const stream of [...this.#streams.values()]) {
      if (stream.id > lastStreamId) this.#end(stream, 'goaway');
    }
  }

  #onWindowUpdate(frame: Frame): void {
    expectLength(frame, 4);
    const bytes = frame.payload.readUInt32BE(0) & 0x7fffffff;
    if (bytes === 0) throw violation('a window widened by nothing');
    if (frame.streamId === 0) {
      this.#windows.widenConnection(bytes);
      return;
    }
    const stream = this.#streamOf(frame);
    if (stream !== undefined) this.#windows.widen(stream, bytes);
  }

  /** `undefined` if it has ended. */
  #streamOf({ streamId }: Frame): Stream | undefined {
    if (streamId % 2 === 0 || streamId >= this.#nextId) throw violation('a stream that never was');
    return this.#streams.get(streamId);
  }

  /** The peer says no more on this stream. */
  #finish(stream: Stream): void {
    const asker = this.#forget(stream);
    // It may have cancelled what it was just told about.
    if (asker === undefined) return;
    // Said before it has read the request: it need not read the rest.
    if (stream.unsent !== undefined) this.#writer.resetStream(stream.id, ERROR_CODE.cancel);
    asker.onEnd(stream.isAnswered ? 'complete' : 'reset');
  }

  #end(stream: Stream, why: StreamEnd): void {
    this.#forget(stream)?.onEnd(why);
  }

  /** Whom to tell; nobody if it has ended before. */
  #forget(stream: Stream): Asker | undefined {
    const { asker } = stream;
    stream.asker = undefined;
    this.#windows.forget(stream);
    this.#streams.delete(stream.id);
    return asker;
  }

  #onClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of [...this.#streams.values()]) this.#end(stream, 'lost');
    this.#listener.onClosed();
  }
}

function violation(message: string): Http2Error {
  return new Http2Error(ERROR_CODE.protocol, message);
}

function expectLength({ payload }: Frame, bytes: number): void {
  if (payload.length !== bytes) throw new Http2Error(ERROR_CODE.frameSize, `not ${bytes} bytes`);
}
