// Whether a file is a sound database of this version that the configured secret opens. Only reads.

import { statSync } from 'node:fs';
import { counted } from '../../../core/counted.ts';
import { DatabaseRefusedError } from '../../refused.ts';
import type { Keys } from '../../sealing/keys.ts';
import type { Reading } from '../reading.ts';
import { findKeys } from './keys.ts';
import { checkMigrations } from './migrations.ts';
import { openForReading } from './open-reading.ts';

/** Findings of one kind that are shown; a damaged file has thousands. */
const MAX_SHOWN = 5;

export interface Inspected {
  readonly check: 'file' | 'integrity' | 'foreign_keys' | 'layout' | 'secret';
  /** What is wrong; absent if nothing is. */
  readonly fault?: string | undefined;
}

/** Runs every check, whatever the others find. */
export function inspectDatabase(file: string, keys: Keys): readonly Inspected[] {
  let db: ReturnType<typeof openForReading>;
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) return [{ check: 'file', fault: 'it does not exist' }];
    if (found.isDirectory()) return [{ check: 'file', fault: 'it is a folder' }];
    db = openForReading(file);
  } catch (error) {
    const fault = `it cannot be opened: check its owner and mode (${wordsOf(error)})`;
    return [{ check: 'file', fault }];
  }
  try {
    const unreadable = faultOf(() => db.prepare('SELECT count(*) FROM sqlite_schema').all({}));
    if (unreadable !== undefined) return [{ check: 'file', fault: unreadable }];
    return [
      { check: 'integrity', fault: faultOf(() => findDamage(db)) },
      { check: 'foreign_keys', fault: faultOf(() => findOrphans(db)) },
      { check: 'layout', fault: faultOf(() => checkMigrations(db, file)) },
      { check: 'secret', fault: faultOf(() => findKeys(db, keys, file)) },
    ];
  } finally {
    db.close();
  }
}

/** A check says in words what it found, or throws. */
function faultOf(check: () => unknown): string | undefined {
  try {
    const found = check();
    return typeof found === 'string' ? found : undefined;
  } catch (error) {
    return wordsOf(error);
  }
}

function findDamage(db: Reading): string | undefined {
  const found = db.prepare(`PRAGMA integrity_check(${MAX_SHOWN})`).all({}).map(firstValue);
  return found.length === 1 && found[0] === 'ok' ? undefined : found.join('; ');
}

function findOrphans(db: Reading): string | undefined {
  const orphans = db.prepare('PRAGMA foreign_key_check').all({}).map(firstValue);
  if (orphans.length === 0) return undefined;
  return `${counted(orphans.length, 'row refers', 'rows refer')} to others that are gone, in ${[...new Set(orphans)].join(', ')}`;
}

function firstValue(row: unknown): string {
  const [value] = typeof row === 'object' && row !== null ? Object.values(row) : [];
  return String(value);
}

function wordsOf(error: unknown): string {
  if (error instanceof DatabaseRefusedError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
