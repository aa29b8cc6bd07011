// Reads strings in HPACK's Huffman code (RFC 7541, section 5.2 and Appendix B). The code is canonical: shorter
// codes come first, and those of one length count up in the order of their symbols, so that the lengths tell
// everything.

/** In bits, of the symbols 0 to 255. */
const CODE_LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
] as const;

const MAX_LENGTH = 30;
/** Codes up to this length, which is all of letters and digits, are looked up at once. */
const QUICK_BITS = 8;

interface CodesOfLength {
  readonly firstCode: number;
  readonly symbols: readonly number[];
}

const BY_LENGTH = codesByLength();
/** By the next eight bits: `length << 8 | symbol`, or 0 where the code is longer. */
const QUICK = quickTable();

/** Symbols of the string that is being read; a longer one gets a larger one of its own. */
const scratch = Buffer.alloc(1_024);
const SHORTEST_CODE_BITS = 5;

/** `undefined` if the bytes are no string in this code. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | undefined {
  const maxSymbols = Math.ceil(((end - start) * 8) / SHORTEST_CODE_BITS);
  const symbols = maxSymbols <= scratch.length ? scratch : Buffer.alloc(maxSymbols);
  let symbolCount = 0;
  let at = start;
  // The last `count` bits were read and belong to no symbol yet, at most 15; those above are of no meaning.
  let bits = 0;
  let count = 0;
  for (;;) {
    if (count < QUICK_BITS) {
      if (at === end) break;
      bits = (bits << 8) | (bytes[at++] ?? 0);
      count += 8;
    }
    const quick = QUICK[(bits >> (count - QUICK_BITS)) & 0xff] ?? 0;
    if (quick !== 0) {
      count -= quick >> 8;
      symbols[symbolCount++] = quick & 0xff;
      continue;
    }
    // Up to 30 + 7 bits: more than a bitwise operation takes.
    let wide = bits & ((1 << count) - 1);
    let length = QUICK_BITS;
    let symbol: number | undefined;
    while (symbol === undefined) {
      length += 1;
      if (length > MAX_LENGTH) return undefined;
      while (count < length) {
        if (at === end) return undefined;
        wide = wide * 256 + (bytes[at++] ?? 0);
        count += 8;
      }
      symbol = symbolOf(Math.floor(wide / 2 ** (count - length)), length);
    }
    count -= length;
    bits = wide % 2 ** count;
    symbols[symbolCount++] = symbol;
  }
  const text = symbols.toString('latin1', 0, symbolCount);
  return finish(text, bits & ((1 << count) - 1), count);
}

/** Fewer than eight bits are left: a last short symbol or two, then padding, which is all ones. */
function finish(text: string, bits: number, count: number): string | undefined {
  let rest = text;
  let left = count;
  for (let length = 5; length <= left; ) {
    const symbol = symbolOf(bits >> (left - length), length);
    if (symbol === undefined) {
      length += 1;
    } else {
      rest += String.fromCharCode(symbol);
      left -= length;
      bits &= (1 << left) - 1;
      length = 5;
    }
  }
  return bits === (1 << left) - 1 ? rest : undefined;
}

function symbolOf(code: number, length: number): number | undefined {
  const codes = BY_LENGTH[length];
  return codes?.symbols[code - codes.firstCode];
}

function codesByLength(): readonly CodesOfLength[] {
  const table: CodesOfLength[] = [];
  let firstCode = 0;
  for (let length = 0; length <= MAX_LENGTH; length += 1) {
    const symbols = CODE_LENGTHS.flatMap((of, symbol) => (of === length ? [symbol] : []));
    table.push({ firstCode, symbols });
    firstCode = (firstCode + symbols.length) * 2;
  }
  return table;
}

function quickTable(): Uint16Array {
  const table = new Uint16Array(2 ** QUICK_BITS);
  for (let length = 1; length <= QUICK_BITS; length += 1) {
    const { firstCode, symbols } = BY_LENGTH[length] ?? { firstCode: 0, symbols: [] };
    const repeats = 2 ** (QUICK_BITS - length);
    symbols.forEach((symbol, nth) => {
      const from = (firstCode + nth) * repeats;
      table.fill((length << 8) | symbol, from, from + repeats);
    });
  }
  return table;
}
