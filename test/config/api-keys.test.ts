// NDS_API_KEYS: the format of an entry, and that a fault never repeats any of it.

import { expect, test } from 'vitest';
import { apiKeyList } from '../../src/config/api-keys.ts';

const SECRET = 'kQ7fL2mX9vB4nT6yH1sJ8dW3pR5zC0gA';
const OTHER = 'another-secret-of-32-characters-or-more';

test('reads names, scopes and secrets, several during a rotation', () => {
  const value = ` a:read:${SECRET} , a:operate+read:${OTHER}:with=colons/+ ,`;
  expect(apiKeyList.parse(value)).toEqual([
    { name: 'a', scopes: ['read'], secret: SECRET },
    { name: 'a', scopes: ['read', 'operate'], secret: `${OTHER}:with=colons/+` },
  ]);
  expect(apiKeyList.parse('')).toEqual([]);
});

test.each([
  ['no parts', SECRET, 'entry 1 must be NAME:SCOPE+SCOPE:SECRET'],
  ['no name', `:read:${SECRET}`, 'entry 1 must be NAME'],
  ['a blank in the name', `a b:read:${SECRET}`, 'entry 1 must be NAME'],
  ['an unknown scope', `a:write:${SECRET}`, 'no others than read, operate, register, endpoints'],
  ['a scope twice', `a:read+read:${SECRET}`, 'each scope once'],
  ['an empty scope', `a:read+:${SECRET}`, 'each scope once'],
  ['a short secret', 'a:read:kQ7fL2mX9vB4nT6yH1sJ8dW3pR5zC0g', 'a secret of 32 to 512'],
  ['a long secret', `a:read:${'x'.repeat(513)}`, 'a secret of 32 to 512'],
  ['a blank in the secret', `a:read:${SECRET} ${SECRET}`, 'visible ASCII'],
  ['an umlaut in the secret', `a:read:ü${SECRET}`, 'visible ASCII'],
  ['the same secret twice', `a:read:${SECRET},b:operate:${SECRET}`, 'the same secret'],
  ['a fault in the second', `a:read:${SECRET},b:read:kQ7fL2m`, 'entry 2 must have a secret'],
])('refuses %s', (_, value, fault) => {
  const { error } = apiKeyList.safeParse(value);
  const message = error?.issues[0]?.message ?? '';
  expect(message).toContain(fault);
  expect(message).not.toContain('kQ7fL2m');
});
