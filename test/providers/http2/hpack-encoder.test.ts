// Header blocks as they are written: what is indexed when, and what HTTP/2 cannot carry.

import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HpackDecoder } from '../../../src/providers/http2/hpack-decoder.ts';
import { HpackEncoder, type RequestHeaders } from '../../../src/providers/http2/hpack-encoder.ts';
import { Output } from '../../../src/providers/http2/output.ts';

/** One connection's encoder, which writes blocks. */
function createWriter() {
  const encoder = new HpackEncoder();
  const [mine, theirs] = duplexPair();
  const output = new Output(mine);
  const write = (headers: RequestHeaders): Buffer => {
    const maxBytes = encoder.prepare(headers);
    if (maxBytes === undefined) throw new Error('cannot be carried');
    output.reserve(maxBytes);
    encoder.write(output);
    output.flush();
    const block: Buffer | null = theirs.read();
    if (block !== null && block.length > maxBytes) throw new Error('more than was foreseen');
    return block ?? Buffer.alloc(0);
  };
  return { encoder, write, hex: (headers: RequestHeaders) => write(headers).toString('hex') };
}

const plain = (text: string) =>
  text.length.toString(16).padStart(2, '0') + Buffer.from(text).toString('hex');

it('writes a value out at first, indexes it the second time, and is brief from the third on', () => {
  const { hex } = createWriter();
  expect(hex({ a: 'x' })).toBe(`00${plain('a')}${plain('x')}`);
  expect(hex({ a: 'x' })).toBe(`40${plain('a')}${plain('x')}`);
  expect(hex({ a: 'x' })).toBe('be');
  expect(hex({ a: 'y' })).toBe(`00${plain('a')}${plain('y')}`);
  // What was indexed is known by its latest value only.
  expect(hex({ a: 'x' })).toBe(`00${plain('a')}${plain('x')}`);
});

it('takes names from the static table', () => {
  const { hex } = createWriter();
  expect(hex({ ':method': 'POST', ':path': '/x' })).toBe(`02${plain('POST')}04${plain('/x')}`);
  // Entry 23 does not fit into a prefix of four bits.
  expect(hex({ authorization: 'b' })).toBe(`0f08${plain('b')}`);
  expect(hex({ authorization: 'b' })).toBe(`57${plain('b')}`);
  expect(hex({ authorization: 'b' })).toBe('be');
});

it('counts places from the newest entry', () => {
  const { write, hex } = createWriter();
  write({ a: '1', b: '2', c: '3' });
  write({ a: '1', b: '2', c: '3' });
  expect(hex({ a: '1', b: '2', c: '3' })).toBe('c0bfbe');
});

it('says nothing about a table that stays as it is, however large it might be', () => {
  const { encoder, hex } = createWriter();
  encoder.limitTable(65_536);
  encoder.limitTable(4_096);
  expect(hex({ a: '' })).toBe(`00${plain('a')}00`);
});

it('tells a smaller table once, and the smallest before a larger one', () => {
  const { encoder, hex } = createWriter();
  encoder.limitTable(100);
  expect(hex({})).toBe('3f45');
  expect(hex({})).toBe('');
  encoder.limitTable(0);
  encoder.limitTable(65_536);
  expect(hex({})).toBe('203fe11f');
  encoder.limitTable(30);
  encoder.limitTable(20);
  encoder.limitTable(25);
  expect(hex({})).toBe('3439');
});

it('indexes nothing in a table of no bytes', () => {
  const { encoder, hex } = createWriter();
  hex({ a: 'x' });
  hex({ a: 'x' });
  encoder.limitTable(0);
  const literal = `00${plain('a')}${plain('x')}`;
  expect(hex({ a: 'x' })).toBe(`20${literal}`);
  expect(hex({ a: 'x' })).toBe(literal);
});

it('indexes nothing that is larger than the table, and keeps what is there', () => {
  const { encoder, write, hex } = createWriter();
  encoder.limitTable(68);
  write({ a: '1', b: '2' });
  write({ a: '1', b: '2' });
  const long = 'x'.repeat(100);
  const literal = `00${plain('c')}${plain(long)}`;
  for (let times = 0; times < 3; times += 1) {
    expect(hex({ a: '1', b: '2', c: long })).toBe(`bfbe${literal}`);
  }
});

it('indexes anew what was evicted', () => {
  const { encoder, write, hex } = createWriter();
  encoder.limitTable(34);
  write({ a: '1' });
  write({ a: '1' });
  expect(hex({ a: '1' })).toBe('be');
  write({ b: '2' });
  write({ b: '2' });
  expect(hex({ a: '1' })).toBe(`40${plain('a')}${plain('1')}`);
});

it.each<[string, RequestHeaders]>([
  ['a name with a capital', { Authorization: 'x' }],
  ['a name with a blank', { 'a b': 'x' }],
  ['an empty name', { '': 'x' }],
  ['a name with a colon inside', { 'a:b': 'x' }],
  ['a line break', { a: 'x\r\nb: y' }],
  ['a zero', { a: 'x\0' }],
  ['what is no ASCII', { a: 'ü' }],
  ['a blank in front', { a: ' x' }],
  ['a blank behind', { a: 'x ' }],
  ['a tab behind', { a: 'x\t' }],
  ['a header of HTTP/1.1', { connection: 'close' }],
  ['the coding of HTTP/1.1', { 'transfer-encoding': 'chunked' }],
])('refuses %s, also after good values of the name, and changes nothing', (_, headers) => {
  const { encoder, write, hex } = createWriter();
  write({ a: 'x' });
  expect(encoder.prepare({ b: '1', ...headers })).toBeUndefined();
  expect(hex({ a: 'x' })).toBe(`40${plain('a')}${plain('x')}`);
});

it('takes numbers, empty values, and blanks inside of values', () => {
  const { write } = createWriter();
  const block = write({ n: 1_700_000_000, e: '', t: 'a \tb' });
  expect(new HpackDecoder().decode(block).headers).toEqual({ n: '1700000000', e: '', t: 'a \tb' });
});

const name = fc.constantFrom(':path', 'authorization', 'a', 'b', 'long-name-of-a-header', 'expiry');
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('', '1', '2', 'x'.repeat(60), 'y'.repeat(300)) },
  { weight: 1, arbitrary: fc.integer({ min: 120, max: 5_000 }).map((size) => 'z'.repeat(size)) },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.dictionary(name, value, { maxKeys: 6, noNullPrototype: true }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 33, 34, 100, 1_000, 4_095, 4_096, 65_536) },
);

it('is understood by the decoder, whatever comes again and however the table changes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { encoder, write } = createWriter();
      const decoder = new HpackDecoder();
      for (const next of steps) {
        if (typeof next === 'number') encoder.limitTable(next);
        else expect(decoder.decode(write(next)).headers).toEqual(next);
      }
    }),
    { numRuns: 300 },
  );
});

it('remembers a bounded number of names, and writes out the others', () => {
  const { hex } = createWriter();
  for (let number = 0; number < 64; number += 1) hex({ [`name-${number}`]: 'x' });
  const literal = `00${plain('one-more')}${plain('x')}`;
  for (let times = 0; times < 3; times += 1) expect(hex({ 'one-more': 'x' })).toBe(literal);
});
