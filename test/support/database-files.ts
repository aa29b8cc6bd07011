// The files in the folder of a database, as somebody with a copy would see them: the database, its WAL, and other
// files. Sockets in the folder cannot be read.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DatabaseFile {
  readonly name: string;
  readonly bytes: Buffer;
}

export function readDatabaseFiles(folder: string): readonly DatabaseFile[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.startsWith('nds.sqlite'))
    .flatMap(({ name }) => {
      const bytes = readUnlessGone(join(folder, name));
      return bytes === undefined ? [] : [{ name, bytes }];
    });
}

/** A service that is closing its files may remove some of them. */
function readUnlessGone(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
