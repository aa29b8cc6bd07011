// The frames of HTTP/2 (RFC 9113, section 6), and how a stream of bytes is cut into them.

export const FRAME_HEADER_BYTES = 9;
/** What each side takes unless its SETTINGS allow more; ours never do. */
export const MAX_FRAME_BYTES = 16_384;

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = {
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
} as const;

/** Section 7. */
export const ERROR_CODE = {
  none: 0,
  protocol: 1,
  flowControl: 3,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

/** The peer broke the protocol in a way that ends the connection. */
export class Http2Error extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  /** A view into what the socket read; to be copied by whoever keeps it. */
  readonly payload: Buffer;
}

export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  #rest: Buffer | undefined;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** @throws Http2Error if a frame is larger than `MAX_FRAME_BYTES`, and whatever `onFrame` throws. */
  read(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      if (length > MAX_FRAME_BYTES) throw new Http2Error(ERROR_CODE.frameSize, 'frame too large');
      const start = at + FRAME_HEADER_BYTES;
      if (bytes.length - start < length) break;
      this.#onFrame({
        type: bytes[at + 3] ?? 0,
        flags: bytes[at + 4] ?? 0,
        streamId: bytes.readUInt32BE(at + 5) & 0x7fffffff,
        payload: bytes.subarray(start, start + length),
      });
      at = start + length;
    }
    if (at < bytes.length) this.#rest = bytes.subarray(at);
  }
}

/**
 * The content of a DATA or HEADERS frame without what surrounds it (sections 6.1 and 6.2).
 * @throws Http2Error if the padding is longer than the frame.
 */
export function unpad({ type, flags, payload }: Frame): Buffer {
  let start = 0;
  let padding = 0;
  if ((flags & FLAG.padded) !== 0) {
    padding = payload[0] ?? payload.length;
    start = 1;
  }
  if (type === FRAME.headers && (flags & FLAG.priority) !== 0) start += 5;
  const end = payload.length - padding;
  if (end < start) throw new Http2Error(ERROR_CODE.protocol, 'padding longer than the frame');
  return payload.subarray(start, end);
}
