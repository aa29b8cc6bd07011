// Runs code of the project as a user without rights, in a process of its own. The project may lie where other users
// cannot go: the process has a copy of it, and loads the packages while it still is root.

import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/** Owns no file. */
export const NOBODY = 65_534;

/** Only root may become somebody else. */
export const isRoot = process.getuid?.() === 0;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * `modules` are files of the project, which the code has under the same names as keys of `loaded`. Gives what the code
 * writes to standard output.
 */
export async function runAsNobody(
  code: string,
  options: {
    readonly modules: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<string> {
  const copy = mkdtempSync(join(tmpdir(), 'nds-nobody-'));
  try {
    chmodSync(copy, 0o755);
    for (const name of ['src', 'drizzle', 'package.json']) {
      cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    const script = `
      import Database from ${JSON.stringify(import.meta.resolve('better-sqlite3'))};
      // Loads its native part.
      new Database(':memory:').close();
      const loaded = {};
      for (const name of ${JSON.stringify(options.modules)}) {
        loaded[name] = await import(${JSON.stringify(`${pathToFileURL(copy).href}/`)} + name);
      }
      process.setgroups([]);
      process.setgid(${NOBODY});
      process.setuid(${NOBODY});
      ${code}`;
    const args = ['--input-type=module', '--eval', script];
    const env = { ...options.environment };
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: copy, env });
    return stdout;
  } finally {
    rmSync(copy, { recursive: true });
  }
}
