// `nds check [FILE]`: whether the database, or a backup, is sound, of this version, and opens with the secret.

import { resolve } from 'node:path';
import type { Environment } from '../../config/config.ts';
import { wrap } from '../../core/finding/wrap.ts';
import { type Inspected, inspectDatabase } from '../../stores/sqlite/file/inspect.ts';
import { print } from '../print.ts';
import { keysOf, readDatabaseSettings } from './database-settings.ts';

const WORDS: Readonly<Record<Inspected['check'], string>> = {
  file: 'can be opened',
  integrity: 'every page and index is sound',
  foreign_keys: 'no row refers to one that is gone',
  layout: 'the tables are those of this version',
  secret: 'the configured secret opens it',
};
const DAMAGE: readonly Inspected['check'][] = ['file', 'integrity', 'foreign_keys'];
const WHAT_TO_DO = 'Name another file, or restore a backup: docs/operating.md#backup-and-restore';
const INDENT = 8;

/** What to do over PostgreSQL. */
const INSTEAD = '`nds doctor` examines a PostgreSQL';

/** Returns 0 if all is well, else 1. Works while the service runs. */
export function check(
  file: string | undefined,
  { json = false }: { readonly json?: boolean },
  environment: Environment,
): number {
  const settings = readDatabaseSettings(environment, INSTEAD);
  const path = resolve(file ?? settings.file);
  const found = inspectDatabase(path, keysOf(settings));
  const isSound = found.every(({ fault }) => fault === undefined);
  const text = isDamaged(found) ? `${lines(found)}${wrap(WHAT_TO_DO, 0)}\n` : lines(found);
  print(json ? `${JSON.stringify({ file: path, sound: isSound, checks: found })}\n` : text);
  return isSound ? 0 : 1;
}

/** Messages about other faults already say what to do. */
function isDamaged(found: readonly Inspected[]): boolean {
  return found.some(({ check, fault }) => fault !== undefined && DAMAGE.includes(check));
}

/** One line for each check; a failed one quotes the database's own message. */
export function lines(found: readonly Inspected[]): string {
  return found
    .map(({ check, fault }) => {
      const level = fault === undefined ? 'ok' : 'broken';
      return `${wrap(`${level.padEnd(INDENT)}${check}: ${fault ?? WORDS[check]}`, INDENT)}\n`;
    })
    .join('');
}
