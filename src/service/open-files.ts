// How many files this process may open. Every connection is one: where NDS_MAX_CONNECTIONS is higher, the operating
// system refuses callers before the service can make room for them.

import { readFileSync } from 'node:fs';

/** Linux alone has it. Node raises the soft limit to the hard one at its start, so this is what counts. */
const LIMITS_FILE = '/proc/self/limits';
/** For the database, the connections to providers, metrics and commands, and Node itself. */
const OTHER_FILES = 200;

/** Undefined where it is unlimited or cannot be known. */
export function readOpenFileLimit(): number | undefined {
  try {
    return parseLimits(readFileSync(LIMITS_FILE, 'utf8'));
  } catch {
    // Another operating system.
    return undefined;
  }
}

/** The soft limit. */
export function parseLimits(text: string): number | undefined {
  const soft = /^Max open files\s+(\d+)\s/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** What is wrong and what to do; undefined if there is room. */
export function openFilesFault(
  limit: number | undefined,
  maxConnections: number,
): string | undefined {
  const needed = maxConnections + OTHER_FILES;
  if (limit === undefined || limit >= needed) return undefined;
  return (
    `this process may open ${limit} files (ulimit -n), and NDS_MAX_CONNECTIONS=${maxConnections} needs ${needed}: ` +
    'raise that limit, or lower NDS_MAX_CONNECTIONS'
  );
}
