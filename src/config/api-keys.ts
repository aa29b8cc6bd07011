// The keys of the API, NAME:SCOPE+SCOPE:SECRET separated by commas. Faults name an entry by its number: any part of it
// may be a piece of a secret.

import { z } from 'zod';
import { SCOPES, type Scope } from '../core/operating/scopes.ts';

export interface ApiKey {
  /** For the log; two keys may have the same during a rotation. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly secret: string;
}

const MIN_SECRET_CHARACTERS = 32;
const MAX_SECRET_CHARACTERS = 512;
const FORM = /^([A-Za-z0-9._-]{1,64}):([a-z+]{1,64}):(.*)$/;
const SECRET = /^[\x21-\x7e]+$/;

export const apiKeyList = z.string().transform((value, context): readonly ApiKey[] => {
  const entries = value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const faults: string[] = [];
  const keys = entries.flatMap((entry, index) => {
    const read = readEntry(entry);
    if (typeof read !== 'string') return [read];
    faults.push(`entry ${index + 1} ${read}`);
    return [];
  });
  if (new Set(keys.map(({ secret }) => secret)).size < keys.length) {
    faults.push('two entries have the same secret');
  }
  if (faults.length === 0) return keys;
  context.addIssue(`is not valid: ${faults.join('; ')}`);
  return z.NEVER;
});

/** The key, or what is wrong with it. */
function readEntry(entry: string): ApiKey | string {
  const [, name, list = '', secret = ''] = FORM.exec(entry) ?? [];
  if (name === undefined) return 'must be NAME:SCOPE+SCOPE:SECRET';
  const named = list.split('+');
  const scopes = SCOPES.filter((scope) => named.includes(scope));
  if (scopes.length !== named.length) {
    return `must name each scope once, and no others than ${SCOPES.join(', ')}`;
  }
  const { length } = secret;
  const fits = length >= MIN_SECRET_CHARACTERS && length <= MAX_SECRET_CHARACTERS;
  if (fits && SECRET.test(secret)) return { name, scopes, secret };
  return `must have a secret of ${MIN_SECRET_CHARACTERS} to ${MAX_SECRET_CHARACTERS} visible ASCII characters`;
}
