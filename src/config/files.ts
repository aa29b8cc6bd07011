// Files that the configuration names. A message repeats a value only if it must be a path: keys and passwords are
// sometimes put into the variables for the paths of their files.

import { accessSync, constants, readFileSync } from 'node:fs';

const MAX_SHOWN_CHARACTERS = 200;
/** No quotes, braces, `=`, `+`, `@` or `:`, which keys, JSON and URLs have. */
const PATH_CHARACTERS = /^[\p{L}\p{N} ._~,()%/\\-]+$/u;
const EXTENSION = /\.[a-z0-9]{1,8}$/;
const DRIVE = /^[A-Za-z]:[\\/]/;
const LONG_SEGMENT_CHARACTERS = 20;
/** A scheme, which is longer than the letter of a drive, or SQLite's `:memory:`. */
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]+:|^:/;

/** Whether a value is certainly the path of a file, so that it may be printed. */
export function looksLikePath(value: string): boolean {
  const path = value.replace(DRIVE, '/');
  if (path.length > MAX_SHOWN_CHARACTERS || !PATH_CHARACTERS.test(path)) return false;
  if (path.includes('-----') || path.split(/[\\/]/).some(looksRandom)) return false;
  return /^\.{0,2}[\\/]/.test(path) || EXTENSION.test(path);
}

/** Whether a value is a usable path of a file. A bare word without an extension, if it is long, is a key. */
export function canBeFile(value: string): boolean {
  if (looksLikeContent(value) || SCHEME.test(value) || /[\\/]$/.test(value)) return false;
  return /[\\/]/.test(value) || EXTENSION.test(value) || value.length < LONG_SEGMENT_CHARACTERS;
}

/** Whether NDS_DATABASE names a PostgreSQL, which several machines share: its text has a password and is never shown. */
export function isServer(database: string): boolean {
  return /^postgres(ql)?:/i.test(database);
}

export function canBeRead(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path for a message, or words that reveal nothing about the value. */
export function showPath(value: string): string {
  return looksLikePath(value) ? value : 'a file';
}

function looksRandom(segment: string): boolean {
  return (
    segment.length >= LONG_SEGMENT_CHARACTERS &&
    !EXTENSION.test(segment) &&
    [/[a-z]/, /[A-Z]/, /[0-9]/].every((kind) => kind.test(segment))
  );
}

/** Whether a value is the content of a file rather than its path. */
function looksLikeContent(value: string): boolean {
  return /[\r\n\0]|-----BEGIN|^\s*["'[{]/.test(value) || value.length > MAX_SHOWN_CHARACTERS;
}

/** For files whose content cannot be put into another setting. */
export const MOVE_TO_FILE = 'write it to a file and give the path of that file';

export interface NamedFile {
  /** What the operator set: a variable, or a field of a file. */
  readonly name: string;
  readonly path: string;
  /** What to do if a file's content was given instead of its path. */
  readonly forContent: string;
}

/** The bytes of the file; `undefined`, and a fault, if there is nothing to read. */
export function readNamedFile(file: NamedFile, faults: string[]): Buffer | undefined {
  const { name, path, forContent } = file;
  if (looksLikeContent(path)) {
    faults.push(`${name} holds the content itself where a path belongs: ${forContent}`);
    return undefined;
  }
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    faults.push(`${name} names ${showPath(path)}, which cannot be read (${code})`);
    return undefined;
  }
}

export function readNamedText(file: NamedFile, faults: string[]): string | undefined {
  return readNamedFile(file, faults)?.toString('utf8');
}

/** What is wrong with the encoding of a text that was read as UTF-8; Node and JSON reject such texts. */
export function faultOfEncoding(text: string): string | undefined {
  if (text.startsWith('\ufeff'))
    return 'begins with a byte order mark: save it as UTF-8 without one';
  return text.includes('\0') ? 'is not UTF-8 but UTF-16: save it as UTF-8' : undefined;
}
