// Absent fields and undefined fields differ when they are spread over other fields.

import { expect, test } from 'vitest';
import { withoutUndefined } from '../../src/core/without-undefined.ts';

test('leaves out undefined fields and nothing else', () => {
  const fields = withoutUndefined({ a: undefined, b: null, c: 0, d: '', e: false });
  expect(Object.entries(fields)).toEqual([
    ['b', null],
    ['c', 0],
    ['d', ''],
    ['e', false],
  ]);
  const record: Readonly<Record<string, string | undefined>> = { a: 'x', b: undefined };
  const defined: Readonly<Record<string, string>> = withoutUndefined(record);
  expect({ a: 'y', b: 'kept', ...defined }).toEqual({ a: 'x', b: 'kept' });
});
