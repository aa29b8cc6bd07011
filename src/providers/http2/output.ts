// Collects frames and gives them to the socket in one piece per turn of the event loop: a write is a system
// call and a TLS record, which cost more than all the rest of a request.

import type { Duplex } from 'node:stream';

/** Holds some 90 requests. It is filled once and then left to the socket, never written over. */
const SLAB_BYTES = 65_536;

export class Output {
  readonly #socket: Duplex;
  #slab: Buffer = Buffer.alloc(0);
  /** From here on nothing was given to the socket yet. */
  #start = 0;
  #end = 0;
  #scheduled = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** Makes room for the bytes that are about to be written. */
  reserve(bytes: number): void {
    if (this.#slab.length - this.#end >= bytes) return;
    this.flush();
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes));
    this.#start = 0;
    this.#end = 0;
  }

  byte(value: number): void {
    this.#slab[this.#end++] = value;
  }

  latin1(text: string): void {
    this.#end += this.#slab.write(text, this.#end, 'latin1');
  }

  utf8(text: string): void {
    this.#end += this.#slab.write(text, this.#end, 'utf8');
  }

  bytes(bytes: Uint8Array): void {
    this.#slab.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  uint24(value: number): void {
    this.#end = this.#slab.writeUIntBE(value, this.#end, 3);
  }

  uint32(value: number): void {
    this.#end = this.#slab.writeUInt32BE(value, this.#end);
  }

  /** Where the next byte goes, for `closeFrame`. Holds until the next `reserve`. */
  get position(): number {
    return this.#end;
  }

  /** Sets the length of the frame whose header begins at `position`; its payload ends here. */
  closeFrame(position: number, headerBytes: number): void {
    this.#slab.writeUIntBE(this.#end - position - headerBytes, position, 3);
  }

  /** Hands over what was collected when this turn of the event loop has done its work. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.#end === this.#start) return;
    const piece = this.#slab.subarray(this.#start, this.#end);
    this.#start = this.#end;
    if (this.#socket.writable) this.#socket.write(piece);
  }
}
