// Recognises the forms in which consoles, shells and editors damage a key. The sentences follow the name of a variable
// or field, and none repeats any part of the value.

import { createPrivateKey } from 'node:crypto';
import { faultOfEncoding, looksLikePath } from './files.ts';

const QUOTED = /^\s*(["']).*\1\s*$/s;

/** The given text, and the setting that takes a path instead. */
export interface Pasted {
  readonly text: string;
  /** Absent if the text came from a file. */
  readonly pathVariable?: string | undefined;
}

/** What is wrong with the form of an APNs key; undefined if OpenSSL reads it, or if only the provider can tell. */
export function faultOfPem({ text, pathVariable }: Pasted): string | undefined {
  if (isPrivateKey(text)) return undefined;
  if (!text.includes('-----BEGIN')) {
    if (pathVariable !== undefined && looksLikePath(text)) {
      return `is the path of a file: use ${pathVariable}`;
    }
    return decodesTo(text, '-----BEGIN') ? 'is the key in base64: decode it' : undefined;
  }
  if (QUOTED.test(text)) return 'has quotes around it: remove them';
  if (/\\/.test(text))
    return 'has escapes such as \\\\n or \\r in it: replace each by a line break';
  if (/^[ \t]/m.test(text)) return 'has blanks before its lines: remove the indentation';
  return undefined;
}

/** The parsed JSON, or what is wrong with its text. */
export function parsePastedJson({
  text,
  pathVariable,
}: Pasted): { readonly json: unknown } | { readonly fault: string } {
  const parsed = tryParse(text);
  if (parsed !== undefined) {
    const isEscaped = typeof parsed.json === 'string' && isJsonObject(parsed.json);
    return isEscaped
      ? { fault: 'is JSON inside a JSON string: remove the outer quotes and one level of escapes' }
      : parsed;
  }
  return { fault: faultOfJson(text, pathVariable) };
}

function faultOfJson(text: string, pathVariable: string | undefined): string {
  const encoding = faultOfEncoding(text);
  if (encoding !== undefined) return encoding;
  if (QUOTED.test(text)) return 'has quotes around it: remove them';
  if (/^\s*\{\s*\\/.test(text)) return 'has backslashes before its quotes: remove them';
  if (pathVariable !== undefined && looksLikePath(text)) {
    return `is the path of a file: use ${pathVariable}`;
  }
  if (decodesTo(text, '{')) return 'is base64: decode it';
  if (/-----BEGIN[^"\\]*\n/.test(text) && text.includes('{')) {
    return 'has line breaks inside private_key: write each as \\n';
  }
  if (/-----BEGIN/.test(text) && !text.includes('{')) {
    return 'is a key in PEM: give the whole JSON file';
  }
  return 'is not valid JSON';
}

function tryParse(text: string): { readonly json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function isJsonObject(text: string): boolean {
  const json = tryParse(text)?.json;
  return typeof json === 'object' && json !== null;
}

function isPrivateKey(pem: string): boolean {
  try {
    createPrivateKey(pem);
    return true;
  } catch {
    return false;
  }
}

function decodesTo(text: string, start: string): boolean {
  return (
    /^[A-Za-z0-9+/=_\s-]+$/.test(text) &&
    Buffer.from(text, 'base64').toString('latin1').trimStart().startsWith(start)
  );
}
