// Runs code of the project as a user without rights, in a process of its own. Other users may not be able to read the
// project's folder, so the process gets a copy, and loads the packages while it is still root.

import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/** A user that owns no file. */
export const NOBODY = 65_534;

/** Only root can change to another user. */
export const isRoot = process.getuid?.() === 0;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * `modules` are files of the project; the code finds them in `loaded` under the same names. Returns what the code
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
