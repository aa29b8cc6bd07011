// The two keys of a database, whichever it is. The encryption key comes from the configuration and can be replaced; the
// lookup key, under which fingerprints are made, is made with the database, kept sealed in it, and never changes.

import { keyIdOf, Sealer } from './seal.ts';

/** Names of values in the table `meta`. The first one shows whether a configured secret is the right one. */
export const KEY_ID = 'encryption_key_id';
export const LOOKUP_KEY = 'lookup_key';
const LOOKUP_KEY_CONTEXT = 'lookup key';

export interface Keys {
  /** 32 bytes; everything is sealed under it from now on. */
  readonly current: Uint8Array;
  /**
   * Keys that were replaced; values sealed under one of them are sealed under the current one when the database is
   * opened.
   */
  readonly previous: readonly Uint8Array[];
}

export interface OpenedKeys {
  readonly sealer: Sealer;
  readonly lookupKey: Buffer;
  /** How many rows were sealed under the current key because it was replaced. */
  readonly resealedRows?: number | undefined;
}

/** For the configured key that everything in the database is sealed under; undefined if it is none of them. */
export function findSealer(keys: Keys, keyId: Uint8Array): Sealer | undefined {
  const key = [keys.current, ...keys.previous].find((one) => keyIdOf(one).equals(keyId));
  return key && new Sealer(key);
}

export function sealLookupKey(sealer: Sealer, lookupKey: Uint8Array): Buffer {
  return sealer.seal(lookupKey, LOOKUP_KEY_CONTEXT);
}

/** Undefined if it is damaged. */
export function openLookupKey(sealer: Sealer, sealed: Uint8Array): Buffer | undefined {
  return sealer.open(sealed, LOOKUP_KEY_CONTEXT);
}
