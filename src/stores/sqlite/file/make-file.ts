// Makes the file of a database and its folder, before anything else is put beside it.

import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { unusableLocation } from '../errors.ts';

/**
 * Readable only by its owner; does nothing if the file exists. Throws a `DatabaseRefusedError` that says why it cannot
 * be made or written.
 */
export function makeFile(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    // SQLite gives the files beside it the same permissions.
    closeSync(openSync(file, 'a', 0o600));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    // A full disk allows no new file, but an existing database can still be read.
    if (code === 'ENOSPC' && existsSync(file)) return;
    throw unusableLocation(file, `which cannot be written (${describe(code)})`, { cause: error });
  }
}

function describe(code: string): string {
  switch (code) {
    case 'ENOSPC':
      return 'the disk is full';
    case 'EROFS':
      return 'the disk is mounted read-only';
    case 'EACCES':
    case 'EPERM':
      return 'this user has no permission for the folder or file';
    case 'EISDIR':
      return 'it is a folder';
    default:
      return code;
  }
}
