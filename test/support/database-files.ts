// What lies in the folder of a database, as somebody with a copy of it would look: the file, its WAL, what stands beside
// it. The socket there is no file that can be read.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DatabaseFile {
  readonly name: string;
  readonly bytes: Buffer;
}

export function readDatabaseFiles(folder: string): readonly DatabaseFile[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.startsWith('nds.sqlite'))
    .map(({ name }) => ({ name, bytes: readFileSync(join(folder, name)) }));
}
