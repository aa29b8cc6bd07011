// A copy of a database beside its running service: by VACUUM INTO, which reads one state of it, from a connection that
// cannot write. An online backup would start again at every write and never end under load.

import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseRefusedError } from '../../refused.ts';
import { damageOr, emptyDatabase } from '../errors.ts';
import { hasTables } from './migrations.ts';
import { openForReading } from './open-reading.ts';

/**
 * `to` appears whole or not at all, readable by its owner alone, and is on the disk when this returns. Throws if it
 * exists.
 */
export function writeBackup(file: string, to: string): void {
  if (existsSync(to)) throw new BackupRefusedError(`${to} exists: choose another name`);
  const partial = `${to}.${process.pid}.partial`;
  try {
    // SQLite takes an empty file as it is, with its mode.
    closeSync(openSync(partial, 'wx', 0o600));
    const db = openSource(file);
    try {
      if (!hasTables(db, file)) throw emptyDatabase(file);
      db.prepare('VACUUM INTO @partial').run({ partial });
    } finally {
      db.close();
    }
    synchronize(partial);
    renameSync(partial, to);
    synchronize(dirname(to));
  } catch (error) {
    rmSync(partial, { force: true });
    const refusal = damageOr(error, file);
    if (refusal instanceof BackupRefusedError || refusal instanceof DatabaseRefusedError) {
      throw refusal;
    }
    const words = error instanceof Error ? error.message : String(error);
    throw new BackupRefusedError(`${to} cannot be written: ${words}`, { cause: error });
  }
}

function openSource(file: string): ReturnType<typeof openForReading> {
  try {
    return openForReading(file);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new BackupRefusedError(`${file} cannot be read: ${words}`, { cause: error });
  }
}

/** The message is for the operator. */
export class BackupRefusedError extends Error {
  override readonly name = 'BackupRefusedError';
}

/** Syncs a file or folder to the disk. */
export function synchronize(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
