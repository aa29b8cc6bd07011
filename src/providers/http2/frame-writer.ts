// Writes the frames that a client sends (RFC 9113, section 6).

import { FLAG, FRAME, FRAME_HEADER_BYTES, MAX_FRAME_BYTES } from './frames.ts';
import type { HpackEncoder } from './hpack-encoder.ts';
import type { Output } from './output.ts';

export class FrameWriter {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  /** The block that the encoder has prepared, of which it is known how long it can be. */
  headers(streamId: number, encoder: HpackEncoder, maxBlockBytes: number): void {
    const start = this.#begin(FRAME.headers, FLAG.endHeaders, streamId, maxBlockBytes);
    encoder.write(this.#output);
    this.#output.closeFrame(start, FRAME_HEADER_BYTES);
  }

  /** A whole body of `bytes` bytes, at most `MAX_FRAME_BYTES`. */
  body(streamId: number, text: string, bytes: number): void {
    this.#begin(FRAME.data, FLAG.endStream, streamId, bytes);
    this.#output.utf8(text);
  }

  /** A part of a body, of any length. */
  data(streamId: number, bytes: Buffer, isLast: boolean): void {
    for (let at = 0; at < bytes.length; at += MAX_FRAME_BYTES) {
      const piece = bytes.subarray(at, at + MAX_FRAME_BYTES);
      const ends = isLast && at + piece.length === bytes.length;
      this.frame(FRAME.data, ends ? FLAG.endStream : 0, streamId, piece);
    }
  }

  resetStream(streamId: number, errorCode: number): void {
    this.#number(FRAME.resetStream, streamId, errorCode);
  }

  /** Lets the peer send so much more on all streams together. */
  widenConnection(bytes: number): void {
    this.#number(FRAME.windowUpdate, 0, bytes);
  }

  /** The peer has opened no stream, so that the last one taken is 0. */
  goaway(errorCode: number): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(errorCode, 4);
    this.frame(FRAME.goaway, 0, 0, payload);
  }

  frame(type: number, flags: number, streamId: number, payload?: Uint8Array): void {
    this.#begin(type, flags, streamId, payload?.length ?? 0);
    if (payload !== undefined) this.#output.bytes(payload);
  }

  #number(type: number, streamId: number, value: number): void {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(value, 0);
    this.frame(type, 0, streamId, payload);
  }

  /** Makes room for the payload, too. Returns where the frame begins. */
  #begin(type: number, flags: number, streamId: number, payloadBytes: number): number {
    const output = this.#output;
    output.reserve(FRAME_HEADER_BYTES + payloadBytes);
    const start = output.position;
    output.uint24(payloadBytes);
    output.byte(type);
    output.byte(flags);
    output.uint32(streamId);
    output.schedule();
    return start;
  }
}
