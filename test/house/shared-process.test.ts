// Test files that share a process must not change anything that the next file would find changed.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { OWN_PROCESS_FILES, SHARING_FOLDERS } from '../../vitest.config.ts';

const TESTS = resolve(import.meta.dirname, '..');
/** Mocks and fake timers, the process's variables and folder, globals and prototypes. */
const CHANGES =
  /\bvi\.|^\s*process\.(?:chdir|umask)\(|(?:process\.env(?:\.\w+|\[[^\]]+\])?|globalThis[.[].*|\.prototype[.[].*) (?:\?\?|\|\|)?= |(?:defineProperty|assign)\((?:globalThis|process|\w+\.prototype)/m;

/** A handle that another file left may end at this moment. */
const COUNTS =
  /\/proc\/self|getActiveResourcesInfo|process\.(?:memoryUsage|cpuUsage|resourceUsage)/;

function needsOwnProcess(name: string): boolean {
  const text = readFileSync(join(TESTS, name), 'utf8');
  return CHANGES.test(text) || COUNTS.test(text);
}

test('files that share a process leave it as it was, and do not count its handles', () => {
  const needing = SHARING_FOLDERS.flatMap((folder) => {
    const names = readdirSync(join(TESTS, folder), { recursive: true, encoding: 'utf8' });
    const files = names.filter((name) => name.endsWith('.ts'));
    expect(files.length, folder).toBeGreaterThan(2);
    return files.map((name) => join(folder, name)).filter(needsOwnProcess);
  });
  expect(needing.toSorted()).toEqual(OWN_PROCESS_FILES);
});

test.each([
  'vi.useFakeTimers();',
  "process.env.NDS_SECRET = 'x';",
  'process.env[name] ??= value;',
  'process.chdir(folder);',
  'globalThis.fetch = fake;',
  'Date.prototype.getTime = () => 0;',
  'Object.assign(process.env, given);',
])('finds %s', (line) => {
  expect(line).toMatch(CHANGES);
});
