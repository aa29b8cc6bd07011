// Reads header blocks of the peer (RFC 7541). Every block of a connection must pass through here, also those
// of streams that nobody waits for, since each may change the table that the next one refers to.

import { decodeHuffman } from './huffman.ts';
import { DEFAULT_TABLE_BYTES, entryBytes, type Field, STATIC_TABLE } from './static-table.ts';

export interface DecodedHeaders {
  /** 0 if there is none, as in trailers. */
  readonly status: number;
  /** Names are lower case. Of a field that comes more than once, the first counts. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The block cannot be read; the connection is of no use any more (COMPRESSION_ERROR). */
export class HpackError extends Error {}

/** Longer than any length or index can be in a block of 64 KiB. */
const MAX_INTEGER = 2 ** 21;

export class HpackDecoder {
  /** Newest last. */
  #entries: Field[] = [];
  #bytes = 0;
  #limit = DEFAULT_TABLE_BYTES;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;

  /** @throws HpackError */
  decode(block: Buffer): DecodedHeaders {
    this.#block = block;
    this.#at = 0;
    let status = 0;
    const headers: Record<string, string> = {};
    let sizeMayChange = true;
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        if (!sizeMayChange) throw new HpackError('table size changed within a block');
        this.#resize(this.#integer(5));
        continue;
      }
      sizeMayChange = false;
      const [name, value] = this.#field(first);
      if (name === ':status') status = Number(value);
      else headers[name] ??= value;
    }
    return { status, headers };
  }

  #field(first: number): Field {
    if ((first & 0x80) !== 0) return this.#entry(this.#integer(7));
    const isIndexed = (first & 0x40) !== 0;
    const nameIndex = this.#integer(isIndexed ? 6 : 4);
    const name = nameIndex === 0 ? this.#string() : this.#entry(nameIndex)[0];
    const field: Field = [name, this.#string()];
    if (isIndexed) this.#insert(field);
    return field;
  }

  #entry(index: number): Field {
    const entry =
      index <= STATIC_TABLE.length
        ? STATIC_TABLE[index - 1]
        : this.#entries[this.#entries.length - (index - STATIC_TABLE.length)];
    if (entry === undefined) throw new HpackError(`no entry ${index}`);
    return entry;
  }

  #insert(field: Field): void {
    this.#entries.push(field);
    this.#bytes += entryBytes(...field);
    this.#evict();
  }

  #resize(limit: number): void {
    if (limit > DEFAULT_TABLE_BYTES) throw new HpackError('table larger than allowed');
    this.#limit = limit;
    this.#evict();
  }

  /** A field that is larger than the whole table empties it (section 4.4). */
  #evict(): void {
    while (this.#bytes > this.#limit) {
      const oldest = this.#entries.shift();
      if (oldest === undefined) return;
      this.#bytes -= entryBytes(...oldest);
    }
  }

  /** Section 5.1: what does not fit into the prefix follows in groups of seven bits, the lowest first. */
  #integer(prefixBits: number): number {
    const max = (1 << prefixBits) - 1;
    let value = this.#byte() & max;
    if (value < max) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (value > MAX_INTEGER || shift > 21) throw new HpackError('integer too large');
      if (byte < 0x80) return value;
    }
  }

  #string(): string {
    const isHuffman = ((this.#block[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#block.length) throw new HpackError('string beyond the block');
    if (!isHuffman) return this.#block.toString('latin1', start, this.#at);
    const text = decodeHuffman(this.#block, start, this.#at);
    if (text === undefined) throw new HpackError('not in the Huffman code');
    return text;
  }

  #byte(): number {
    const byte = this.#block[this.#at++];
    if (byte === undefined) throw new HpackError('block ends early');
    return byte;
  }
}
