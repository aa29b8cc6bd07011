// JSON pointers (RFC 6901), read only. The libraries walk up the prototype chain or throw at a scalar, and none treats
// a number with its literal digits as a leaf.

/** `` (the whole), `/a/0/b`; `~1` stands for `/` and `~0` for `~`. */
const POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/;
const ARRAY_INDEX = /^(?:0|[1-9][0-9]{0,8})$/;

export function isJsonPointer(text: string): boolean {
  return POINTER.test(text);
}

/** What the pointer leads to; undefined if there is no such value. */
export function resolvePointer(value: unknown, pointer: string): unknown {
  let found = value;
  for (const token of pointer.split('/').slice(1)) {
    found = member(found, token.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (found === undefined) return undefined;
  }
  return found;
}

function member(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return ARRAY_INDEX.test(key) ? value[Number(key)] : undefined;
  if (!isRecord(value) || JSON.isRawJSON(value)) return undefined;
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
