// Writes header blocks for the peer (RFC 7541). A field whose value comes twice in a row takes a place in the
// table and is a single byte from then on: authorization, topic, priority. Ids, expiry and tokens never do.

import type { Output } from './output.ts';
import {
  DEFAULT_TABLE_BYTES,
  entryBytes,
  type Field,
  STATIC_NAMES,
  STATIC_TABLE,
} from './static-table.ts';

/** Names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | number>>;

/** The last value that a name had. */
interface LastValue {
  value: string;
  /** Its place in the order of insertion; `undefined` as long as it came once. */
  inserted: number | undefined;
}

const NAME = /^:?[a-z0-9!#$%&'*+.^_`|~-]+$/;
/** No blank at either end (RFC 9113, section 8.2.1). */
const VALUE = /^(?![\t ])[\t\x20-\x7e]*(?<![\t ])$/;
/** They are about a connection of HTTP/1.1 (RFC 9113, section 8.2.2). */
const FORBIDDEN = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);
/** An integer of 21 bits after its prefix, twice, and the byte that both lengths begin with. */
const MAX_FIELD_OVERHEAD_BYTES = 10;
/** Two changes of the table's size. */
const MAX_BLOCK_OVERHEAD_BYTES = 10;
/** More names than any request has; the rest is written out each time. */
const MAX_REMEMBERED_NAMES = 64;

export class HpackEncoder {
  readonly #last = new Map<string, LastValue>();
  #fields: Field[] = [];
  /** Sizes of what the table holds, oldest first. */
  #sizes: number[] = [];
  #bytes = 0;
  #insertions = 0;
  #limit = DEFAULT_TABLE_BYTES;
  /** The smallest limit since the last block, which the next one must tell. */
  #smallestUntold: number | undefined;

  /** What the peer's SETTINGS_HEADER_TABLE_SIZE allows; more than 4,096 bytes are not made use of. */
  limitTable(bytes: number): void {
    const limit = Math.min(bytes, DEFAULT_TABLE_BYTES);
    if (limit === this.#limit && this.#smallestUntold === undefined) return;
    this.#limit = limit;
    this.#smallestUntold = Math.min(this.#smallestUntold ?? limit, limit);
    this.#evict(limit);
  }

  /**
   * Takes the fields of the next block, in their order; pseudo-headers come first. Returns how many bytes the
   * block will have at most, or `undefined` if HTTP/2 cannot carry the fields: nothing has changed then.
   */
  prepare(headers: RequestHeaders): number | undefined {
    this.#fields = [];
    let maxBytes = MAX_BLOCK_OVERHEAD_BYTES;
    for (const name in headers) {
      const value = String(headers[name]);
      if (!this.#isValid(name, value)) return undefined;
      this.#fields.push([name, value]);
      maxBytes += name.length + value.length + MAX_FIELD_OVERHEAD_BYTES;
    }
    return maxBytes;
  }

  /** Writes the block that was prepared. */
  write(output: Output): void {
    this.#tellLimit(output);
    for (const [name, value] of this.#fields) this.#field(name, value, output);
    this.#fields = [];
  }

  #isValid(name: string, value: string): boolean {
    const last = this.#last.get(name);
    if (last === undefined) return NAME.test(name) && !FORBIDDEN.has(name) && VALUE.test(value);
    return last.value === value || VALUE.test(value);
  }

  #tellLimit(output: Output): void {
    if (this.#smallestUntold === undefined) return;
    integer(output, 0x20, 5, this.#smallestUntold);
    if (this.#smallestUntold !== this.#limit) integer(output, 0x20, 5, this.#limit);
    this.#smallestUntold = undefined;
  }

  #field(name: string, value: string, output: Output): void {
    const last = this.#last.get(name);
    if (last === undefined || last.value !== value) {
      this.#remember(name, value, last);
      literal(output, 0, 4, name, value);
    } else if (last.inserted !== undefined && this.#holds(last.inserted)) {
      integer(output, 0x80, 7, STATIC_TABLE.length + this.#insertions - last.inserted);
    } else if (this.#insert(name, value)) {
      last.inserted = this.#insertions - 1;
      literal(output, 0x40, 6, name, value);
    } else {
      literal(output, 0, 4, name, value);
    }
  }

  #remember(name: string, value: string, last: LastValue | undefined): void {
    if (last !== undefined) {
      last.value = value;
      last.inserted = undefined;
    } else if (this.#last.size < MAX_REMEMBERED_NAMES) {
      this.#last.set(name, { value, inserted: undefined });
    }
  }

  #holds(inserted: number): boolean {
    return inserted >= this.#insertions - this.#sizes.length;
  }

  /** False if it is larger than the table. */
  #insert(name: string, value: string): boolean {
    const size = entryBytes(name, value);
    if (size > this.#limit) return false;
    this.#evict(this.#limit - size);
    this.#sizes.push(size);
    this.#bytes += size;
    this.#insertions += 1;
    return true;
  }

  #evict(limit: number): void {
    while (this.#bytes > limit) this.#bytes -= this.#sizes.shift() ?? this.#bytes;
  }
}

function literal(
  output: Output,
  pattern: number,
  prefixBits: number,
  name: string,
  value: string,
): void {
  const nameIndex = STATIC_NAMES.get(name) ?? 0;
  integer(output, pattern, prefixBits, nameIndex);
  if (nameIndex === 0) plain(output, name);
  plain(output, value);
}

/** Without the Huffman code: it would save a third of the bytes and cost more than it saves. */
function plain(output: Output, text: string): void {
  integer(output, 0, 7, text.length);
  output.latin1(text);
}

/** RFC 7541, section 5.1. */
function integer(output: Output, pattern: number, prefixBits: number, value: number): void {
  const max = (1 << prefixBits) - 1;
  if (value < max) {
    output.byte(pattern | value);
    return;
  }
  output.byte(pattern | max);
  let rest = value - max;
  for (; rest >= 0x80; rest >>= 7) output.byte((rest & 0x7f) | 0x80);
  output.byte(rest);
}
