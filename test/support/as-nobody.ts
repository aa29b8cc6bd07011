// Runs code as a user without rights, in a process of its own. Everything that it loads is loaded before, as root: the
// folder of the project may be one that other users cannot enter.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Owns no file. */
export const NOBODY = 65_534;

/** Only root may become somebody else. */
export const isRoot = process.getuid?.() === 0;

/** The code may await. Gives its standard output. */
export async function runAsNobody(
  code: string,
  options: {
    /** URLs of modules that the code imports. */
    readonly loads: readonly URL[];
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<string> {
  const script = `
    import Database from ${JSON.stringify(import.meta.resolve('better-sqlite3'))};
    // Loads its native part.
    new Database(':memory:').close();
    ${options.loads.map(({ href }) => `await import(${JSON.stringify(href)});`).join('\n')}
    process.setgroups([]);
    process.setgid(${NOBODY});
    process.setuid(${NOBODY});
    ${code}`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { env: { ...options.environment } },
  );
  return stdout;
}
