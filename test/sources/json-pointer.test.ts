import { expect, test } from 'vitest';
import { isJsonPointer, resolvePointer } from '../../src/sources/json-pointer.ts';
import fc from '../support/properties.ts';

// The document and the pointers of RFC 6901, section 5.
const DOCUMENT = {
  foo: ['bar', 'baz'],
  '': 0,
  'a/b': 1,
  'c%d': 2,
  'e^f': 3,
  'g|h': 4,
  'i\\j': 5,
  'k"l': 6,
  ' ': 7,
  'm~n': 8,
};

test.each([
  ['', DOCUMENT],
  ['/foo', ['bar', 'baz']],
  ['/foo/0', 'bar'],
  ['/', 0],
  ['/a~1b', 1],
  ['/c%d', 2],
  ['/e^f', 3],
  ['/g|h', 4],
  ['/i\\j', 5],
  ['/k"l', 6],
  ['/ ', 7],
  ['/m~0n', 8],
])('resolves "%s" as the example of RFC 6901 does', (pointer, expected) => {
  expect(isJsonPointer(pointer)).toBe(true);
  expect(resolvePointer(DOCUMENT, pointer)).toEqual(expected);
});

test.each(['foo', '/~', '/a~2', '#/foo', '/a~'])('"%s" is not a pointer', (pointer) => {
  expect(isJsonPointer(pointer)).toBe(false);
});

test('finds nothing that is not a member: no prototype, no length, no index past the end', () => {
  for (const pointer of ['/foo/2', '/foo/-', '/foo/00', '/foo/length', '/foo/0/length']) {
    expect(resolvePointer(DOCUMENT, pointer), pointer).toBeUndefined();
  }
  for (const pointer of ['/constructor', '/__proto__', '/toString', '//0', '/ /x']) {
    expect(resolvePointer(DOCUMENT, pointer), pointer).toBeUndefined();
  }
  expect(resolvePointer(null, '/a')).toBeUndefined();
  expect(resolvePointer({ a: JSON.rawJSON('1.0') }, '/a/rawJSON')).toBeUndefined();
});

test('finds every member by its escaped name', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (outer, inner) => {
      const pointer = `/${escaped(outer)}/0/${escaped(inner)}`;
      const document = Object.fromEntries([[outer, [Object.fromEntries([[inner, 'found']])]]]);
      expect(isJsonPointer(pointer)).toBe(true);
      expect(resolvePointer(document, pointer)).toBe('found');
    }),
  );
});

function escaped(token: string): string {
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}
