// Databases in a folder of their own, removed after each test together with everything opened in it.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import {
  type OpenedStore,
  openSqliteStore,
  type SqliteStoreOptions,
} from '../../../src/stores/sqlite/store.ts';
import { MEMORY_FOLDER } from '../../support/memory-folder.ts';
import { KEYS } from './keys.ts';

/** Registers the clean-up; call it once per test file. */
export function useFiles(parent = MEMORY_FOLDER) {
  const directories: string[] = [];
  const stores: OpenedStore[] = [];

  afterEach(async () => {
    await Promise.all(stores.splice(0).map(({ store }) => store.close()));
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
  });

  function newFile(): string {
    const directory = mkdtempSync(join(parent, 'nds-store-'));
    directories.push(directory);
    return join(directory, 'nds.sqlite');
  }

  async function open(
    file: string,
    options: Partial<SqliteStoreOptions> = {},
  ): Promise<OpenedStore> {
    const opened = await openSqliteStore({ file, keys: KEYS, ...options });
    stores.push(opened);
    return opened;
  }

  return { newFile, open };
}
