// HPACK's Huffman code: what it decodes, and what it must not take.

import { expect, it } from 'vitest';
import { decodeHuffman } from '../../../src/providers/http2/huffman.ts';

const decode = (hex: string) => {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return decodeHuffman(bytes, 0, bytes.length);
};

/** Codes one after the other, then ones up to the end of the byte, or `padding` instead. */
function encode(codes: readonly (readonly [code: number, bits: number])[], padding?: string) {
  const bits = codes.map(([code, length]) => code.toString(2).padStart(length, '0')).join('');
  const padded = bits + (padding ?? '1'.repeat((8 - (bits.length % 8)) % 8));
  return (padded.match(/.{8}/g) ?? [])
    .map((byte) => Number.parseInt(byte, 2).toString(16).padStart(2, '0'))
    .join('');
}

const A = [0b00011, 5] as const;
/** Codes of 5, 6, 7, 8, 10, 13, 19, 23, 28 and 30 bits. */
const KNOWN: readonly (readonly [symbol: number, code: number, bits: number])[] = [
  [0x30, 0x0, 5],
  [0x20, 0x14, 6],
  [0x3a, 0x5c, 7],
  [0x26, 0xf8, 8],
  [0x58, 0xfc, 8],
  [0x21, 0x3f8, 10],
  [0x5c, 0x7fff0, 19],
  [0, 0x1ff8, 13],
  [1, 0x7fffd8, 23],
  [2, 0xfffffe2, 28],
  [9, 0xffffea, 24],
  [10, 0x3ffffffc, 30],
  [13, 0x3ffffffd, 30],
  [22, 0x3ffffffe, 30],
  [127, 0xffffffc, 28],
  [255, 0x3ffffee, 26],
];

it.each([
  ['f1e3 c2e5 f23a 6ba0 ab90 f4ff', 'www.example.com'],
  ['a8eb 1064 9cbf', 'no-cache'],
  ['25a8 49e9 5ba9 7d7f', 'custom-key'],
  ['25a8 49e9 5bb8 e8b4 bf', 'custom-value'],
  ['6402', '302'],
  ['640e ff', '307'],
  ['aec3 771a 4b', 'private'],
  ['d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff', 'Mon, 21 Oct 2013 20:13:21 GMT'],
  ['9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3', 'https://www.example.com'],
  ['9bd9 ab', 'gzip'],
  ['', ''],
])('decodes %s', (hex, text) => {
  expect(decode(hex)).toBe(text);
});

it('knows codes of every length, wherever they begin in a byte', () => {
  for (const [symbol, code, bits] of KNOWN) {
    for (let before = 0; before < 8; before += 1) {
      const codes = [...Array.from({ length: before }, () => A), [code, bits] as const, A];
      const expected = `${'a'.repeat(before)}${String.fromCharCode(symbol)}a`;
      expect(decode(encode(codes)), `symbol ${symbol} after ${before}`).toBe(expected);
      expect(decode(encode(codes.slice(0, -1)))).toBe(expected.slice(0, -1));
    }
  }
});

it('reads only the bytes that it is told to', () => {
  const bytes = Buffer.from('ffa8eb10649cbfff', 'hex');
  expect(decodeHuffman(bytes, 1, 7)).toBe('no-cache');
});

it('takes as padding nothing but ones, and fewer than eight', () => {
  expect(decode(encode([A]))).toBe('a');
  for (const padding of ['000', '110', '011', '101']) {
    expect(decode(encode([A], padding)), padding).toBeUndefined();
  }
  expect(decode(encode([A], '1'.repeat(11)))).toBeUndefined();
  expect(decode('ff')).toBeUndefined();
  // The shortest code that is not padding either.
  expect(decode(encode([[0b1111111, 7]], '1'))).toBeUndefined();
});

it('takes no end of string for a symbol', () => {
  expect(decode(encode([A, [0x3fffffff, 30]], '11111'))).toBeUndefined();
  expect(decode('ffffffff')).toBeUndefined();
  expect(decode(encode([[0x3fffffff, 30], A], '11111'))).toBeUndefined();
});

it('takes no symbol of which the end is missing', () => {
  const whole = encode([[0x3ffffffc, 30]]);
  for (let bytes = 1; bytes < 4; bytes += 1) {
    expect(decode(whole.slice(0, 2 * bytes)), `${bytes} bytes`).toBeUndefined();
  }
});
