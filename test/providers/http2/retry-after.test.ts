// Retry-After in both of its forms, RFC 9110 section 10.2.3.

import { expect, it } from 'vitest';
import { parseRetryAfter } from '../../../src/providers/http2/retry-after.ts';

const NOW = Date.parse('2031-03-04T05:06:07Z');

it.each([
  ['0', 0],
  ['7', 7_000],
  [' 12 ', 12_000],
  ['999999999', 86_400_000],
  ['86400', 86_400_000],
  ['9'.repeat(400), 86_400_000],
  ['Tuesday, 04-Mar-31 05:07:07 GMT', 60_000],
  ['Tue, 04 Mar 9999 05:07:07 GMT', 86_400_000],
  ['Tue, 04 Mar 2031 05:07:07 GMT', 60_000],
  ['Tue, 04 Mar 2031 05:00:00 GMT', 0],
  [['5', '6'], 5_000],
])('reads %j', (header, expected) => {
  expect(parseRetryAfter(header, NOW)).toBe(expected);
});

it.each([
  undefined,
  '',
  'soon',
  '-5x',
  [],
  '1e3 s',
  '-5',
  '1.5',
  '2031-03-04',
  'GMT',
  'Foo, 99 Bar GMT',
])('ignores %j', (header) => {
  expect(parseRetryAfter(header, NOW)).toBeUndefined();
});
