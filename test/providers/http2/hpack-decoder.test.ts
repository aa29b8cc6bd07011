// Header blocks that a peer may write, and those that it may not (examples from RFC 7541, Appendix C).

import { expect, it } from 'vitest';
import { HpackDecoder, HpackError } from '../../../src/providers/http2/hpack-decoder.ts';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

/** One connection's decoder, fed with blocks. */
function createReader() {
  const decoder = new HpackDecoder();
  return (hex: string) => decoder.decode(bytes(hex));
}

/** The size of the table at first, in front of a block. */
const TABLE_OF_256 = '3fe101';

it('reads the requests of C.3, without the Huffman code', () => {
  const read = createReader();
  const common = { ':method': 'GET', ':authority': 'www.example.com' };
  expect(read('8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d').headers).toEqual({
    ...common,
    ':scheme': 'http',
    ':path': '/',
  });
  expect(read('8286 84be 5808 6e6f 2d63 6163 6865').headers).toEqual({
    ...common,
    ':scheme': 'http',
    ':path': '/',
    'cache-control': 'no-cache',
  });
  const third = read('8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65');
  expect(third).toEqual({
    status: 0,
    headers: {
      ...common,
      ':scheme': 'https',
      ':path': '/index.html',
      'custom-key': 'custom-value',
    },
  });
});

it('reads the requests of C.4, in the Huffman code', () => {
  const read = createReader();
  expect(read('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff').headers).toMatchObject({
    ':authority': 'www.example.com',
  });
  expect(read('8286 84be 5886 a8eb 1064 9cbf').headers).toMatchObject({
    ':authority': 'www.example.com',
    'cache-control': 'no-cache',
  });
  expect(read('8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf').headers).toMatchObject(
    {
      ':authority': 'www.example.com',
      'custom-key': 'custom-value',
    },
  );
});

const LOCATION = { location: 'https://www.example.com' };
const AT_21 = { ...LOCATION, 'cache-control': 'private', date: 'Mon, 21 Oct 2013 20:13:21 GMT' };
const AT_22 = { ...AT_21, date: 'Mon, 21 Oct 2013 20:13:22 GMT' };
const COOKIE = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';

it('reads the answers of C.5, which evict from a table of 256 bytes', () => {
  const read = createReader();
  expect(
    read(
      `${TABLE_OF_256} 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
       2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`.replaceAll(
        /\s/g,
        '',
      ),
    ),
  ).toEqual({ status: 302, headers: AT_21 });
  expect(read('4803 3330 37c1 c0bf')).toEqual({ status: 307, headers: AT_21 });
  expect(
    read(
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a
       6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d
       6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`.replaceAll(/\s/g, ''),
    ),
  ).toEqual({
    status: 200,
    headers: { ...AT_22, 'content-encoding': 'gzip', 'set-cookie': COOKIE },
  });
});

it('reads the answers of C.6, the same in the Huffman code', () => {
  const read = createReader();
  expect(
    read(
      `${TABLE_OF_256} 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
       2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`.replaceAll(/\s/g, ''),
    ),
  ).toEqual({ status: 302, headers: AT_21 });
  expect(read('4883 640e ffc1 c0bf')).toEqual({ status: 307, headers: AT_21 });
  expect(
    read(
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d
       d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106
       3d50 07`.replaceAll(/\s/g, ''),
    ),
  ).toEqual({
    status: 200,
    headers: { ...AT_22, 'content-encoding': 'gzip', 'set-cookie': COOKIE },
  });
  // Three entries of 98, 52 and 65 bytes are left of those that came.
  expect(read('bebf c0').headers).toEqual({
    'set-cookie': COOKIE,
    'content-encoding': 'gzip',
    date: AT_22.date,
  });
  expect(() => read('c1')).toThrow(HpackError);
});

it('reads literals that are not indexed, or never may be', () => {
  const read = createReader();
  expect(read('040c 2f73 616d 706c 652f 7061 7468').headers).toEqual({ ':path': '/sample/path' });
  expect(read('1008 7061 7373 776f 7264 0673 6563 7265 74').headers).toEqual({
    password: 'secret',
  });
  expect(() => read('be')).toThrow(HpackError);
});

it('counts the first of a field that comes twice', () => {
  expect(createReader()('000161 0131 000161 0132').headers).toEqual({ a: '1' });
});

it('reads an empty block and a field without a value', () => {
  const read = createReader();
  expect(read('')).toEqual({ status: 0, headers: {} });
  expect(read('000161 00').headers).toEqual({ a: '' });
});

it('is not led astray by names of every object', () => {
  const name = Buffer.from('__proto__').toString('hex');
  const { headers } = createReader()(`0009${name} 0131 000161 0132`);
  expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
  expect(headers.a).toBe('2');
});

it.each([
  ['index 0', '80'],
  ['an index beyond an empty table', 'be'],
  ['an index far beyond it', 'ffff00'],
  ['a name beyond the table', '7f01 0131'],
  ['an integer that never ends', 'ff'.padEnd(60, 'f')],
  ['an integer of zeros that never ends', `ff${'80'.repeat(20)}00`],
  ['an integer of 2^32 and more', 'ffffffffff0f'],
  ['an integer without its end', 'ff80'],
  ['a table of more than 4,096 bytes', '3fe21f'],
  ['another table size after a field', '8820'],
  ['a string beyond the block', '000261'],
  ['a length beyond the block', '00 7f 80 ff 01'],
  ['a name without a value', '000161'],
  ['a literal without a name', '40'],
  ['a string with the end of string in it', '0001 61 84 ffffffff'],
  ['a string with padding of zeros', '0001 61 81 18'],
  ['a string of padding', '0001 61 81 ff'],
])('refuses %s', (_, hex) => {
  expect(() => createReader()(hex)).toThrow(HpackError);
});

it('takes a table size up to what it allows, several of them, and none at all', () => {
  const read = createReader();
  expect(read('3fe11f 88').status).toBe(200);
  expect(read('20 3fe11f 88').status).toBe(200);
  expect(read('20').headers).toEqual({});
});

it('forgets what a smaller table cannot hold, the oldest first', () => {
  const read = createReader();
  // Entries of 34 bytes each.
  read('400161 0131 400162 0132 400163 0133');
  expect(read('be bf c0').headers).toEqual({ a: '1', b: '2', c: '3' });
  // 68 bytes are room for two, 67 for one.
  expect(read('3f25 be bf').headers).toEqual({ c: '3', b: '2' });
  expect(read('3f24 be').headers).toEqual({ c: '3' });
  expect(() => read('bf')).toThrow(HpackError);
});

it('is emptied by an entry that is larger than the table, which is read all the same', () => {
  const read = createReader();
  read('3f24 400161 0131');
  const long = 'x'.repeat(40);
  expect(read(`400162 28${Buffer.from(long).toString('hex')}`).headers).toEqual({ b: long });
  expect(() => read('be')).toThrow(HpackError);
});

it('names a new entry after one that has to go for it', () => {
  const read = createReader();
  read('3f03 400161 0131');
  // Its name is taken from entry 62, for which there is no room beside it.
  expect(read('7e 0132').headers).toEqual({ a: '2' });
  expect(read('be').headers).toEqual({ a: '2' });
});
