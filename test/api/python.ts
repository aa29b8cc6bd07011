// Programs and libraries from PyPI, each in a virtual environment in a cache folder: installed once for all checkouts.

import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The folder of its programs, including `python`; undefined if it is missing and cannot be installed. */
export async function findPackage(name: string, version: string): Promise<string | undefined> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const folder = join(cache, 'nds', `${name}-${version}`);
  const programs = join(folder, 'bin');
  try {
    await run(join(programs, 'python'), ['-c', `import ${name}`]);
  } catch {
    try {
      rmSync(folder, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', folder]);
      await run(join(programs, 'pip'), ['install', '--quiet', `${name}==${version}`]);
    } catch {
      return undefined;
    }
  }
  return programs;
}

export function missing(name: string, version: string): string {
  return `${name} ${version} is missing and cannot be installed: it needs Python 3.10 with venv (Debian: python3-venv) and PyPI.\n`;
}
