// The examples of the documentation, run as a reader would run them: in a shell, in this repository, with this version
// of Node.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';

export const ROOT = resolve(import.meta.dirname, '../..');

/** The fenced blocks of a page in these languages, such as `sh|bash`, in their order. */
export function blocksOf(page: string, languages: string): readonly string[] {
  const fence = new RegExp(`^\`\`\`(?:${languages})\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  const content = readFileSync(join(ROOT, page), 'utf8');
  return [...content.matchAll(fence)].map((match) => match[1] ?? '');
}

/** Whether this machine has the programs that an example uses. */
export function hasTools(...names: readonly string[]): boolean {
  return names.every((name) => spawnSync(name, ['--version']).error === undefined);
}

/** Returns what the script prints; fails if one of its commands does. */
export async function runScript(
  script: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    cwd: ROOT,
    env: { PATH: path, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const complaints = text(child.stderr);
  const ended = once(child, 'close');
  const printed = await text(child.stdout);
  expect(await ended, `${await complaints}\n${printed}`).toEqual([0, null]);
  return printed;
}
