// Replaces the database by a backup while no service runs. At every moment there is a complete database at its path:
// the old or the restored one.

import {
  copyFileSync,
  existsSync,
  linkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { synchronize, writeBackup } from './backup.ts';
import { makeFile } from './make-file.ts';
import { type Owner, takeOwnership } from './owner.ts';

export interface Restoring {
  readonly backup: string;
  readonly file: string;
  readonly owner: Owner;
  /** Distinguishes the old database from others that were put aside. */
  readonly stamp: string;
}

/**
 * The backup was inspected. Returns where the old database is now, if there was one. Throws a `DatabaseRefusedError` if
 * a service owns the database.
 */
export function restoreDatabase({ backup, file, owner, stamp }: Restoring): string | undefined {
  makeFile(file);
  const path = realpathSync(file);
  const lock = takeOwnership(path, owner);
  const copy = `${path}.restored`;
  try {
    rmSync(copy, { force: true });
    writeBackup(backup, copy);
    const aside = statSync(path).size === 0 ? undefined : `${path}.before-${stamp}`;
    if (aside !== undefined) keep(path, aside);
    renameSync(copy, path);
    // The log then has nothing since the backup, however long the service ran after it.
    rmSync(`${path}.owner.json`, { force: true });
    synchronize(dirname(path));
    return aside;
  } finally {
    rmSync(copy, { force: true });
    lock.release();
  }
}

/** The WAL goes first: beside another database it would be a danger, and without it the old one is still sound. */
function keep(path: string, aside: string): void {
  try {
    linkSync(path, aside);
  } catch {
    // Not every file system has links.
    copyFileSync(path, aside);
  }
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
  rmSync(`${path}-shm`, { force: true });
}
